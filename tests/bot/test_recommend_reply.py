"""What a list looks like: within Discord's limits, and harmless, whatever tracks and people are called."""

import re
from typing import Any

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.replies.recommend import given_before, list_reply, shared_list
from bot.replies.text import escaped, plain
from bot.services.feedback import FEEDBACK_KINDS
from bot.services.recommend import Basis, Line, TrackList
from bot.services.status import Next
from sandbox.discord.body import check_body
from specrec.interactions import Kind

OWNER = "9" * 19
NASTY = (
    "*",
    "`",
    "_",
    "~~",
    "||",
    "> ",
    "[x](https://evil.example)",
    "](",
    "@everyone ",
    "<@1> ",
    "</a:1>",
    "\\",
    "# ",
)
UNITS = st.sampled_from(
    [*NASTY, "😀", "👨‍👩‍👧", "\u202e", "ש", "م", "\u200b", "\n", "é", "字", "\0", "https://evil.example/ "]
)
nasty = st.one_of(
    UNITS.map(lambda unit: unit * 300), st.lists(UNITS, max_size=200).map("".join), st.text(max_size=300)
)  # fmt: skip
some_given = st.sampled_from(
    [frozenset(kinds) for kinds in ((), (Kind.LIKED,), (Kind.DISLIKED, Kind.KNOWN), (Kind.KNOWN,))]
)


def track_list(title="Doom 1", artist="Doom Band", reason="close to Doom 2 that you saved", *, lines=10, **changes):
    made = [
        Line(rank, str(10**18 + rank), title, (artist,), "0" * 22, 0.873, rank % 3 == 0, reason)
        for rank in range(1, lines + 1)
    ]
    values: dict[str, Any] = {"lines": tuple(made), "kind": "mix", "basis": Basis.MODEL, "given": {}}
    return TrackList(**values | {"history": 7, "heard": 5} | changes)


def check(embed, view):
    check_body({"embeds": [embed.to_dict()], "components": view.to_components()}, {})


@given(nasty, nasty, nasty, st.lists(some_given, min_size=10, max_size=10), st.sampled_from(list(Basis)))
def test_ten_lines_fit_whatever_they_are_called(title, artist, reason, feedback, basis):
    given_ = {str(10**18 + rank): kinds for rank, kinds in enumerate(feedback, 1)}
    step = Next.WAIT if basis is Basis.START else None
    tracks = track_list(title, artist, reason, given=given_, basis=basis, next=step)
    shown = list_reply(tracks, OWNER)
    check(shown.embed, shown.view)
    check(shared_list(shown.embed, title), discord.ui.View())


@given(nasty, st.integers(8, 300))
def test_escaped_text_is_short_and_shows_no_markdown_mention_or_link(text, limit):
    shown = escaped(text, limit)
    assert len(shown) <= limit
    bare = re.sub(r"\\[\\*_~`|<>@#]", "", shown)
    assert not set(bare) & set("\\*_~`|<>@#[]\n\0\u202e")
    assert "://" not in shown
    assert shown.count("\u2068") == shown.count("\u2069")


@given(nasty, st.integers(1, 100))
def test_plain_text_is_one_short_line(text, limit):
    shown = plain(text, limit)
    assert len(shown) <= limit
    assert not set(shown) & set("\n\r\t\0\u202e")


@pytest.mark.parametrize("title", ["", "\u200b\u200b", "\u200d", " \n"])
def test_a_title_of_nothing_is_called_untitled(title):
    assert "[Untitled](" in list_reply(track_list(title), OWNER).embed.description


def test_text_that_needs_nothing_stays_as_it_is():
    assert escaped("Zoë & the 字: Live (2024) 👨‍👩‍👧", 50) == "Zoë & the 字: Live (2024) 👨‍👩‍👧"
    assert escaped("شمس", 50) == "\u2068شمس\u2069"  # kept together, so that the numbers beside it stay where they are


def test_a_line_has_title_artist_link_match_and_reason():
    shown = list_reply(track_list(lines=3), OWNER)
    lines = shown.embed.description.split("\n")
    assert "**1.** [Doom 1](https://open.spotify.com/track/0000000000000000000000) · Doom Band" in lines
    assert lines.count("87 % match · close to Doom 2 that you saved") == 2
    assert lines[-1] == "87 % match · known · close to Doom 2 that you saved"
    assert "Spotify" in shown.embed.footer.text


def test_what_nobody_here_has_is_marked():
    line = Line(1, "1", "Doom 1", ("Doom Band",), None, 0.2, False, "by Doom Band, like Doom 2", True)
    shown = list_reply(TrackList((line,), "mix", Basis.MODEL, {}, 1, 1), OWNER)
    assert "20 % match · new to everybody here · by Doom Band, like Doom 2" in shown.embed.description


@pytest.mark.parametrize("spotify_id", [None, "../../evil", "x" * 100, ""])
def test_without_a_proper_spotify_id_there_is_no_link(spotify_id):
    line = Line(1, "1", "Local file", (), spotify_id, 0.5, False, "")
    shown = list_reply(TrackList((line,), "mix", Basis.MODEL, {}, 1, 1), OWNER)
    assert "**1.** Local file\n50 % match" in shown.embed.description
    assert "http" not in shown.embed.description


@pytest.mark.parametrize("kind", ["mix", "new", "familiar"])
@pytest.mark.parametrize("lines", [0, 4])
def test_a_short_list_says_why(kind, lines):
    opening = list_reply(track_list(lines=lines, kind=kind), OWNER).embed.description.split("\n")[0]
    full = list_reply(track_list(kind=kind), OWNER).embed.description
    assert opening.endswith(".")
    assert opening not in full


def test_a_list_that_waits_for_audio_features_says_so():
    waiting = list_reply(track_list(lines=0, basis=Basis.TASTE, heard=0), OWNER)
    assert waiting.embed.description.startswith("Tracks of yours that I have: 7. I do not know yet how they sound")
    check(waiting.embed, waiting.view)
    exhausted = list_reply(track_list(lines=0, basis=Basis.TASTE, kind="new"), OWNER)
    assert exhausted.embed.description.startswith("No track is new to you yet")


def test_the_taste_profile_says_that_it_is_one():
    assert "taste profile" in list_reply(track_list(basis=Basis.TASTE), OWNER).embed.footer.text
    assert "taste profile" not in list_reply(track_list(), OWNER).embed.footer.text


@pytest.mark.parametrize("step", list(Next))
@pytest.mark.parametrize("lines", [0, 10])
def test_a_first_list_says_what_to_do_next_and_cannot_be_shared(step, lines):
    shown = list_reply(track_list(lines=lines, basis=Basis.START, next=step), OWNER)
    check(shown.embed, shown.view)
    assert ("tell me below" in shown.embed.description) is (lines > 0)
    assert "**1.**" in shown.embed.description or not lines
    assert not [item for item in shown.view.to_components() if "share" in str(item)]
    assert len(shown.view.children) == (3 if lines else 0)


def test_a_shared_list_keeps_what_its_owner_said_to_themselves():
    tracks = track_list(given={str(10**18 + 1): frozenset({Kind.DISLIKED})})
    own = list_reply(tracks, OWNER).embed
    assert "👎 1" in own.fields[0].value
    public = shared_list(own, "Ada *")
    assert public.fields == []
    assert public.author.name == "Ada *'s list"
    assert public.description == own.description


@pytest.mark.parametrize("letters", ["", "l", "dk", "k"])
def test_an_undo_button_says_what_stood_before(letters):
    assert {kind.value[0] for kind in given_before(letters)} == set(letters)
    assert given_before(letters) <= set(FEEDBACK_KINDS)
