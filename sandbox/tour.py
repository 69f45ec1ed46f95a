"""The scripted visit: members link, their tracks are collected, the model is trained, everybody gets ten tracks."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sandbox.discord_server import InteractionFailed, Message, Refused, User
from sandbox.export_files import streaming_history
from sandbox.linking import Linked, LinkingFailed, link
from sandbox.markdown import plain
from sandbox.news import News
from sandbox.pressing import give, press
from sandbox.report import Lists, genre_hit_rate, mean_jaccard, recommendation, times
from sandbox.stage import Stage
from sandbox.ten_lines import RecommendedLine, UnreadableList, ten_lines
from sandbox.transcript import Transcript
from sandbox.typed import FEEDBACK_WORDS
from sandbox.uploading import upload

CONNECTED = ("listenbrainz", "lastfm")
SYNC_SECONDS = 120.0
TRAINING_SECONDS = 450.0
"""Much more than they take, for machines that do other things as well."""
TOP, LEAST_NEW = 10, 6
IN_FULL = 2
"""So many members' lists are printed with the reasons."""


class TourFailed(Exception):  # noqa: N818 - says what
    """Something did not go as it should."""


EXPECTED_FAILURES = (TourFailed, LinkingFailed, InteractionFailed, UnreadableList, Refused, TimeoutError)


