"""Invented names of people, bands, records and songs."""

from collections.abc import Sequence

import numpy as np


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PEOPLE = _words(
    """
    Ada Bruno Chidi Dalia Emil Farida Goran Hanna Ivo Junko Kofi Lena Mateo Nour Oskar Priya Quentin Rosa Sven
    Tala Umar Vera Wanda Ximena Yusuf Zora Anouk Bela Celia Dario Esra Fintan
    """
)
"""Friendly names of members."""

_FIRST = _words(
    """
    Marisol Tobin Ilse Evander Odile Rufus Saskia Alaric Imke Lorcan Petra Wendell Yara Benno Calla Ottoline
    """
)
_FAMILY_HEAD = _words(
    """
    Quen Fenni Bram Hollo Wister Thistle Amber Corri Dove Elder Pember Larks Mar Nettle Osper Tanger
    """
)
_FAMILY_TAIL = _words("by more wick way field croft gate worth dale mere lock stone")
_MOOD = _words(
    """
    Velvet Paper Copper Quiet Crooked Borrowed Winter Amber Hollow Distant Gentle Restless Salted Second Silver
    Slow Tangled Unsent Wandering Yellow Brittle Candid Drifting Electric Faded Hidden Idle Lucid Mossy Northern
    """
)
_THING = _words(
    """
    Lantern Orchard Harbour Ladder Compass Thimble Pavement Meadow Cassette Marble Window Teapot Satellite Chimney
    Blanket Postcard Umbrella Staircase Aquarium Bicycle Carousel Dictionary Elevator Feather Greenhouse Hammock
    Inkwell Jigsaw Kite Lighthouse Mailbox Notebook Observatory Pendulum Quilt Rowboat Signpost Turnstile Vineyard
    Weathervane
    """
)
_ANIMAL = _words(
    """
    Otter Heron Pelican Badger Magpie Hedgehog Weasel Sparrow Toucan Gecko Marten Puffin Newt Wren Vole Oriole
    """
)
_GROUP = _words(
    """
    Committee Society Parade Bureau Ensemble Assembly Exchange Department Orchestra Institute Circle Union
    """
)
_DOING = _words("Folding Counting Chasing Mending Painting Losing Tuning Borrowing Waking Sailing Naming Crossing")
_WHEN = ("Midnight", "Noon", "Daybreak", "Low Tide", "Half Past Four", "the Last Stop", "Closing Time", "the Thaw")


def _pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def artist_name(rng: np.random.Generator) -> str:
    """A person or a band."""
    match int(rng.integers(5)):
        case 0 | 1:
            return f"{_pick(rng, _FIRST)} {_pick(rng, _FAMILY_HEAD)}{_pick(rng, _FAMILY_TAIL)}"
        case 2:
            return f"The {_pick(rng, _MOOD)} {_pick(rng, _ANIMAL)}s"
        case 3:
            return f"{_pick(rng, _THING)} {_pick(rng, _GROUP)}"
        case _:
            return f"{_pick(rng, _ANIMAL)} & {_pick(rng, _THING)}"


def song_title(rng: np.random.Generator) -> str:
    match int(rng.integers(6)):
        case 0:
            return f"{_pick(rng, _MOOD)} {_pick(rng, _THING)}"
        case 1:
            return f"{_pick(rng, _DOING)} the {_pick(rng, _THING)}"
        case 2:
            return f"{_pick(rng, _THING)} at {_pick(rng, _WHEN)}"
        case 3:
            return f"The {_pick(rng, _ANIMAL)} and the {_pick(rng, _THING)}"
        case 4:
            return f"{_pick(rng, _MOOD)} {_pick(rng, _ANIMAL)}, {_pick(rng, _MOOD)} {_pick(rng, _THING)}"
        case _:
            return f"{_pick(rng, _DOING)} {_pick(rng, _ANIMAL)}s until {_pick(rng, _WHEN)}"


def album_title(rng: np.random.Generator) -> str:
    match int(rng.integers(3)):
        case 0:
            return f"Songs for a {_pick(rng, _MOOD)} {_pick(rng, _THING)}"
        case 1:
            return f"{_pick(rng, _THING)} Season"
        case _:
            return f"The {_pick(rng, _MOOD)} {_pick(rng, _GROUP)}"
