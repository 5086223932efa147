"""The radiometry is resolved once, and never guessed where a guess could be wrong."""

import numpy as np
import pytest

from hsi_xr.errors import MissingFact, UnknownName
from hsi_xr.pipeline.radiometry import Radiometry, resolve_radiometry


def test_eight_bit_images_are_srgb():
    assert resolve_radiometry("uint8", radiometry=None, scale=None) == Radiometry("srgb", 1 / 255)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_other_types_need_a_radiometry(dtype):
    with pytest.raises(MissingFact, match="radiometry"):
        resolve_radiometry(dtype, radiometry=None, scale=None)


def test_the_file_may_state_the_radiometry():
    assert resolve_radiometry(
        "int16", radiometry=None, scale=None, stated="reflectance"
    ) == Radiometry("reflectance", 1.0)


@pytest.mark.parametrize(("dtype", "kind"), [("uint16", "linear"), ("uint8", "reflectance")])
def test_integers_need_a_scale_unless_it_is_obvious(dtype, kind):
    with pytest.raises(MissingFact, match="scale"):
        resolve_radiometry(dtype, radiometry=kind, scale=None)
    assert resolve_radiometry(dtype, radiometry=kind, scale=1e-4).scale == 1e-4


def test_unknown_kinds_and_impossible_scales_are_rejected():
    with pytest.raises(UnknownName, match="srgb, linear, reflectance"):
        resolve_radiometry("uint8", radiometry="gamma", scale=None)
    for scale in (0.0, -1.0, float("nan")):
        with pytest.raises(MissingFact):
            resolve_radiometry("uint8", radiometry="linear", scale=scale)


def test_srgb_is_decoded_as_in_its_standard():
    """IEC 61966-2-1: the value 0.5 is 0.21404 of the light of white; the toe is linear."""
    coded = np.array([0, 2, 10, 127.5, 255], dtype="float32")
    wanted = [0, 2 / 255 / 12.92, 10 / 255 / 12.92, 0.214041, 1]
    np.testing.assert_allclose(Radiometry("srgb", 1 / 255).linear(coded), wanted, rtol=1e-4)


def test_nan_stays_nan_and_negative_values_become_zero():
    found = Radiometry("reflectance", 0.5).linear(np.array([np.nan, -0.1, 0.8], dtype="float32"))
    assert np.isnan(found[0]) and found[1] == 0 and found[2] == np.float32(0.4)
