"""Palette images are expanded by GDAL, with alpha, mask and nodata."""

import numpy as np
import pytest
import rasterio
import rioxarray

import hsi_xr
from hsi_xr.errors import BandMismatch
from tests.scenes import GRID, UTM, save

ROWS, COLUMNS = 21, 34
TABLE = {i: (16 * i, 15 * i, 9 * i, 255) for i in range(16)}


def palette(path, table=TABLE, **profile):
    indices = (np.arange(ROWS * COLUMNS).reshape(1, ROWS, COLUMNS) % 16).astype("uint8")
    size = {"count": 1, "height": ROWS, "width": COLUMNS, "dtype": "uint8"}
    with rasterio.open(path, "w", **size, crs=UTM, transform=GRID, **profile) as file:
        file.write(indices)
        file.write_colormap(1, table)
    colours = np.array([table[i] for i in range(16)], "uint8")[indices[0]].transpose(2, 0, 1)
    return indices[0], colours


def test_a_palette_gives_the_cube_of_its_colours(tmp_path):
    _, colours = palette(tmp_path / "palette.tif")
    save(tmp_path / "colours.tif", colours[:3])
    found, expected = (
        hsi_xr.reconstruct(tmp_path / name).reflectance.compute()
        for name in ("palette.tif", "colours.tif")
    )
    np.testing.assert_array_equal(found, expected)
    assert found.rio.crs == expected.rio.crs


@pytest.mark.parametrize("kind", ["nodata", "alpha", "mask"])
def test_pixels_without_a_colour_are_invalid(tmp_path, kind):
    path = tmp_path / ("palette.png" if kind == "alpha" else "palette.tif")
    table = {**TABLE, 3: (*TABLE[3][:3], 0)} if kind == "alpha" else TABLE
    indices, _ = palette(path, table, **({"nodata": 3} if kind == "nodata" else {}))
    if kind == "mask":
        with rasterio.open(path, "r+") as file:
            file.write_mask(indices != 3)
    found = hsi_xr.open(path)
    np.testing.assert_array_equal(np.isnan(found), np.broadcast_to(indices == 3, found.shape))


def test_an_array_of_indices_is_refused_with_the_repair(tmp_path):
    palette(tmp_path / "palette.tif")
    with pytest.raises(BandMismatch, match=r"palette.*pass its path.*gdal_translate -expand rgb"):
        hsi_xr.plan(rioxarray.open_rasterio(tmp_path / "palette.tif"))
