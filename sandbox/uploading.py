"""A member uploads a file as the upload page's script does: the page, then the file piece by piece."""

from typing import Any

import aiohttp

from sandbox.linking import LinkingFailed

PIECE = 1_000_000


async def upload(address: str, name: str, content: bytes) -> str:
    """The page's text.

    :raises LinkingFailed: when the page or a piece is refused; with the words that the page shows.
    """
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of addresses that are numbers too: 127.0.0.1
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=60)) as session:
        async with session.get(address) as response:
            text = await response.text()
            if response.status != 200:
                raise LinkingFailed(f"The upload page answered {response.status}.")
        said = {"name": name, "size": len(content), "private": False}
        async with session.post(f"{address}/files", json=said) as response:
            slot = await _accepted(response)
        received = slot["received"]
        while received < len(content):
            place = f"{address}/files/{slot['number']}?from={received}"
            async with session.put(place, data=content[received : received + PIECE]) as response:
                received = (await _accepted(response))["received"]
        return text


async def _accepted(response: aiohttp.ClientResponse) -> Any:
    body = await response.json()
    if response.status != 200:
        raise LinkingFailed(f"The upload was refused: {body.get('message')}")
    return body
