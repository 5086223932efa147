"""What STAC items state about bands counts as if the file stated it."""

import json

import numpy as np
import pytest
import rasterio

import hsi_xr
from hsi_xr.errors import HsiError
from tests.batch.tiles import TAKEN, stored
from tests.scenes import rgb_image, save

ROWS, COLUMNS = 19, 27
SCALED = {"scale": 1e-4, "offset": -0.1, "nodata": 0}
NAMES = ("blue", "green", "red")


@pytest.fixture
def pixels():
    values = rgb_image(ROWS, COLUMNS).astype("uint16") * 20 + 1100
    values[:, :4, :6] = 0
    return values


def convert(folder, settings, *, offset_applied=False, bands=SCALED):
    """Converts `folder / "scene.tif"` through an item that states names, scales and nodata."""
    asset = {
        "href": "./scene.tif",
        "type": "image/tiff; application=geotiff",
        "eo:bands": [{"name": f"B{i}", "common_name": name} for i, name in enumerate(NAMES)],
        "raster:bands": [bands] * 3,
    }
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "scene",
        "properties": {
            "datetime": TAKEN,
            **({"earthsearch:boa_offset_applied": True} if offset_applied else {}),
        },
        "assets": {"data": asset},
    }
    (folder / "item.json").write_text(json.dumps(item))
    result = hsi_xr.convert([str(folder / "item.json")], folder / "cubes", settings(stac=False))
    return result, folder / "cubes/scene/scene.tif"


def tagged(folder, pixels, *, scale=1e-4, offset=-0.1):
    """Returns the stored values of the cube of a file that states everything itself."""
    path = folder / "tagged.tif"
    save(path, pixels[::-1], nodata=0)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = [scale] * 3, [offset] * 3
    return stored(hsi_xr.write(hsi_xr.reconstruct(path, "root-polynomial"), folder / "cube.tif"))


@pytest.mark.parametrize("offset_applied", [False, True])
def test_an_item_states_scale_offset_nodata_and_colours(tmp_path, instant, pixels, offset_applied):
    save(tmp_path / "scene.tif", pixels, photometric="MINISBLACK")
    result, cube = convert(tmp_path, instant, offset_applied=offset_applied)
    assert not result.failures
    offset = 0 if offset_applied else -0.1
    np.testing.assert_array_equal(stored(cube), tagged(tmp_path, pixels, offset=offset))
    attrs = hsi_xr.open(cube).attrs
    assert attrs["hsi_xr_scale_origin"] == "stated by its STAC item"
    assert (attrs["hsi_xr_source_bands"], attrs["hsi_xr_offset"]) == ("3,2,1", offset)


@pytest.mark.parametrize("stated", [(1e-4, -0.1), (1e-3, -0.1)])
def test_an_item_may_repeat_what_the_file_states_and_not_contradict_it(
    tmp_path, instant, pixels, stated
):
    save(tmp_path / "scene.tif", pixels, photometric="MINISBLACK", nodata=0)
    with rasterio.open(tmp_path / "scene.tif", "r+") as file:
        file.scales, file.offsets = [stated[0]] * 3, [stated[1]] * 3
    if stated == (SCALED["scale"], SCALED["offset"]):
        _, cube = convert(tmp_path, instant)
        np.testing.assert_array_equal(stored(cube), tagged(tmp_path, pixels))
    else:
        with pytest.raises(HsiError, match=r"band 1 of .* states scale 0.001 .*item 0.0001"):
            convert(tmp_path, instant)


def test_a_dry_run_says_how_images_would_be_read(tmp_path, instant):
    save(tmp_path / "scene.tif", rgb_image(ROWS, COLUMNS))
    result = hsi_xr.convert([str(tmp_path)], tmp_path / "cubes", instant(), dry_run=True)
    assert result.table().splitlines()[-1] == (
        "1 image: bands 1, 2, 3 (by colour interpretation): srgb, scale 0.00392157, offset 0 (as "
        "usual for 8-bit values); nodata none"
    )
