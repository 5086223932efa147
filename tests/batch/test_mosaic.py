"""Tiles of one mosaic, compared with the scene that they were cut from."""

import re

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

import hsi_xr
from hsi_xr.errors import UsageError
from tests.batch.tiles import TAKEN, cut, stored
from tests.scenes import GRID, rgb_image, save

CLOSE = 1.5e-4
"""Reflectance: the engine's tolerance between tilings is 1e-4, and half a stored step adds."""


def merged(folder, shape, rows, columns):
    """Returns the products of tiles, side by side."""
    whole = np.full((31, *shape), np.nan)
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            with rasterio.open(folder / f"tile_{i}_{j}" / f"tile_{i}_{j}.tif") as src:
                part = src.read(masked=True).astype("float64").filled(np.nan) * src.scales[0]
                corner = GRID @ Affine.translation(left, top)
                assert src.transform.almost_equals(corner, 1e-6)
            whole[:, top : top + part.shape[1], left : left + part.shape[2]] = part
    return whole


@pytest.mark.parametrize("tile", [None, 64])
def test_tiles_equal_the_uncut_scene(tmp_path, tile):
    """With the default model, whose statistics are those of the scene."""
    pixels, rows, columns = rgb_image(150, 203), [0, 47], [0, 64, 131]
    cut(tmp_path / "tiles", pixels, rows, columns)
    how = hsi_xr.Conversion(
        datetime=TAKEN, as_mosaic=True, options={"tile": tile}, storage={"dtype": "float32"}
    )
    outcome = hsi_xr.convert([tmp_path / "tiles"], tmp_path / "out", how)
    assert (len(outcome.done), outcome.failures) == (6, [])
    found = merged(tmp_path / "out", (150, 203), rows, columns)
    uncut = save(tmp_path / "uncut.tif", pixels)
    expected = hsi_xr.reconstruct(hsi_xr.open(uncut), tile=tile).reflectance.values
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)
    apart = hsi_xr.reconstruct(hsi_xr.open(tmp_path / "tiles/tile_1_2.tif")).reflectance.values
    assert (
        np.abs(apart - expected[:, 47:, 131:]).max() > 10 * CLOSE
    )  # a tile converted alone differs


@pytest.mark.parametrize("blended", [False, True])
def test_blended_tiles_equal_the_uncut_scene(tmp_path, slope, blended):
    pixels, rows, columns = rgb_image(150, 203), [0, 47], [0, 64, 131]
    model = slope(pull=0.5 if blended else 0, context="tile" if blended else None)
    cut(tmp_path / "tiles", pixels, rows, columns)
    how = hsi_xr.Conversion(model=str(model), datetime=TAKEN, as_mosaic=True, options={"tile": 64})
    hsi_xr.convert([tmp_path / "tiles"], tmp_path / "out", how)
    found = merged(tmp_path / "out", (150, 203), rows, columns)
    uncut = hsi_xr.open(save(tmp_path / "uncut.tif", pixels))
    expected = hsi_xr.reconstruct(uncut, model, tile=64).reflectance.values
    np.testing.assert_allclose(found, expected.clip(max=3.2767), atol=CLOSE, rtol=0)


def transparent(path, pixels, valid, transform):
    """Write an image with an alpha band, as drone software does."""
    values = np.concatenate([pixels, 255 * valid[None].astype("uint8")])
    save(path, values, transform=transform, photometric="rgb", alpha="yes")
    with rasterio.open(path) as src:
        assert src.colorinterp[3] == ColorInterp.alpha


def masked(path, pixels, valid, transform):
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        save(path, pixels, transform=transform)
        with rasterio.open(path, "r+") as dst:
            dst.write_mask(valid)


def with_nodata(path, pixels, valid, transform):
    save(path, np.where(valid, pixels, 0).astype("uint8"), transform=transform, nodata=0)


