"""The websocket: sessions that survive a dropped connection, and the events they hear."""

import asyncio
import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import WSMsgType, web

from sandbox.discord.bell import Bell
from sandbox.discord.message import Message
from sandbox.discord.world import Guild, Json, Member, User

(
    DISPATCH,
    HEARTBEAT,
    IDENTIFY,
    PRESENCE,
    VOICE_STATE,
    RESUME,
    RECONNECT,
    REQUEST_MEMBERS,
    INVALID_SESSION,
    HELLO,
    HEARTBEAT_ACK,
) = (0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11)

GUILDS, GUILD_MEMBERS, GUILD_PRESENCES = 1 << 0, 1 << 1, 1 << 8
GUILD_MESSAGES, DIRECT_MESSAGES, MESSAGE_CONTENT = 1 << 9, 1 << 12, 1 << 15
PRIVILEGED = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT
EVERY_INTENT = (1 << 26) - 1

MOST_FRAME_BYTES = 4096
MOST_EVENTS_A_MINUTE = 120
KEPT_EVENTS = 1000
IDENTIFIES_A_DAY = 1000


class Session:
    """One identified connection of the bot; its events are kept so that a resume can replay them."""

    def __init__(self, intents: int, shard: tuple[int, int], socket: web.WebSocketResponse) -> None:
        self.id = secrets.token_hex(16)
        self.intents = intents
        self.shard = shard
        self.socket: web.WebSocketResponse | None = socket
        self.sequence = 0
        self.ready = False
        self._kept: deque[Json] = deque(maxlen=KEPT_EVENTS)

    @property
    def connected(self) -> bool:
        """Whether its websocket is open."""
        return self.socket is not None and not self.socket.closed

    def hears(self, guild: Guild | None) -> bool:
        """Whether events of `guild` are for this shard; direct messages (None) are for the first."""
        number, count = self.shard
        return self.ready and (0 if guild is None else guild.shard(count)) == number

    async def dispatch(self, event: str, data: Json) -> None:
        """Numbers, keeps and sends one event."""
        self.sequence += 1
        frame = {"op": DISPATCH, "t": event, "s": self.sequence, "d": data}
        self._kept.append(frame)
        await self.send(frame)

    async def send(self, frame: Json) -> None:
        """Sends one frame as plain text; a lost connection loses it, the kept events stay."""
        if self.socket is not None and not self.socket.closed:
            try:
                await self.socket.send_str(json.dumps(frame))
            except ConnectionError:
                self.socket = None

    def since(self, sequence: int) -> list[Json] | None:
        """The events after `sequence`; None when some of them are no longer kept."""
        missed = [frame for frame in self._kept if frame["s"] > sequence]
        return missed if len(missed) == self.sequence - sequence else None


