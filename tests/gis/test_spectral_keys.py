"""Wavelengths are stored where each version of EnMAP-Box reads them, and agree everywhere.

Source: `RasterReader` of EnMAP-Box (enmapboxprocessing/rasterreader.py at 03ef09f and 7c797a4);
`QgsRasterLayerSpectralProperties`, behind the spectral view, in EnMAP-Box/qgispluginsupport
(qps/qgsrasterlayerproperties.py, 622bed8, 004f716 and later). The newest takes the domain IMAGERY
of a band first; all read `wavelength`, `fwhm` and `wavelength_units` from any domain of a band, in
no fixed order; the oldest fall back on lists in the dataset's domain ENVI.
"""

from collections.abc import Iterator

import numpy as np
import pytest
import rasterio

from tests.gis.conftest import FORMATS


@pytest.fixture(params=FORMATS.values())
def raster(request, products) -> Iterator[rasterio.DatasetReader]:
    with rasterio.open(products / request.param) as file:
        yield file


def stated(raster, key: str, *bands: int) -> dict[str, str]:
    """Returns domain -> value of a key, in any case, of a band or of the dataset."""
    values = {}
    for domain in {"", *raster.tag_namespaces(*bands)}:
        lower = {name.lower(): text for name, text in raster.tags(*bands, ns=domain).items()}
        values |= {domain: lower[key]} if key in lower else {}
    return values


def test_the_imagery_domain_of_each_band_has_micrometres(raster, cube):
    tags = [raster.tags(band, ns="IMAGERY") for band in raster.indexes]
    centres = [float(each["CENTRAL_WAVELENGTH_UM"]) for each in tags]
    widths = [float(each["FWHM_UM"]) for each in tags]
    np.testing.assert_allclose(centres, cube.wavelength / 1000, rtol=1e-9)
    np.testing.assert_allclose(widths, cube.fwhm / 1000, rtol=1e-9)


@pytest.mark.parametrize("key", ["wavelength", "fwhm"])
def test_all_domains_of_a_band_agree(raster, cube, key):
    for band, expected in zip(raster.indexes, cube[key].values):
        assert {*stated(raster, "wavelength_units", band).values()} == {"Nanometers"}
        values = {float(text) for text in stated(raster, key, band).values()}
        assert len(values) == 1
        np.testing.assert_allclose(values.pop(), expected, rtol=1e-9)


@pytest.mark.parametrize("key", ["wavelength", "fwhm"])
def test_the_dataset_has_them_as_lists(raster, cube, key):
    assert {*stated(raster, "wavelength_units").values()} == {"Nanometers"}
    text = stated(raster, key)["ENVI"]
    assert text[0] == "{" and text[-1] == "}"
    np.testing.assert_allclose([float(each) for each in text[1:-1].split(",")], cube[key])


def test_no_band_is_marked_bad_and_no_other_file_takes_precedence(raster, products):
    for key in ("bbl", "bad band multiplier"):
        assert not any(stated(raster, key, band) for band in raster.indexes)
        assert stated(raster, key) == {}
    assert not list(products.glob("*.stac.json"))  # these would take precedence