@pytest.mark.parametrize("written", [transparent, masked, with_nodata])
def test_nodata_and_gaps_between_tiles_are_nodata(tmp_path, written, instant):
    """Two tiles with a gap between them, and holes at their edges, for each way to mark nodata."""
    pixels = rgb_image(60, 140)
    valid = np.ones((60, 140), dtype=bool)
    valid[10:25, 30:64] = valid[40:, 90:100] = False
    (tmp_path / "tiles").mkdir()
    parts = {"west": slice(0, 64), "east": slice(90, 140)}
    for name, columns in parts.items():
        transform = GRID @ Affine.translation(columns.start, 0)
        path = tmp_path / "tiles" / f"{name}.tif"
        written(path, pixels[:, :, columns], valid[:, columns], transform)
    hsi_xr.convert([tmp_path / "tiles"], tmp_path / "out", instant(as_mosaic=True, vrt=True))
    for name, columns in parts.items():
        found = stored(tmp_path / f"out/{name}/{name}.tif")
        assert ((found != -32768).all(0) == valid[:, columns]).all()
    with rasterio.open(tmp_path / "out/mosaic.vrt") as mosaic:
        assert mosaic.shape == (60, 140)
        assert not mosaic.read_masks(1)[:, 64:90].any()


def test_where_tiles_overlap_a_hole_in_one_shows_the_other(tmp_path, instant):
    pixels, whole = rgb_image(40, 90), np.ones((40, 60), dtype=bool)
    holed = whole.copy()
    holed[5:30, :20] = False
    (tmp_path / "tiles").mkdir()
    transparent(tmp_path / "tiles/a.tif", pixels[:, :, :60], whole, GRID)
    east = GRID @ Affine.translation(30, 0)
    transparent(tmp_path / "tiles/b.tif", pixels[:, :, 30:], holed, east)
    hsi_xr.convert([tmp_path / "tiles"], tmp_path / "out", instant(as_mosaic=True))
    a, b = (stored(tmp_path / f"out/{name}/{name}.tif") for name in "ab")
    assert (b != -32768).all()
    np.testing.assert_array_equal(a[:, :, 30:], b[:, :, :30])


def other_crs(path):
    save(path, rgb_image(20, 30), crs="EPSG:32634")


def other_size(path):
    save(path, rgb_image(20, 30), transform=GRID @ Affine.scale(2))


def other_type(path):
    save(path, rgb_image(20, 30).astype("float32") / 255)


def other_nodata(path):
    save(path, rgb_image(20, 30), nodata=0)


def off_grid(path):
    save(path, rgb_image(20, 30), transform=GRID @ Affine.translation(0.4, 0))


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (other_crs, "coordinate reference system.*EPSG:32634"),
        (other_size, "pixel size.*0.2"),
        (other_type, "data type.*float32"),
        (other_nodata, "nodata value.*0"),
        (off_grid, "fraction of a pixel"),
    ],
)
def test_an_image_that_does_not_fit_the_mosaic_is_refused_before_work(tiles, instant, odd, words):
    odd(tiles / "z.tif")
    how = instant(as_mosaic=True, radiometry="srgb", input_scale={"uint8": 1 / 255})
    with pytest.raises(UsageError, match=f"(?s){words}") as refusal:
        hsi_xr.convert([tiles], tiles.parent / "out", how)
    assert "z.tif" in str(refusal.value)
    assert not (tiles.parent / "out").exists()


def test_a_mosaic_opens_as_one_cube_with_its_wavelengths(tiles, instant):
    outcome = hsi_xr.convert([tiles], tiles.parent / "out", instant(vrt=True))
    cube = hsi_xr.open(outcome.vrt)
    assert dict(cube.sizes) == {"band": 31, "y": 150, "x": 203}
    np.testing.assert_array_equal(cube["wavelength"], np.arange(400, 701, 10))
    np.testing.assert_array_equal(cube["fwhm"], np.full(31, 10))
    assert cube.attrs["hsi_xr_model"] == "root-polynomial-visible"
    assert "hsi_xr_source" not in cube.attrs  # it differs between products
    part = hsi_xr.open(tiles.parent / "out/tile_1_2/tile_1_2.tif").values
    np.testing.assert_array_equal(cube[:, 47:, 131:], part)
    moved = (tiles.parent / "out").rename(tiles.parent / "elsewhere")
    cube = hsi_xr.open(moved / "mosaic.vrt")
    np.testing.assert_array_equal(cube[:, 47:, 131:], part)
    style = (moved / "mosaic.qml").read_text()
    assert 'redBand="26" greenBand="16" blueBand="6"' in style
    (white,) = set(re.findall("<maxValue>(.*)</maxValue>", style))
    assert 0.95 < float((cube[[25, 15, 5]] <= float(white)).mean()) < 1
