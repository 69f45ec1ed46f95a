"""Pictures: results -> PNG bytes. Drawing takes a tenth of a second, so it is for a thread.

Colours carry their own dark background, so that a picture reads the same in Discord's dark and light themes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.memory import give_back
from bot.services.gate import Thresholds, coverage_reached, distinct_share

if TYPE_CHECKING:  # Pillow is loaded when the first picture is asked for, not with the bot
    from PIL.ImageDraw import ImageDraw

BACKGROUND, PANEL, TRACK = "#1e1f22", "#2b2d31", "#3f4147"
TEXT, FAINT = "#f2f3f5", "#b5bac1"
LIVE, REFUSED, EARLIER = "#2fce71", "#f2726f", "#7d8590"
COLOURS = {"live": LIVE, "refused": REFUSED, "earlier": EARLIER}
FORBIDDEN = "#7e3a3e"  # below a threshold

SCALE = 2  # drawn so much larger, then made smaller: smooth edges
WIDTH, MARGIN, GAP = 1100, 28, 20
BARS_WIDTH = 640
ROW, HEAD, FOOT = 92, 96, 62
MOST = 5  # versions


@dataclass(frozen=True, slots=True)
class Bar:
    """A version: `role` is live, refused or earlier; `report` is what was measured of it."""

    name: str
    role: str
    report: Mapping[str, Any]


def model_picture(versions: Sequence[Bar], thresholds: Thresholds) -> bytes:
    """How good each version was when it was measured, and how far the live and the refused ones are from a collapse."""
    picture = _draw_model(versions, thresholds)
    give_back()  # 20 MB
    return picture


def _draw_model(versions: Sequence[Bar], thresholds: Thresholds) -> bytes:
    from PIL import Image, ImageDraw

    shown = versions[:MOST]
    height = max(2 * MARGIN + HEAD + FOOT + len(shown) * ROW, 500)
    image = Image.new("RGB", (WIDTH * SCALE, height * SCALE), BACKGROUND)
    pen = _Pen(ImageDraw.Draw(image))
    _draw_quality(pen, MARGIN, MARGIN, MARGIN + BARS_WIDTH, height - MARGIN, shown)
    _draw_collapse(pen, MARGIN + BARS_WIDTH + GAP, MARGIN, WIDTH - MARGIN, height - MARGIN, shown, thresholds)
    small = image.resize((WIDTH, height), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "PNG")
    return file.getvalue()


class _Pen:
    """Draws in the small picture's pixels."""

    def __init__(self, draw: ImageDraw) -> None:
        self._draw = draw
        self._fonts: dict[float, Any] = {}

    def box(self, left: float, top: float, right: float, bottom: float, colour: str, radius: float = 0) -> None:
        corners = [left * SCALE, top * SCALE, max(right, left + 0.5) * SCALE, bottom * SCALE]
        self._draw.rounded_rectangle(corners, radius=radius * SCALE, fill=colour)

    def dot(self, x: float, y: float, radius: float, colour: str, edge: str) -> None:
        around = [(x - radius) * SCALE, (y - radius) * SCALE, (x + radius) * SCALE, (y + radius) * SCALE]
        self._draw.ellipse(around, fill=colour, outline=edge, width=2 * SCALE)

    def text(self, x: float, y: float, words: str, size: float, colour: str = TEXT, *, anchor: str = "ls") -> None:
        self._draw.text((x * SCALE, y * SCALE), words, fill=colour, font=self._font(size), anchor=anchor)

    def bold(self, x: float, y: float, words: str, size: float, colour: str = TEXT, *, anchor: str = "ls") -> None:
        """Pillow's own typeface has one weight; a thin edge in the same colour makes it the next."""
        self._draw.text(
            (x * SCALE, y * SCALE), words, fill=colour, font=self._font(size), anchor=anchor,
            stroke_width=SCALE / 2, stroke_fill=colour,
        )  # fmt: skip

    def width(self, words: str, size: float) -> float:
        return float(self._draw.textlength(words, font=self._font(size))) / SCALE

    def _font(self, size: float) -> Any:
        from PIL import ImageFont

        if size not in self._fonts:
            self._fonts[size] = ImageFont.load_default(size * SCALE)
        return self._fonts[size]


