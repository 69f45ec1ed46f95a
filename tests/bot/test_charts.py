"""The picture in /model status: a PNG of a fixed width that shows each version, whatever was measured of it."""

import io

import pytest
from PIL import Image, ImageColor

from bot.charts import COLOURS, FORBIDDEN, MOST, WIDTH, Bar, model_picture
from bot.services.gate import DEFAULTS, Thresholds
from tests.bot.models import REPORT

BESIDE = {"members": 5, "model": 0.2, "live": 0.3, "difference": {"mean": -0.1, "standard_error": 0.02}}


def drawn(bars, thresholds=DEFAULTS):
    image = Image.open(io.BytesIO(model_picture(bars, thresholds)))
    image.load()
    assert image.format == "PNG"
    assert image.width == WIDTH
    return image


def area(image, colour):
    """How many pixels have exactly this colour."""
    wanted = ImageColor.getrgb(colour)
    return sum(count for count, found in image.getcolors(2**24) if found == wanted)


def test_a_bar_is_as_long_as_the_version_is_good():
    half = REPORT | {"ndcg_at_10": {"model": 0.15, "popularity": 0.0}}
    whole = REPORT | {"ndcg_at_10": {"model": 0.3, "popularity": 0.0}}
    image = drawn([Bar("new", "refused", half), Bar("old", "earlier", whole)])
    short, long = area(image, COLOURS["refused"]), area(image, COLOURS["earlier"])
    assert 0.4 * long < short < 0.75 * long  # the dots on the scales have the colour too


def test_what_is_below_a_threshold_is_shown():
    bars = [Bar("new", "live", REPORT)]
    little, much = (drawn(bars, Thresholds(*[share] * 4)) for share in (0.1, 0.4))
    assert area(much, FORBIDDEN) > 3 * area(little, FORBIDDEN)


@pytest.mark.parametrize("count", [1, MOST, MOST + 3])
def test_so_many_versions_find_room(count):
    image = drawn([Bar(f"27 Nov, 15:3{number} · 0c4b447e", "live", REPORT) for number in range(count)])
    assert image.height <= 700


@pytest.mark.parametrize(
    "report",
    [
        REPORT | {"beside_live": BESIDE},
        REPORT | {"ndcg_at_10": {"model": None, "popularity": None}},
        REPORT | {"ndcg_at_10": {"model": 0.0, "popularity": 0.0}},
        REPORT | {"lists": 0, "coverage": None, "spread": None, "inter_member_distance": None},
        {name: value for name, value in REPORT.items() if name not in ("coverage", "spread", "beside_live")},
    ],
)
def test_whatever_could_be_measured(report):
    drawn([Bar("a version", role, report) for role in COLOURS])
