"""The extent of a collection, wherever on Earth its items are, and if their location is unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsi_xr.stac.collection import collection, extent

spans = st.tuples(st.integers(-1799, 1799), st.integers(1, 300)).map(
    lambda span: (span[0] / 10, ((span[0] + span[1] + 1800) % 3600 - 1800) / 10)
)
"""West and east, where an item may cross the antimeridian."""


def item(box, **times):
    return {
        "id": "a",
        "bbox": box,
        "properties": {"datetime": "2026-05-04T10:30:00Z", **times},
        "assets": {},
    }


def covers(whole, part) -> bool:
    """True if a span of longitudes, from west eastwards, is within another."""
    width, start, end = ((east - whole[0]) % 360 for east in (whole[1], part[0], part[1]))
    return start <= end + 1e-9 <= width + 2e-9 or whole == (-180, 180)


@given(st.lists(spans, min_size=1, max_size=5))
def test_the_extent_covers_every_item_and_is_the_shortest_way_around(boxes):
    (box,) = extent([item([west, -10, east, 20]) for west, east in boxes])["spatial"]["bbox"]
    assert (box[1], box[3]) == (-10, 20)
    assert all(covers((box[0], box[2]), span) for span in boxes)
    ends = {west for west, _ in boxes}, {east for _, east in boxes}
    if (box[0], box[2]) != (-180, 180):
        assert box[0] in ends[0] and box[2] in ends[1]
        width = (box[2] - box[0]) % 360
        others = [(w, e) for w in ends[0] for e in ends[1] if (e - w) % 360 < width - 1e-6]
        assert not any(all(covers(other, span) for span in boxes) for other in others)


@pytest.mark.parametrize(
    ("boxes", "union"),
    [
        ([[14, 46, 15, 47]], [14, 46, 15, 47]),
        ([[179, -1, -179, 1], [-178, 0, -177, 3]], [179, -1, -177, 3]),
        ([[-180, 0, -179, 1], [179, 0, 180, 1]], [179, 0, -179, 1]),
        ([[14, 46, 0, 15, 47, 900]], [14, 46, 15, 47]),
    ],
)
def test_the_extent_of_boxes(boxes, union):
    assert extent([item(box) for box in boxes])["spatial"]["bbox"] == [union]


def test_the_interval_covers_all_acquisition_times():
    between = {"start_datetime": "2026-05-01T00:00:00Z", "end_datetime": "2026-05-09T00:00:00Z"}
    interval = extent([item(None), item(None, datetime=None, **between)])
    assert interval["temporal"]["interval"] == [["2026-05-01T00:00:00Z", "2026-05-09T00:00:00Z"]]


def test_fractions_of_seconds_count_in_the_interval():
    times = ["2026-05-04T10:30:00.5Z", "2026-05-04T10:30:00Z"]
    found = extent([item(None, datetime=time) for time in times])
    assert found["temporal"]["interval"] == [times[::-1]]


def test_the_collection_states_that_locations_are_unknown():
    somewhere, nowhere = item([14, 46, 15, 47]), item(None)
    for items, words in (
        ({"a": somewhere}, None),
        ({"a": nowhere}, "the whole Earth"),
        ({"a": nowhere, "b": somewhere}, "The location of 1 is unknown"),
    ):
        text = collection(items, id="a")["description"]
        assert ("unknown;" in text or "unknown," in text) is (words is not None)
        assert words is None or words in text
