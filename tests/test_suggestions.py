"""Suggestions for misspelt names."""

import pytest

from hsi_xr.errors import UnknownName
from hsi_xr.suggestions import did_you_mean, unknown_name

NAMES = ["mst_plus_plus", "awan", "Sentinel-2A", "Sentinel-2B"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("awam", "did you mean 'awan'? "),
        ("MST plus-plus", "did you mean 'mst_plus_plus'? "),
        ("sentinel-2", "did you mean 'Sentinel-2B' or 'Sentinel-2A'? "),
        ("nothing like it", ""),
    ],
)
def test_similar_names_are_suggested_in_their_exact_spelling(name, words):
    assert did_you_mean(name, NAMES, closest=2) == words


def test_the_error_for_an_unknown_name_lists_the_known_ones():
    error = unknown_name("system", "awam", NAMES)
    assert isinstance(error, UnknownName)
    assert str(error) == (
        "no system is called 'awam'; did you mean 'awan'? "
        "known: Sentinel-2A, Sentinel-2B, awan, mst_plus_plus"
    )


def test_a_long_list_of_known_names_is_truncated():
    known = [f"scene {number:03}" for number in range(950)]
    message = str(unknown_name("scene", "x", known))
    assert message.endswith(", scene 015, ...")
