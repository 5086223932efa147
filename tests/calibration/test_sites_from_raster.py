import numpy as np
import pytest
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from hsi_xr.band_grid import Bands
from hsi_xr.calibration.sites import box_means
from hsi_xr.calibration.sites_from_raster import sites_from_raster
from hsi_xr.errors import BandMismatch, InvalidData, MissingFact, UsageError
from hsi_xr.io.georef import coordinates
from tests.calibration.ground import GRID, UTM, cube

BANDS = Bands.regular(400, 700, 10)
COARSE = GRID @ Affine.translation(-3, 2) @ Affine.scale(8, 5)
"""Pixels of 8 columns by 5 rows of the cube; the first one is partly outside."""


def product(shape=(9, 10), *, transform=COARSE, crs=UTM, **coords) -> xr.DataArray:
    """Four bands, not in order; the first and the last are outside the range of the cube."""
    values = np.random.default_rng(1).uniform(0.1, 0.4, (4, *shape))
    known = {"wavelength": [833.0, 664.6, 492.4, 1610.0], "fwhm": [106.0, 31.0, 66.0, 90.0]}
    bands = {n: ("band", values) for n, values in {**known, **coords}.items() if values is not None}
    grid = coordinates(transform, crs, shape)
    return xr.DataArray(values, dims=("band", "y", "x"), coords={**bands, **grid})


def sites(array: xr.DataArray, scale: float = 1.0):
    return sites_from_raster(array, cube()["reflectance"], BANDS, scale)


def test_the_cube_is_averaged_over_each_pixel_of_the_product():
    array, dataset = product(), cube()
    selected = sites(array)
    assert len(selected) == 9 * 9  # rows 2 to 47 of 61; the first of ten columns is outside
    site = next(s for s in selected if s.name == "pixel 3, 6")
    assert site.spectrum.bands.centres == (492.4, 664.6)
    np.testing.assert_array_equal(site.spectrum.values, array[[2, 1], 3, 6])
    np.testing.assert_allclose((site.x, site.y), COARSE @ (6.5, 3.5))
    expected = dataset["reflectance"][:, 17:22, 45:53].mean(("y", "x"))
    np.testing.assert_allclose(
        box_means(dataset["reflectance"], [site.box])[0], expected, rtol=1e-5
    )


def test_a_south_up_product_gives_the_same_sites():
    array = product()
    up = array.isel(y=slice(None, None, -1))
    by_position = {(round(s.x, 3), round(s.y, 3)): s for s in sites(up)}
    for site in sites(array):
        other = by_position[round(site.x, 3), round(site.y, 3)]
        np.testing.assert_allclose(
            (other.box.top, other.box.left), (site.box.top, site.box.left), atol=1e-6
        )
        np.testing.assert_array_equal(other.spectrum.values, site.spectrum.values)


def test_pixels_without_data_are_omitted():
    array = product()
    array[1, 2, 5], array[2, 4, 7], array[0, 1, 1] = np.nan, 0, np.nan
    names = {site.name for site in sites(array)}
    assert not {"pixel 2, 5", "pixel 4, 7"} & names
    assert "pixel 1, 1" in names  # nodata at 833 nm does not matter


def test_many_pixels_are_subsampled_across_the_cube():
    fine = product((60, 40), transform=GRID @ Affine.scale(2, 1))
    selected = sites(fine)
    assert 25 <= len(selected) <= 100
    rows, columns = ([getattr(s.box, side) for s in selected] for side in ("top", "left"))
    assert (min(rows) < 6 and max(rows) > 54) and (min(columns) < 9 and max(columns) > 70)


@pytest.mark.parametrize(
    ("array", "error", "words"),
    [
        (product(crs=CRS.from_epsg(32634)), InvalidData, "reproject"),
        (product(transform=GRID @ Affine.scale(0.5)), InvalidData, "coarsen"),
        (
            product(transform=GRID @ Affine.translation(500, 0) @ Affine.scale(8)),
            UsageError,
            "entirely on the cube",
        ),
        (product((1, 1), transform=GRID @ Affine.scale(300)), UsageError, "smaller than the cube"),
        (product(wavelength=None), MissingFact, "known-bands"),
        (product(fwhm=None), MissingFact, "widths"),
        (product(wavelength=[833, 900, 1610, 2190]), BandMismatch, "833 to 2190"),
        (product(wavelength=[0.83, 0.66, 0.49, 1.61]), InvalidData, "in nm"),
        (1e4 * product(), InvalidData, "scale=1e-4"),
        (product() * np.nan, InvalidData, "no pixel"),
        (product().rename(y="latitude"), InvalidData, "latitude"),
    ],
)
def test_products_that_cannot_be_compared_are_refused_with_a_repair(array, error, words):
    with pytest.raises(error, match=words):
        sites(array)


def test_stored_integers_are_scaled_to_reflectance():
    np.testing.assert_allclose(
        sites(1e4 * product(), 1e-4)[0].spectrum.values, sites(product())[0].spectrum.values
    )
