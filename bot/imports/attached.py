"""Files that somebody attached to a command, fetched from where Discord keeps them, never whole in memory."""

from collections.abc import AsyncIterator

import aiohttp

from bot.errors import FileRefusedError
from bot.imports.base import Attached

CHUNK = 256 * 1024
PATIENCE = aiohttp.ClientTimeout(total=600, sock_connect=10, sock_read=30)


async def fetch(http: aiohttp.ClientSession, one: Attached) -> AsyncIterator[bytes]:
    """Its bytes. Raises `FileRefusedError`, with the words that follow the file's name."""
    left = one.size
    try:
        async with http.get(one.url, timeout=PATIENCE, allow_redirects=False) as response:
            if response.status != 200:
                raise FileRefusedError("cannot be fetched from Discord any more. Attach it again.")
            async for chunk in response.content.iter_chunked(CHUNK):
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
    except (aiohttp.ClientError, TimeoutError) as error:
        raise FileRefusedError("did not come through from Discord. Try again in a minute.") from error
    if left:
        raise FileRefusedError("came from Discord with another length than it should have. Attach it again.")