def _draw_quality(pen: _Pen, left: float, top: float, right: float, bottom: float, versions: Sequence[Bar]) -> None:
    """A bar a version; a mark on it where popularity stands, and one where the version stands that was live then."""
    pen.box(left, top, right, bottom, PANEL, 16)
    pen.bold(left + 28, top + 46, "Finds what members like", 27)
    pen.text(left + 28, top + 76, "NDCG@10 on interactions that no version has learned from", 20, FAINT)
    first, last = left + 28, right - 110
    most = max((value for one in versions for value in _values(one)), default=0.0) or 1.0
    for place, one in enumerate(versions):
        y = top + HEAD + place * ROW + 26
        colour = COLOURS[one.role]
        pen.text(first, y + 6, one.name, 22)
        pen.text(last, y + 6, one.role, 22, colour, anchor="rs")
        pen.box(first, y + 18, last, y + 44, TRACK, 8)
        score = one.report["ndcg_at_10"]["model"]
        if score is None:
            pen.text(first + 12, y + 38, "nothing could be measured", 19, FAINT)
            continue
        pen.box(first, y + 18, first + (last - first) * score / most, y + 44, colour, 8)
        pen.bold(right - 24, y + 40, f"{score:.3f}", 26, anchor="rs")
        for value, mark in ((_popular(one), TEXT), (_live_then(one), LIVE)):
            if value is not None:
                x = first + (last - first) * value / most
                pen.box(x - 4, y + 12, x + 4, y + 50, BACKGROUND, 3)
                pen.box(x - 2, y + 13, x + 2, y + 49, mark, 2)
    y = bottom - 24
    x = first
    marks = [("what is popular", TEXT)]
    if any(_live_then(one) is not None for one in versions):
        marks.append(("the version that was live then", LIVE))
    for words, mark in marks:
        pen.box(x, y - 18, x + 4, y + 4, mark, 2)
        pen.text(x + 14, y, words, 20, FAINT)
        x += 14 + pen.width(words, 20) + 34


def _draw_collapse(
    pen: _Pen, left: float, top: float, right: float, bottom: float, versions: Sequence[Bar], thresholds: Thresholds
) -> None:
    """Four scales with what is too little in red, and a dot on each for the live and the newest refused version."""
    pen.box(left, top, right, bottom, PANEL, 16)
    pen.bold(left + 28, top + 46, "Gives everybody their own", 27)
    pen.text(left + 28, top + 76, "red: collapsed, the same for all", 20, FAINT)
    chosen = [next((one for one in versions if one.role == role), None) for role in ("live", "refused")]
    step = min(110.0, (bottom - top - HEAD - 10) / len(_SCALES))
    for place, (words, end, threshold, measured) in enumerate(_SCALES):
        y = top + HEAD + place * step + 24
        first, last = left + 28, right - 28
        pen.text(first, y + 4, words, 22)
        x = last
        pen.box(first, y + 24, last, y + 36, TRACK, 6)
        limit = getattr(thresholds, threshold) / end
        pen.box(first, y + 24, first + (last - first) * min(1.0, limit), y + 36, FORBIDDEN, 6)
        for one in chosen:
            value = None if one is None else measured(one.report)
            if one is not None and value is not None:
                pen.dot(first + (last - first) * min(1.0, max(0.0, value / end)), y + 30, 11, COLOURS[one.role], PANEL)
                pen.text(x, y + 4, f"{value:.2f}", 20, COLOURS[one.role], anchor="rs")
                x -= 56


def _values(one: Bar) -> list[float]:
    found = (one.report["ndcg_at_10"]["model"], _popular(one), _live_then(one))
    return [value for value in found if value is not None]


def _popular(one: Bar) -> float | None:
    value: float | None = one.report["ndcg_at_10"]["popularity"]
    return value


def _live_then(one: Bar) -> float | None:
    beside = one.report.get("beside_live")
    return None if beside is None else beside["live"]


def _share(report: Mapping[str, Any]) -> float | None:
    return distinct_share(report) if report["lists"] else None


def _coverage(report: Mapping[str, Any]) -> float | None:
    return coverage_reached(report) if report.get("coverage") is not None else None


# Words, the scale's end, the threshold, and the measure.
_SCALES: tuple[tuple[str, float, str, Any], ...] = (
    ("Different lists", 1.0, "distinct", _share),
    ("Distance of members", 1.0, "distance", lambda report: report.get("inter_member_distance")),
    ("Tracks that are used", 1.0, "coverage", _coverage),
    ("Spread of the matches", 0.5, "spread", lambda report: report.get("spread")),
)