class Gateway:
    """Accepts the bot's websockets and tells its sessions what happens.

    :param greet: the READY data for a session, and the guilds that it will hear of.
    :param allowed_privileged: privileged intents switched on for the application.
    :param max_concurrency: identifies per five seconds.
    """

    def __init__(
        self,
        bell: Bell,
        *,
        token: str,
        bot: User,
        greet: Callable[[Session], tuple[Json, list[Guild]]],
        allowed_privileged: int,
        max_concurrency: int,
        heartbeat_ms: int,
    ) -> None:
        self._bell = bell
        self._token = token
        self._bot = bot
        self._greet = greet
        self._allowed_privileged = allowed_privileged
        self.max_concurrency = max_concurrency
        self._heartbeat_ms = heartbeat_ms
        self.sessions: dict[str, Session] = {}
        self.identifies: deque[float] = deque()
        self.resumes = 0
        self._sockets: dict[web.WebSocketResponse, web.Request] = {}

    @property
    def ready(self) -> bool:
        """Whether a session is connected and was told of its guilds."""
        return any(session.connected and session.ready for session in self.sessions.values())

    async def dispatch(self, event: str, data: Json, guild: Guild | None, needs: int = 0) -> None:
        """Tells every session that hears of `guild` (None: direct messages) and whose intents include `needs`."""
        for session in list(self.sessions.values()):
            if session.hears(guild) and session.intents & needs == needs:
                await session.dispatch(event, data)

    async def announce(self, event: str, message: Message) -> None:
        """Tells of a message, with the intent for it; ephemeral ones are between the person and the reply's token."""
        if message.ephemeral:
            return
        guild, author = message.channel.guild, message.author
        data: Json = {"id": message.id, "channel_id": message.channel.id} if message.deleted else message.wire()
        blank: Json = {}
        if guild is not None:
            data["guild_id"] = guild.id
        if guild is not None and not message.deleted:
            member = guild.members[author.id].wire() if guild.has(author) else {}
            data["member"] = {key: value for key, value in member.items() if key != "user"}
            if author is not self._bot and self._bot not in message.mentions:
                blank = {"content": "", "embeds": [], "components": [], "attachments": []}
        needs = DIRECT_MESSAGES if guild is None else GUILD_MESSAGES
        for session in list(self.sessions.values()):
            if session.hears(guild) and session.intents & needs:
                await session.dispatch(event, data if session.intents & MESSAGE_CONTENT else data | blank)

    async def broadcast(self, op: int, data: object) -> None:
        """Sends a control frame to every connected session."""
        for session in list(self.sessions.values()):
            await session.send({"op": op, "d": data})

    async def drop(self, code: int | None) -> None:
        """Closes every websocket with `code`; None cuts the connections without a close frame."""
        for socket, request in list(self._sockets.items()):
            if code is not None:
                await socket.close(code=code)
            elif request.transport is not None:
                request.transport.abort()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """One websocket, from hello to close."""
        socket = web.WebSocketResponse(max_msg_size=1 << 20, timeout=1.0)
        await socket.prepare(request)
        if request.query.get("v", "10") != "10":
            await socket.close(code=4012, message=b"Invalid API version.")
            return socket
        self._sockets[socket] = request
        try:
            await socket.send_str(json.dumps({"op": HELLO, "d": {"heartbeat_interval": self._heartbeat_ms}}))
            await self._talk(socket)
        except ConnectionError:
            pass
        finally:
            del self._sockets[socket]
            for session in list(self.sessions.values()):
                if session.socket is socket:
                    session.socket = None
            self._bell.ring()
        return socket

    async def _talk(self, socket: web.WebSocketResponse) -> None:
        session: Session | None = None
        events: deque[float] = deque()
        beaten = time.monotonic()
        patience = self._heartbeat_ms / 1000 * 1.5
        while True:
            try:
                message = await socket.receive(timeout=max(beaten + patience - time.monotonic(), 0.01))
            except TimeoutError:
                await socket.close(code=4009, message=b"Session timed out.")
                return
            if message.type is not WSMsgType.TEXT:
                # A client that says goodbye ends its session; any other end can be resumed.
                if session is not None and message.type is WSMsgType.CLOSE and message.data in (1000, 1001):
                    self.sessions.pop(session.id, None)
                return
            now = time.monotonic()
            events.append(now)
            while events[0] <= now - 60:
                events.popleft()
            if len(events) > MOST_EVENTS_A_MINUTE:
                await socket.close(code=4008, message=b"Rate limited.")
                return
            frame = _decoded(message.data)
            if frame is None:
                await socket.close(code=4002, message=b"Error while decoding payload.")
                return
            op, data = frame.get("op"), frame.get("d")
            if op == HEARTBEAT:
                beaten = now
                await socket.send_str(json.dumps({"op": HEARTBEAT_ACK}))
            elif op in (IDENTIFY, RESUME):
                if session is not None:
                    await socket.close(code=4005, message=b"Already authenticated.")
                    return
                begin = self._identify if op == IDENTIFY else self._resume
                session = await begin(socket, data if isinstance(data, dict) else {})
            elif session is None:
                await socket.close(code=4003, message=b"Not authenticated.")
            elif op == REQUEST_MEMBERS:
                await self._members(session, data or {})
            elif op not in (PRESENCE, VOICE_STATE):
                await socket.close(code=4001, message=b"Unknown opcode.")

    async def _identify(self, socket: web.WebSocketResponse, data: Json) -> Session | None:
        intents = data.get("intents")
        shard = data.get("shard", [0, 1])
        code = self._refusal(data.get("token"), intents, shard)
        if code is not None:
            await socket.close(code=code[0], message=code[1].encode())
            return None
        now = time.monotonic()
        while self.identifies and self.identifies[0] <= now - 86_400:
            self.identifies.popleft()
        if sum(at > now - 5 for at in self.identifies) >= self.max_concurrency:
            await socket.send_str(json.dumps({"op": INVALID_SESSION, "d": False}))
            return None
        self.identifies.append(now)
        assert isinstance(intents, int)
        session = Session(intents, (shard[0], shard[1]), socket)
        self.sessions[session.id] = session
        ready, guilds = self._greet(session)
        await session.dispatch("READY", ready)
        for guild in guilds if intents & GUILDS else ():
            await session.dispatch("GUILD_CREATE", self.guild_created(session, guild))
        session.ready = True
        self._bell.ring()
        return session

    def _refusal(self, token: object, intents: object, shard: Any) -> tuple[int, str] | None:
        if token != self._token or len(self.identifies) >= IDENTIFIES_A_DAY:
            return 4004, "Authentication failed."
        if not isinstance(intents, int) or intents & ~EVERY_INTENT or intents < 0:
            return 4013, "Invalid intent(s)."
        if intents & PRIVILEGED & ~self._allowed_privileged:
            return 4014, "Disallowed intent(s)."
        if not (isinstance(shard, list) and len(shard) == 2 and 0 <= shard[0] < shard[1]):
            return 4010, "Invalid shard."
        return None

    def guild_created(self, session: Session, guild: Guild) -> Json:
        """GUILD_CREATE for this session: all members with the members intent, else only the bot."""
        mine = guild.members[self._bot.id]
        seen: Iterable[Member] = guild.members.values() if session.intents & GUILD_MEMBERS else [mine]
        return guild.created(seen, mine.joined_at)

    async def _resume(self, socket: web.WebSocketResponse, data: Json) -> Session | None:
        if data.get("token") != self._token:
            await socket.close(code=4004, message=b"Authentication failed.")
            return None
        session = self.sessions.get(str(data.get("session_id")))
        sequence = data.get("seq")
        missed = session.since(sequence) if session is not None and isinstance(sequence, int) else None
        if session is not None and isinstance(sequence, int) and sequence > session.sequence:
            await socket.close(code=4007, message=b"Invalid seq.")
            return None
        if session is None or missed is None:
            await socket.send_str(json.dumps({"op": INVALID_SESSION, "d": False}))
            return None
        session.socket = socket
        for frame in missed:
            await session.send(frame)
        await session.dispatch("RESUMED", {})
        self.resumes += 1
        self._bell.ring()
        return session

    async def _members(self, session: Session, data: Json) -> None:
        guild = next((guild for guild in self._greet(session)[1] if guild.id == str(data.get("guild_id"))), None)
        if guild is None:
            return
        wanted = {str(user) for user in data.get("user_ids") or []}
        prefix = str(data.get("query") or "").lower()
        if not wanted and not prefix and not session.intents & GUILD_MEMBERS:
            return
        found = [
            member.wire()
            for member in guild.members.values()
            if (member.user.id in wanted if wanted else member.user.name.lower().startswith(prefix))
        ]
        chunk = {"guild_id": guild.id, "members": found, "chunk_index": 0, "chunk_count": 1}
        if "nonce" in data:
            chunk["nonce"] = data["nonce"]
        await session.dispatch("GUILD_MEMBERS_CHUNK", chunk)

    async def close(self) -> None:
        """Ends every connection."""
        await asyncio.gather(*(socket.close(code=1001, message=b"The server stops.") for socket in self._sockets))


def _decoded(text: str) -> Json | None:
    if len(text.encode()) > MOST_FRAME_BYTES:
        return None
    try:
        frame = json.loads(text)
    except ValueError:
        return None
    return frame if isinstance(frame, dict) else None
