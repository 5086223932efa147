"""odc-stac loads bands by wavelength and by name, lazily."""

import numpy as np
import pytest

import hsi_xr
from hsi_xr.errors import BandMismatch
from hsi_xr.stac.odc import odc_config
from tests.batch.tiles import TAKEN, cut, stored
from tests.scenes import rgb_image

odc = pytest.importorskip("odc.stac")
pystac = pytest.importorskip("pystac")


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    cut(folder / "tiles", rgb_image(30, 75), [0], [0, 40])
    how = hsi_xr.Conversion(
        model="root-polynomial",
        datetime=TAKEN,
        input_scale=1 / 255,
        radiometry="reflectance",
        options={"samples": 2, "camera": "nikon-d850"},
    )
    assert hsi_xr.convert([folder / "tiles"], folder / "cubes", how).failures == []
    return pystac.Collection.from_file(str(folder / "cubes" / "collection.json"))


@pytest.mark.parametrize("alone", [True, False])
def test_each_name_loads_its_band(collection, alone):
    item = collection.get_item("tile_0_1").clone()
    values = stored(item.assets["reflectance"].get_absolute_href())
    if alone:
        item.collection_id = None
    wanted = {"550": 16, "B16": 16, "green": 16, "red": 26, "700": 31}
    for source in (item, item.to_dict()) if alone else (collection, collection.to_dict(), item):
        config = odc_config(source)
        loaded = odc.load([item], bands=list(wanted), chunks={}, stac_cfg=config)
        for name, number in wanted.items():
            assert loaded[name].chunks is not None
            np.testing.assert_array_equal(loaded[name].isel(time=0), values[number - 1])


def test_standard_deviations_are_bands_of_their_own_asset(collection):
    item = collection.get_item("tile_0_0")
    loaded = odc.load([item], bands=["550"], stac_cfg=odc_config(item, "uncertainty"))
    values = stored(item.assets["uncertainty"].get_absolute_href())
    np.testing.assert_array_equal(loaded["550"].isel(time=0), values[15])


def test_assets_without_common_bands_are_refused(collection):
    with pytest.raises(BandMismatch, match=r"reflectance\.1"):
        odc_config({**collection.to_dict(), "item_assets": {}})
    with pytest.raises(BandMismatch, match="no bands for asset 'thumbnail'"):
        odc_config(collection.get_item("tile_0_0"), "thumbnail")
