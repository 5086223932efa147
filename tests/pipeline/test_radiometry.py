"""The radiometry is resolved once, and never guessed where a guess could be wrong."""

import numpy as np
import pytest

from hsi_xr.errors import MissingFact, UnknownName, UsageError
from hsi_xr.io.band_facts import BandFacts
from hsi_xr.pipeline.radiometry import Radiometry, resolve_radiometry


def bands(dtype, **facts):
    return [BandFacts(dtype, **facts)] * 3


def test_eight_bit_images_are_srgb():
    assert resolve_radiometry(bands("uint8")) == Radiometry("srgb", 1 / 255)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_other_types_need_a_radiometry(dtype):
    with pytest.raises(MissingFact, match="radiometry"):
        resolve_radiometry(bands(dtype))


def test_a_stated_scale_means_reflectance_and_has_been_applied_by_the_reader():
    found = resolve_radiometry(bands("int16", scale=1e-4, offset=-0.1))
    assert found == Radiometry("reflectance", 1.0)
    assert (found.stored_scale, found.stored_offset) == (1e-4, -0.1)
    assert str(found) == "reflectance, scale 0.0001, offset -0.1 (stated by the file)"


@pytest.mark.parametrize(
    "stated", [{"scale": 1e-4}, {"offset": -0.1}, {"scale": 1e-4 * (1 + 1e-8)}]
)
def test_a_scale_that_is_stated_twice_is_applied_once(stated):
    found = resolve_radiometry(bands("uint16", scale=1e-4, offset=-0.1), **stated)
    assert (found.scale, found.offset) == (1.0, 0.0)


@pytest.mark.parametrize(
    "stated", [{"scale": 1e-3}, {"offset": 0.0}, {"scale": 1e-4, "offset": 0.1}]
)
def test_a_contradiction_of_what_the_file_states_is_refused(stated):
    with pytest.raises(UsageError, match=r"contradicts scale 0.0001 and offset -0.1.*omit scale="):
        resolve_radiometry(bands("uint16", scale=1e-4, offset=-0.1), **stated)


def test_an_offset_is_added_after_the_scale():
    found = resolve_radiometry(
        bands("uint16"), radiometry="reflectance", scale=2.75e-5, offset=-0.2
    )
    stored = np.array([7273, 10_909, 43_636], dtype="float32")
    np.testing.assert_allclose(found.linear(stored), [0, 0.1, 1], atol=2e-5)


@pytest.mark.parametrize(("dtype", "kind"), [("uint16", "linear"), ("uint8", "reflectance")])
def test_integers_need_a_scale_unless_it_is_obvious(dtype, kind):
    with pytest.raises(MissingFact, match="scale"):
        resolve_radiometry(bands(dtype), radiometry=kind)
    assert resolve_radiometry(bands(dtype), radiometry=kind, scale=1e-4).scale == 1e-4


def test_unknown_kinds_and_impossible_scales_are_rejected():
    with pytest.raises(UnknownName, match="srgb, linear, reflectance"):
        resolve_radiometry(bands("uint8"), radiometry="gamma")
    for scale in (0.0, -1.0, float("nan")):
        with pytest.raises(MissingFact):
            resolve_radiometry(bands("uint8"), radiometry="linear", scale=scale)


def test_srgb_is_decoded_as_in_its_standard():
    """IEC 61966-2-1: the value 0.5 is 0.21404 of the light of white; the toe is linear."""
    coded = np.array([0, 2, 10, 127.5, 255], dtype="float32")
    wanted = [0, 2 / 255 / 12.92, 10 / 255 / 12.92, 0.214041, 1]
    np.testing.assert_allclose(Radiometry("srgb", 1 / 255).linear(coded), wanted, rtol=1e-4)


def test_nan_stays_nan_and_negative_values_become_zero():
    found = Radiometry("reflectance", 0.5).linear(np.array([np.nan, -0.1, 0.8], dtype="float32"))
    assert np.isnan(found[0]) and found[1] == 0 and found[2] == np.float32(0.4)
