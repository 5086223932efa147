"""Products in QGIS: added to a map, displayed, identified."""

import re

import numpy as np
import pytest

import hsi_xr
from tests.gis.conftest import FORMATS, STEP

pytestmark = pytest.mark.qgis
EACH = pytest.mark.parametrize("name", FORMATS.values())
STORED = 1e-4


@EACH
def test_every_band_has_its_wavelength(in_qgis, name):
    centres, widths = in_qgis.cube.wavelength.values, in_qgis.cube.fwhm.values
    raster = in_qgis.rasters[name]
    assert raster["crs"] == "EPSG:32633"
    assert raster["names"] == [f"Band {n:02}: {nm:g} nm" for n, nm in enumerate(centres, start=1)]
    for key, values in {"wavelength": centres, "fwhm": widths}.items():
        stated = [float(text) for text in re.findall(rf"\b{key}=([\d.]+)<", raster["information"])]
        np.testing.assert_allclose(stated, values, rtol=1e-9)
    assert raster["information"].count("wavelength_units=Nanometers<") >= len(centres)


@EACH
def test_identify_returns_reflectance_and_nothing_for_nodata(in_qgis, name):
    diagonal = np.arange(0, min(in_qgis.cube.sizes["y"], in_qgis.cube.sizes["x"]), STEP)
    expected = in_qgis.cube.reflectance.values[:, diagonal, diagonal].T
    identified = np.array(in_qgis.rasters[name]["identified"], dtype=float)
    assert np.isnan(expected).any()
    np.testing.assert_allclose(identified, expected, atol=0.51 * STORED)


@EACH
def test_it_opens_in_natural_colour(in_qgis, name):
    """The channels are bands of their colours, on one scale, with a gamma for display."""
    raster, centres = in_qgis.rasters[name], in_qgis.cube.wavelength.values
    bands = [int(np.abs(centres - nm).argmin()) for nm in (650, 550, 450)]
    assert raster["displayed"] == [band + 1 for band in bands]
    assert raster["black"] == [0, 0, 0]
    (white,) = set(raster["white"])
    displayed = in_qgis.cube.reflectance.values[bands]
    valid = np.isfinite(displayed).all(axis=0)
    displayed, colours = displayed[:, valid], in_qgis.drawn(name)[:3, valid]
    assert 0.95 < (displayed <= white).mean() < 1
    linear = 255 * (displayed / white).clip(0, 1)
    # rounded to the steps of the file, to 1/255, through the gamma curve, and to 1/255 again
    least, most = (255 * ((linear + off).clip(0, 255) / 255) ** (1 / 2.2) for off in (-1.5, 1.5))
    assert (colours >= least - 1).all()
    assert (colours <= most + 1).all()


@EACH
def test_nodata_is_transparent(in_qgis, name):
    missing = np.isnan(in_qgis.cube.reflectance.values).any(axis=0)
    np.testing.assert_array_equal(in_qgis.drawn(name)[3], np.where(missing, 0, 255))


def test_overviews_of_a_cog_are_found(in_qgis):
    assert [in_qgis.rasters[name]["levels"] for name in FORMATS.values()] == [1, 0, 0]


def test_uncertainty_has_the_same_band_names(in_qgis):
    raster, diagonal = in_qgis.rasters["cog_std.tif"], np.arange(0, 301, STEP)
    assert raster["names"] == in_qgis.rasters["cog.tif"]["names"]
    identified = np.array(raster["identified"], dtype=float)
    expected = in_qgis.cube.reflectance_std.values[:, diagonal, diagonal].T
    np.testing.assert_allclose(identified, expected, atol=0.51 * STORED)


def test_opening_products_in_qgis_leaves_them_valid(in_qgis, products):
    """QGIS writes statistics to a sidecar file, for ENVI to the one that has our tags."""
    assert (products / "cog.tif.aux.xml").exists()
    assert "STATISTICS" in (products / "envi.img.aux.xml").read_text()
    assert hsi_xr.validate(products).findings == []
    for name in FORMATS.values():
        product = hsi_xr.open(products / name)
        np.testing.assert_array_equal(product.wavelength, in_qgis.cube.wavelength)
        np.testing.assert_array_equal(product.fwhm, in_qgis.cube.fwhm)
        np.testing.assert_allclose(product, in_qgis.cube.reflectance, atol=0.51 * STORED)
        assert product.attrs["hsi_xr_model"] == "none"
        assert not any("STATISTICS" in key for key in product.attrs)
