"""Lists read off messages, and the markdown that they are written in."""

from datetime import UTC, datetime

import pytest

from sandbox.discord.message import Message
from sandbox.discord.world import Channel, User
from sandbox.markdown import Span, plain, spans
from sandbox.ten_lines import RecommendedLine, UnreadableList, ten_lines

ID = "4uLU6hMCjMI75M1A2tKUQC"


def message(description: str) -> Message:
    return Message(
        "1",
        Channel("2", "general"),
        User("3", "SpecRec", bot=True),
        datetime(2026, 11, 23, tzinfo=UTC),
        embeds=[{"title": "Recommended tracks", "description": description}],
    )


def test_title_artist_match_reason_and_known_are_read():
    text = (
        "Two more and you have them all.\n\n"
        f"**1.** [Slow \\* Lantern (live)](https://open.spotify.com/track/{ID}) · Otter & Kite, The Idle Lynxs\n"
        "87 % match · known · close to Quiet Kite that you saved · same energy\n"
        f"**2.** [A](https://open.spotify.com/track/{ID}) · B\n"
        "4 % match · known to be loud"
    )
    assert ten_lines(message(text)) == [
        RecommendedLine(
            1,
            ID,
            "Slow * Lantern (live)",
            "Otter & Kite, The Idle Lynxs",
            0.87,
            "close to Quiet Kite that you saved · same energy",
            True,
        ),
        RecommendedLine(2, ID, "A", "B", 0.04, "known to be loud", False),
    ]


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ("I know nothing of your taste yet. Type `/link`.", "no recommendations, but: .*Type /link"),
        ("**1.** A · B\n80 % match · close to C", "without rank, title, link"),
        (f"**1.** [A](https://open.spotify.com/album/{ID}) · B\n80 % match · close to C", "without rank, title, link"),
        (f"**1.** [A](https://open.spotify.com/track/{ID})\n80 % match · close to C", "without rank, title, link"),
        (f"**1.** [A](https://open.spotify.com/track/{ID}) · B\n80 % match", "without match or reason"),
        (f"**1.** [A](https://open.spotify.com/track/{ID}) · B", "without match or reason"),
    ],
)
def test_a_list_that_lacks_something_is_told(description, said):
    with pytest.raises(UnreadableList, match=said):
        ten_lines(message(description))


def test_markdown_is_taken_apart():
    text = "# Big\n- **1.** [a \\[b\\]](https://x.test/y) and _two_ `c_d` <@42> at <t:60:R>\n-# small \\*print\\*"
    assert list(spans(text, {"42": "Ada"}.__getitem__, "{} s".format)) == [
        Span("Big", bold=True),
        Span("\n"),
        Span("• "),
        Span("1.", bold=True),
        Span(" "),
        Span("a ", url="https://x.test/y"),
        Span("[", url="https://x.test/y"),
        Span("b", url="https://x.test/y"),
        Span("]", url="https://x.test/y"),
        Span(" and "),
        Span("two", italic=True),
        Span(" "),
        Span("c_d", code=True),
        Span(" "),
        Span("@Ada", bold=True),
        Span(" at "),
        Span("60 s"),
        Span("\n"),
        Span("small ", small=True),
        Span("*", small=True),
        Span("print", small=True),
        Span("*", small=True),
    ]


def test_plain_text_keeps_what_only_looks_like_markdown():
    assert plain("snake_case_name 3 * 4 \\_under\\_ 5 < 6") == "snake_case_name 3 * 4 _under_ 5 < 6"
