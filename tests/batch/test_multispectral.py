"""Conversions of multispectral scenes, compared with `reconstruct` of each, or of all as one."""

import json

import numpy as np
import pytest
import rasterio

import hsi_xr
from hsi_xr.errors import UsageError
from tests.batch.tiles import TAKEN, cut, stored
from tests.command_line import run
from tests.scenes import rgb_image, save

MODEL, CAMERA = "visible-infrared", "micasense-rededge-mx-dual"
ROWS, COLUMNS = 41, 67
CHANNELS = ("NIR", "Green", "unused", "Red edge", "Red", "Blue")


def reflectance(rows=ROWS, columns=COLUMNS, seed=0):
    """(6, rows, columns) uint16: reflectance times 10,000 of channels in an unusual order."""
    halves = [rgb_image(rows, columns, seed=seed + at).astype("uint16") for at in (0, 1)]
    return np.concatenate(halves) * 20


def named(path, names=CHANNELS):
    with rasterio.open(path, "r+") as file:
        file.descriptions, file.scales = names, (1e-4,) * file.count
    return path


@pytest.fixture
def settings():
    def of(**changes):
        options = {"camera": CAMERA, **changes.pop("options", {})}
        storage = {"dtype": "float32"}
        given = {"model": MODEL, "datetime": TAKEN, "options": options, "storage": storage}
        return hsi_xr.Conversion(**{**given, **changes})

    return of


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "scenes").mkdir()
    named(save(tmp_path / "scenes/a.tif", reflectance()))
    named(save(tmp_path / "scenes/b.tif", reflectance(29, 33, seed=2)))
    return tmp_path / "scenes"


@pytest.mark.parametrize("bands", [None, ("Red", "Green", "Blue", "NIR"), (5, 2, 6, 1, 4)])
def test_each_scene_becomes_the_cube_that_reconstruct_returns(folder, tmp_path, settings, bands):
    result = hsi_xr.convert([folder], tmp_path / "out", settings(bands=bands))
    assert (len(result.done), result.failures) == (2, [])
    for name in "ab":
        path = tmp_path / f"out/{name}/{name}.tif"
        alone = hsi_xr.reconstruct(folder / f"{name}.tif", MODEL, camera=CAMERA, bands=bands)
        np.testing.assert_array_equal(stored(path), alone.reflectance.values)
        attrs = hsi_xr.open(path).attrs
        assert attrs["hsi_xr_camera_channels"] == alone.attrs["hsi_xr_camera_channels"]
        numbers = [CHANNELS.index(each) + 1 for each in attrs["hsi_xr_camera_channels"].split(",")]
        assert attrs["hsi_xr_source_bands"] == ",".join(map(str, numbers))


def test_the_command_writes_what_reconstruct_writes(folder, tmp_path):
    given = ("-m", MODEL, "--camera", CAMERA, "--bands", "4,1,5,2,6", "--dtype", "float32")
    given = (*given, "--quantiles", "0.05,0.95", "--datetime", TAKEN)
    many = run("convert", folder, tmp_path / "out", *given)
    assert many.exit_code == 0, many.output
    assert run("reconstruct", folder / "b.tif", tmp_path / "b.tif", *given).exit_code == 0
    for suffix in ("", "_q05", "_q95"):
        one = stored(tmp_path / f"b{suffix}.tif")
        np.testing.assert_array_equal(stored(tmp_path / f"out/b/b{suffix}.tif"), one)


def test_scenes_that_do_not_fit_are_listed_and_the_rest_is_converted(folder, tmp_path):
    save(folder / "grey.tif", reflectance()[:1])
    named(save(folder / "other.tif", reflectance()[:3]), ("Blue", "Green", "thermal"))
    given = ("-m", MODEL, "--camera", CAMERA, "--no-stac")
    planned = run("convert", folder, tmp_path / "out", *given, "--dry-run")
    assert planned.exit_code == 1
    assert (
        "camera micasense-rededge-mx-dual, channels NIR, Green, Red edge, Red, Blue"
        in planned.stdout
    )
    result = run("convert", folder, tmp_path / "out", *given)
    assert result.exit_code == 1
    assert "- grey: the camera is micasense-rededge-mx-dual" in result.stderr
    assert "1 is Blue, 2 is Green" in result.stderr
    assert result.stderr.splitlines()[-1] == "Error: 2 of 4 images failed"
    assert {path.name for path in (tmp_path / "out").glob("*/*.tif")} == {"a.tif", "b.tif"}


def test_without_a_sensor_more_than_three_bands_are_refused_with_the_option(folder, tmp_path):
    result = run("convert", folder, tmp_path / "out", "--bands", "1,2,4,5", "--no-stac")
    assert (result.exit_code, "--camera" in result.stderr) == (3, True)