@dataclass
class Tour:
    """`await Tour(stage, transcript).play()`. What went wrong is in `errors`, in words."""

    stage: Stage
    transcript: Transcript
    errors: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    training_seconds: float | None = None
    lists: dict[str, Sequence[RecommendedLine]] = field(default_factory=dict)
    """Each member's first list after the training."""
    other_lists: dict[str, Sequence[RecommendedLine]] = field(default_factory=dict)
    """The same of those who came through other doors than Spotify's."""
    replies: dict[str, Message] = field(default_factory=dict)
    """The messages that hold them."""

    async def play(self) -> None:
        """Every part, to the end: where one fails, that is noted and the next one tried."""
        started = time.monotonic()
        for part in (
            self.look_around,
            self.link_all,
            self.connect_all,
            self.import_all,
            self.collect,
            self.train,
            self.recommend,
            self.talk_back,
        ):
            try:
                await part()
            except EXPECTED_FAILURES as failure:
                self.note_error(f"{part.__name__.replace('_', ' ')}: {failure}")
        for line in self.stage.bot.complaints():
            self.note_error(f"the bot's log: {line}")
        self._sum_up(time.monotonic() - started)

    def note_error(self, text: str) -> None:
        self.errors.append(text)
        self.transcript.problem(text)

    # the parts

    async def look_around(self) -> None:
        self.transcript.heading("A new bot in the server")
        await self._ask(self.stage.admin, "help")

    async def link_all(self) -> None:
        self.transcript.heading("Members link their Spotify accounts")
        shown_closed = False
        for number, user in enumerate(self._linking):
            member = self.stage.member(user)
            in_full = number == 0 or (member.dms_closed and not shown_closed)
            shown_closed = shown_closed or member.dms_closed
            try:
                self._show_linking(user, await link(self.stage, user, member.user.id), in_full)
                self.linked.append(user.name)
            except EXPECTED_FAILURES as failure:
                self.note_error(f"{user.name} could not link: {failure}")

    async def connect_all(self) -> None:
        """Those who come by a service of listens: the first of each shows how, the first of all proves who they are."""
        others = [user for user in self._users if self.stage.member(user).door in CONNECTED]
        if not others:
            return
        self.transcript.heading("Others connect what they listen to elsewhere")
        first: dict[str, User] = {}
        for user in others:
            first.setdefault(self.stage.member(user).door, user)
        done = await asyncio.gather(
            *(self._connect(user, proving=user is others[0]) for user in others), return_exceptions=True
        )
        for user, reply in zip(others, done, strict=True):
            if isinstance(reply, EXPECTED_FAILURES):
                self.note_error(f"{user.name} could not connect: {reply}")
            elif isinstance(reply, BaseException):
                raise reply
            elif user in first.values():
                self.transcript.typed(user.name, f"/connect {self.stage.member(user).door} user:{user.name.lower()}")
                self.transcript.reply(reply)
            else:
                self.transcript.note(f"{user.name} does the same: {plain(reply.embeds[0]['description'])}")

    async def import_all(self) -> None:
        """Those who bring the history that Spotify sent them: the first through the upload page, then attached."""
        others = [user for user in self._users if self.stage.member(user).door == "export"]
        if not others:
            return
        self.transcript.heading("Others bring the history that Spotify sent them")
        for number, user in enumerate(others):
            try:
                reply = await self._import(user, attached=number > 0)
                self.transcript.reply(reply)
            except EXPECTED_FAILURES as failure:
                self.note_error(f"{user.name} could not import: {failure}")

    async def collect(self) -> None:
        """The first sync began with the link; /sync joins it and waits."""
        self.transcript.heading("Their tracks are collected")
        await asyncio.gather(*(self._sync(user) for user in self._users if user.name in self.linked))
        await self._ask(self.stage.admin, "status")

    async def train(self) -> None:
        self.transcript.heading("The admin trains the model")
        admin = self.stage.admin
        news = News(self.stage.discord, admin)
        self.transcript.typed(admin.name, "/model retrain")
        sent = await self.stage.command(admin, "model retrain")
        await sent.interaction.reply()
        deadline = sent.interaction.dispatched_at + TRAINING_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            for message in await news.wait(left):
                self.transcript.reply(message)
                if message.content.startswith("**The new model is live**"):
                    self.training_seconds = time.monotonic() - sent.interaction.dispatched_at
                    await self._ask(admin, "model status")
                    return
                if not message.content.startswith("**Training the model**") and not message.content.startswith(
                    "Training"
                ):
                    raise TourFailed(plain(message.text))
        raise TourFailed(f"no model after {TRAINING_SECONDS:g} s")

    async def recommend(self) -> None:
        self.transcript.heading("Everybody asks for ten tracks")
        for number, user in enumerate(self._users):
            try:
                message, lines = await self._list(user, in_full=number < IN_FULL)
                lists = self.lists if user in self._linking else self.other_lists
                lists[user.name], self.replies[user.name] = lines, message
            except EXPECTED_FAILURES as failure:
                self.note_error(f"{user.name} got no recommendations: {failure}")

    async def talk_back(self) -> None:
        """Likes and dislikes count at once; what was said can be taken back; a list can be shared."""
        self.transcript.heading("Some say what they think, and ask again")
        users = [user for user in self._linking if user.name in self.replies]
        if len(users) < TOP // 2:
            raise TourFailed(f"only {len(users)} members have a list to talk about")
        first, second, third, *_, newcomer = users
        await self._give(first, "like", 3)
        await self._give(first, "dislike", 1)
        await self._again(first, disliked=self.lists[first.name][0])
        await self._give(newcomer, "like", 2)
        await self._again(newcomer)
        await self._give(second, "know", 5)
        await self._press(second, "Undo")
        await self._press(third, "Share")

    # what they are made of

    @property
    def _users(self) -> list[User]:
        return list(self.stage.users.values())

    @property
    def _linking(self) -> list[User]:
        """Those who come through Spotify's door."""
        return [user for user in self._users if self.stage.member(user).door == "spotify"]

    async def _type(self, user: User, name: str) -> Message:
        self.transcript.typed(user.name, f"/{name}")
        return await (await self.stage.command(user, name)).interaction.reply()

    async def _ask(self, user: User, name: str) -> None:
        self.transcript.reply(await self._type(user, name))

    async def _list(self, user: User, *, in_full: bool = False) -> tuple[Message, Sequence[RecommendedLine]]:
        """/recommend, and what stands in the reply."""
        message = await self._type(user, "recommend")
        lines = ten_lines(message)
        if in_full:
            self.transcript.reply(message)
        else:
            self.transcript.ten_in_short(message, lines)
        known = sum(line.known for line in lines)
        if len(lines) != TOP or not known or len(lines) - known < LEAST_NEW:
            self.note_error(f"{user.name} got {len(lines)} tracks, {known} of them known")
        if len({line.track_id for line in lines}) != len(lines):
            self.note_error(f"{user.name} got a track twice")
        return message, lines

    def _show_linking(self, user: User, linked: Linked, in_full: bool) -> None:
        transcript = self.transcript
        ours, consent, done = linked.pages
        if not in_full:
            return transcript.note(f"{user.name} does the same: “{done.heading}”")
        transcript.typed(user.name, "/link")
        transcript.reply(linked.reply)
        if linked.invitation is not linked.reply:
            transcript.reply(linked.invitation, content=linked.invitation_text)
        transcript.note(f"{user.name} opens the link: “{ours.heading}” – Continue to Spotify")
        transcript.note(f"Spotify's page: “{consent.heading}” – {user.name}, Agree")
        transcript.note(f"The bot's page: “{done.heading}”\n")

    async def _connect(self, user: User, *, proving: bool) -> Message:
        """The reply, once the first collection has ended."""
        door, name = self.stage.member(user).door, self.stage.member(user).user.id
        options: dict[str, object] = {"user": name}
        if proving:
            options["token"] = self.stage.listenbrainz.users[name].token
        sent = await self.stage.command(user, f"connect {door}", options)

        def over(_: object) -> Message | None:
            reply = sent.interaction.original
            still = reply is None or reply.loading or (reply.embeds and reply.embeds[0]["title"].startswith("Reading"))
            return None if still else reply

        reply = await sent.interaction.wait_until(over, SYNC_SECONDS)
        sent.final_at = time.monotonic()
        if not reply.embeds or not reply.embeds[0]["title"].startswith("Your listening"):
            raise TourFailed(plain(reply.text))
        return reply

    async def _import(self, user: User, *, attached: bool) -> Message:
        """The reply, once everything is stored."""
        stage, member = self.stage, self.stage.member(user)
        name = "my_spotify_data.zip"
        content = streaming_history(stage.rng(user.name), member.library, member.user.id)
        if attached:
            self.transcript.typed(user.name, f"/import file:{name}")
            sent = await stage.command(user, "import", {"file": stage.discord.upload(user, name, content)})
        else:
            self.transcript.typed(user.name, "/import")
            sent = await stage.command(user, "import")
            reply = await sent.interaction.reply()
            address = stage.link_in(reply, "import")
            if address is None:
                raise TourFailed(plain(reply.text))
            await upload(address, name, content)
            self.transcript.note(f"{user.name} opens the page and drops {name} there\n")

        def over(_: object) -> Message | None:
            reply = sent.interaction.original
            done = reply is not None and reply.embeds and not reply.embeds[0]["title"].startswith("Importing")
            return reply if done else None

        reply = await sent.interaction.wait_until(over, SYNC_SECONDS)
        sent.final_at = time.monotonic()
        if not reply.embeds[0]["title"].startswith("Your history is imported"):
            raise TourFailed(plain(reply.text))
        return reply

    async def _sync(self, user: User) -> None:
        sent = await self.stage.command(user, "sync")

        def over(_: object) -> Message | None:
            reply = sent.interaction.original
            still = (
                reply is None
                or reply.loading
                or (reply.embeds and not reply.embeds[0]["title"].startswith(("Your", "The")))
            )
            return None if still else reply

        await sent.interaction.reply()
        reply = await sent.interaction.wait_until(over, SYNC_SECONDS)
        sent.final_at = time.monotonic()
        if not reply.embeds or not reply.embeds[0]["title"].startswith("Your tracks"):
            return self.note_error(f"{user.name}'s sync: {plain(reply.text)}")
        self.transcript.note(f"{user.name}: /sync – {plain(reply.embeds[0]['description'])}")

    async def _give(self, user: User, verb: str, number: int) -> None:
        message = self.replies[user.name]
        line = self.lists[user.name][number - 1]
        self.transcript.typed(user.name, f"{verb} {number}", f"{line.title} – {line.artist}")
        await (await give(self.stage.discord, user, message, FEEDBACK_WORDS[verb], number)).reply()
        self.transcript.reply(message)

    async def _press(self, user: User, label: str) -> None:
        message = self.replies[user.name]
        self.transcript.typed(user.name, f"[{label}]", "under the list")
        news = News(self.stage.discord, user)
        await (await press(self.stage.discord, user, message, label)).reply()
        for changed in news.take():
            if changed is message:
                self.transcript.reply(changed)
            else:
                self.transcript.ten_in_short(changed, ten_lines(changed))

    async def _again(self, user: User, disliked: RecommendedLine | None = None) -> None:
        _, lines = await self._list(user)
        if disliked is not None and disliked.track_id in {line.track_id for line in lines}:
            self.note_error(f"{user.name} got {disliked.title!r} again after disliking it")

    # what it came to

    def report(self) -> dict[str, object]:
        """The numbers, as JSON takes them; null where there is nothing to measure."""
        milliseconds: dict[str, list[float]] = {}
        for sent in self.stage.sent:
            if (seconds := sent.seconds) is not None:
                milliseconds.setdefault(sent.name, []).append(1000 * seconds)
        return {
            "members": len(self._linking),
            "linked": len(self.linked),
            "training": {"seconds": self.training_seconds and round(self.training_seconds, 1)},
            "recommendations": {name: [recommendation(line) for line in lines] for name, lines in self.lists.items()},
            "mean_jaccard": self._measure(_alike),
            "genre_hit_rate": self._measure(self._fitting),
            "others": {
                name: {
                    "door": self.stage.community.member(name).door,
                    "recommendations": [recommendation(line) for line in lines],
                }
                for name, lines in self.other_lists.items()
            },
            "others_genre_hit_rate": self._measure(self._fitting, self.other_lists),
            "reply_ms": {name: times(taken) for name, taken in milliseconds.items()},
            "errors": self.errors,
        }

    def _sum_up(self, seconds: float) -> None:
        transcript, lists = self.transcript, self.lists.values()
        transcript.heading("What it came to")
        transcript.note(
            f"{len(self.linked)} of {len(self._linking)} members linked; the whole tour took {seconds:.0f} s."
        )
        alike, fitting = self._measure(_alike), self._measure(self._fitting)
        if alike is not None:
            tracks = len({line.track_id for lines in lists for line in lines})
            transcript.note(
                f"{len(lists)} lists with {tracks} different tracks: two of them have {alike:.1%} of their tracks in "
                "common on average (Jaccard; 100 % would be the same ten for everybody)."
            )
        if fitting is not None:
            transcript.note(
                f"Of the tracks new to a member, {fitting:.0%} are of a genre that this member is known to like."
            )
        if self.other_lists and (others := self._measure(self._fitting, self.other_lists)) is not None:
            transcript.note(
                f"{len(self.other_lists)} members came through other doors; {others:.0%} of their new tracks fit in "
                "the same way."
            )
        for text in self.errors:
            transcript.problem(text)

    def _measure(self, measure: Callable[[Lists], float], lists: Lists | None = None) -> float | None:
        try:
            return round(measure(self.lists if lists is None else lists), 3)
        except ValueError:
            return None

    def _fitting(self, lists: Lists) -> float:
        return genre_hit_rate(lists, self.stage.community)


def _alike(lists: Lists) -> float:
    return mean_jaccard([[line.track_id for line in lines] for lines in lists.values()])
