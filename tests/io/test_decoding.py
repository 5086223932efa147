"""Nodata, scale and offset have one rule for every type of values and every reader."""

import numpy as np
import pytest

from hsi_xr.io.band_facts import BandFacts
from hsi_xr.io.decoding import decode

COLLAR, SHADOW, PLAIN = (0, 0), (1, 2), (3, 4)
"""Pixels whose bands all have the nodata value, of which one has it, and of which none has."""


def image(dtype, nodata):
    pixels = np.full((3, 5, 7), 40, dtype)
    pixels[:, *COLLAR] = nodata
    pixels[2, *SHADOW] = nodata
    return pixels


def facts(dtype, nodata, **scaling):
    return [BandFacts(dtype, nodata=nodata, **scaling)] * 3


def masked(stored, nodata, scale=1.0, offset=0.0):
    """As a reader masks: band by band, and then scales."""
    return np.where(stored == nodata, np.nan, stored.astype("float32") * scale + offset)


@pytest.mark.parametrize(
    ("dtype", "nodata", "shadow_is_valid"),
    [
        ("uint8", 0, True),
        ("uint8", 255, True),
        ("uint16", 65535, True),
        ("int16", 0, True),
        ("float32", 0, True),
        ("int16", -9999, False),
        ("int16", 32767, False),
        ("float32", -9999, False),
        ("float32", 3.4e38, False),
    ],
)
def test_a_value_that_can_be_a_colour_counts_only_in_all_bands(dtype, nodata, shadow_is_valid):
    stored = image(dtype, nodata)
    found = decode(stored, facts(dtype, nodata))
    assert np.isnan(found[:, *COLLAR]).all()
    assert np.isfinite(found[:, *PLAIN]).all()
    shadow = found[:, *SHADOW]
    assert (shadow == stored[:, *SHADOW]).all() if shadow_is_valid else np.isnan(shadow).all()


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", 0), ("uint16", 65535), ("int16", -9999)])
@pytest.mark.parametrize("scaling", [{}, {"scale": 1e-4, "offset": -0.1}])
def test_masked_and_decoded_values_equal_the_stored_ones(dtype, nodata, scaling):
    stored, bands = image(dtype, nodata), facts(dtype, nodata, **scaling)
    expected = decode(stored, bands)
    np.testing.assert_allclose(decode(masked(stored, nodata), bands, state="masked"), expected)
    values = masked(stored, nodata, *scaling.values()).astype("float32")
    np.testing.assert_allclose(
        decode(values, bands, state="decoded"), expected, rtol=1e-5, atol=1e-7
    )


def test_each_band_has_its_own_nodata_scale_and_offset():
    stored = np.array([[[1, 9, 5]], [[2, 2, 5]], [[3, 3, 3]]], "int16")
    bands = [
        BandFacts("int16", nodata=-1, scale=0.5),
        BandFacts("int16", nodata=-2, offset=1),
        BandFacts("int16", nodata=-3),
    ]
    stored[1, 0, 1] = -2
    found = decode(stored, bands)
    np.testing.assert_array_equal(found[:, 0, 0], [0.5, 3, 3])
    assert np.isnan(found[:, 0, 1]).all()
    np.testing.assert_array_equal(found[:, 0, 2], [2.5, 6, 3])


def test_nan_and_infinity_in_one_band_invalidate_a_pixel():
    stored = np.ones((3, 2, 3), "float64")
    stored[0, 0, 0], stored[1, 0, 1], stored[2, 0, 2] = np.nan, np.inf, 1e300
    found = decode(stored, facts("float64", None))
    assert np.isnan(found[:, 0]).all() and np.isfinite(found[:, 1]).all()


def test_a_nodata_value_that_the_type_cannot_hold_marks_nothing():
    assert np.isfinite(decode(image("uint8", 0), facts("uint8", -9999))).all()


def test_a_mask_applies_to_every_band():
    valid = np.ones((5, 7), bool)
    valid[PLAIN] = False
    found = decode(image("uint8", 7), facts("uint8", None), valid)
    assert np.isnan(found[:, *PLAIN]).all() and np.isfinite(found[:, *COLLAR]).all()