@pytest.mark.parametrize("bands", [None, (5, 2, 6, 1), ("NIR", "Red", "Green")])
def test_tiles_equal_the_uncut_scene(tmp_path, settings, bands):
    pixels, rows, columns = reflectance(), [0, 17], [0, 25, 40]
    for path in cut(tmp_path / "tiles", pixels, rows, columns):
        named(path)
    how = settings(bands=bands, as_mosaic=True, options={"tile": 16})
    result = hsi_xr.convert([tmp_path / "tiles"], tmp_path / "out", how)
    assert (len(result.done), result.failures) == (6, [])
    whole = np.concatenate(
        [
            np.concatenate(
                [stored(tmp_path / f"out/tile_{i}_{j}/tile_{i}_{j}.tif") for j in range(3)], axis=2
            )
            for i in range(2)
        ],
        axis=1,
    )
    uncut = named(save(tmp_path / "uncut.tif", pixels))
    expected = hsi_xr.reconstruct(uncut, MODEL, camera=CAMERA, bands=bands, tile=16)
    np.testing.assert_allclose(whole, expected.reflectance.values, atol=1e-4, rtol=0)
    attrs = hsi_xr.open(tmp_path / "out/tile_1_2/tile_1_2.tif").attrs
    for key in ("source_bands", "source_bands_origin", "camera_channels", "camera_sha256"):
        assert attrs[f"hsi_xr_{key}"] == expected.attrs[f"hsi_xr_{key}"]


def test_colours_that_are_given_are_those_of_the_mosaic(tmp_path, instant):
    pixels = rgb_image(40, 53)
    for folder, values, rgb in (("usual", pixels, None), ("turned", pixels[::-1], (3, 2, 1))):
        cut(tmp_path / folder, values, [0], [0, 31], photometric="MINISBLACK")
        how = instant(rgb=rgb, as_mosaic=True)
        hsi_xr.convert([tmp_path / folder], tmp_path / f"{folder}_cubes", how)
    for name in ("tile_0_0/tile_0_0.tif", "tile_0_1/tile_0_1.tif"):
        usual, turned = (tmp_path / f"{each}_cubes" / name for each in ("usual", "turned"))
        np.testing.assert_array_equal(stored(turned), stored(usual))


def test_tiles_with_channels_in_another_order_are_refused(tmp_path, settings):
    for path in cut(tmp_path / "tiles", reflectance(), [0], [0, 25]):
        names = CHANNELS if path.stem.endswith("0") else CHANNELS[::-1]
        named(path, names)
    with pytest.raises(UsageError, match=r"order of channels.*Blue, Red, .*omit --as-mosaic"):
        hsi_xr.convert([tmp_path / "tiles"], tmp_path / "out", settings(as_mosaic=True))


def test_an_item_states_which_channels_bands_are(tmp_path, settings):
    pixels = reflectance()[:4]
    save(tmp_path / "plain.tif", pixels)
    common = ("nir", "green", "blue", "red")
    asset = {
        "href": "./plain.tif",
        "type": "image/tiff; application=geotiff",
        "eo:bands": [{"name": f"x{at}", "common_name": each} for at, each in enumerate(common)],
        "raster:bands": [{"scale": 1e-4}] * 4,
    }
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "item", "properties": {}}
    item |= {"assets": {"data": asset}}
    (tmp_path / "item.json").write_text(json.dumps(item))
    hsi_xr.convert([tmp_path / "item.json"], tmp_path / "out", settings())
    same = named(save(tmp_path / "named.tif", pixels), ("NIR", "Green", "Blue", "Red-650"))
    expected = hsi_xr.reconstruct(same, MODEL, camera=CAMERA).reflectance
    np.testing.assert_array_equal(stored(tmp_path / "out/item/item.tif"), expected)


def test_a_conversion_of_other_bands_is_not_resumed(folder, tmp_path, settings):
    hsi_xr.convert([folder / "b.tif"], tmp_path / "out", settings(bands=(5, 2, 6, 1)))
    how = settings(bands=(5, 2, 6, 4))
    with pytest.raises(UsageError, match=r"bands was .* and is"):
        hsi_xr.convert([folder / "b.tif"], tmp_path / "out", how, resume=True)


def test_bands_are_selected_once(settings):
    with pytest.raises(UsageError, match="pass one of them"):
        settings(rgb=(1, 2, 3), bands=(1, 2, 3, 4))
    with pytest.raises(UsageError, match="use rgb=, bands="):
        settings(options={"bands": (1, 2, 3, 4)})
