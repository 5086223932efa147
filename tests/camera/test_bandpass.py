"""Measured and nominal responses of named sensors."""

import csv

import numpy as np
import pytest

from hsi_xr.camera.bandpass import CURVES, TABLE, gaussians, measured, published
from hsi_xr.camera.spectral_response import SpectralResponse
from hsi_xr.checkpoints import registry


def _bands_of(table):
    with table.open(newline="") as lines:
        rows = csv.DictReader(line for line in lines if not line.startswith("#"))
        return {(row["sensor"], row["band"]) for row in rows}


NOMINAL, MEASURED = _bands_of(TABLE), _bands_of(CURVES)


@pytest.mark.parametrize(("sensor", "band"), sorted(NOMINAL & MEASURED))
def test_published_centre_and_width_agree_with_the_measured_curve(sensor, band):
    one = published()[sensor].select([published()[sensor].names.index(band)])
    found = measured(one.names, one.wavelengths, one.curves, sensor)
    gaussian = gaussians(one.names, one.bands)
    own = measured(one.names, gaussian.wavelengths, gaussian.curves, sensor)
    np.testing.assert_allclose(found.bands.centres, own.bands.centres, atol=2.5)
    np.testing.assert_allclose(found.bands.widths, own.bands.widths, atol=2.5)


@pytest.mark.parametrize("sensor", sorted(published()))
def test_each_band_has_its_own_source_and_a_maximum_of_one(sensor):
    own = published()[sensor]
    np.testing.assert_allclose(own.curves.max(1), 1, atol=2e-3)
    assert (own.curves >= 0).all() and (np.diff(own.bands.centres) > 0).all()
    for name, source in zip(own.names, own.sources, strict=True):
        expected = "measured: " if (sensor, name) in MEASURED else "nominal: "
        assert source.startswith(expected)


def test_sensors_of_both_tables_have_the_names_of_the_first():
    for sensor in {name for name, _ in NOMINAL}:
        assert {*published()[sensor].names} == {b for name, b in NOMINAL if name == sensor}


def test_the_source_names_bands_only_if_it_differs_between_them():
    own = published()["landsat-8-oli"]
    assert own.source.startswith("B1, B2, B3, B8, B4, B5: measured: pyrsr 0.8.0; B9, B6, B7: nom")
    assert own.select([1, 2, 4]).source == "measured: pyrsr 0.8.0"


def test_a_response_states_the_source_of_the_channels_in_use():
    grid = registry.find("visible-infrared").bands
    assert SpectralResponse.of("sentinel-2a", grid).source == "measured: pyrsr 0.8.0"
    assert SpectralResponse.of("sentinel-2c", grid).source.startswith("nominal: ")
    assert SpectralResponse.of("Canon_EOS_R5".lower().replace("_", "-"), grid).source == ""
