"""Products as a user of QGIS meets them: dropped into the map, looked at, clicked on."""

import re

import numpy as np
import pytest

import hsi_xr
from tests.gis.conftest import FORMATS, STEP

pytestmark = pytest.mark.qgis
EACH = pytest.mark.parametrize("name", FORMATS.values())
STORED = 1e-4


@EACH
def test_every_band_bears_its_wavelength(seen, name):
    centres, widths = seen.cube.wavelength.values, seen.cube.fwhm.values
    about = seen.rasters[name]
    assert about["crs"] == "EPSG:32633"
    assert about["names"] == [f"Band {n:02}: {nm:g} nm" for n, nm in enumerate(centres, start=1)]
    for key, values in {"wavelength": centres, "fwhm": widths}.items():
        told = [float(text) for text in re.findall(rf"\b{key}=([\d.]+)<", about["information"])]
        np.testing.assert_allclose(told, values, rtol=1e-9)
    assert about["information"].count("wavelength_units=Nanometers<") >= len(centres)


@EACH
def test_clicking_gives_reflectance_and_nothing_where_nothing_is(seen, name):
    diagonal = np.arange(0, min(seen.cube.sizes["y"], seen.cube.sizes["x"]), STEP)
    expected = seen.cube.reflectance.values[:, diagonal, diagonal].T
    told = np.array(seen.rasters[name]["identified"], dtype=float)
    assert np.isnan(expected).any()
    np.testing.assert_allclose(told, expected, atol=0.51 * STORED)


@EACH
def test_it_opens_in_natural_colour(seen, name):
    """The channels are the bands of their colours, all on one scale, brightened for a screen."""
    about, centres = seen.rasters[name], seen.cube.wavelength.values
    bands = [int(np.abs(centres - nm).argmin()) for nm in (650, 550, 450)]
    assert about["shown"] == [band + 1 for band in bands]
    assert about["black"] == [0, 0, 0]
    (white,) = set(about["white"])
    shown = seen.cube.reflectance.values[bands]
    there = np.isfinite(shown).all(axis=0)
    shown, colours = shown[:, there], seen.drawn(name)[:3, there]
    assert 0.95 < (shown <= white).mean() < 1
    linear = 255 * (shown / white).clip(0, 1)
    # steps of the file, then whole ones of 255, then the curve, then whole ones again
    least, most = (255 * ((linear + off).clip(0, 255) / 255) ** (1 / 2.2) for off in (-1.5, 1.5))
    assert (colours >= least - 1).all()
    assert (colours <= most + 1).all()


@EACH
def test_what_has_no_data_is_transparent(seen, name):
    missing = np.isnan(seen.cube.reflectance.values).any(axis=0)
    np.testing.assert_array_equal(seen.drawn(name)[3], np.where(missing, 0, 255))


def test_overviews_of_a_cog_are_found(seen):
    assert [seen.rasters[name]["levels"] for name in FORMATS.values()] == [1, 0, 0]


def test_deviations_are_told_as_such_and_by_wavelength(seen):
    about, diagonal = seen.rasters["cog_std.tif"], np.arange(0, 301, STEP)
    assert about["names"] == seen.rasters["cog.tif"]["names"]
    told = np.array(about["identified"], dtype=float)
    expected = seen.cube.reflectance_std.values[:, diagonal, diagonal].T
    np.testing.assert_allclose(told, expected, atol=0.51 * STORED)


def test_looking_leaves_products_in_order(seen, products):
    """QGIS puts statistics beside a raster, with ENVI into the file of its labels."""
    assert (products / "cog.tif.aux.xml").exists()
    assert "STATISTICS" in (products / "envi.img.aux.xml").read_text()
    assert hsi_xr.validate(products).findings == []
    for name in FORMATS.values():
        product = hsi_xr.open(products / name)
        np.testing.assert_array_equal(product.wavelength, seen.cube.wavelength)
        np.testing.assert_array_equal(product.fwhm, seen.cube.fwhm)
        np.testing.assert_allclose(product, seen.cube.reflectance, atol=0.51 * STORED)
        assert product.attrs["hsi_xr_model"] == "none"
        assert not any("STATISTICS" in key for key in product.attrs)
