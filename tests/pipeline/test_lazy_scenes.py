"""Scenes of dask arrays so large that their survey reads only windows of them."""

from collections import Counter

import dask.array as da
import numpy as np
import pytest
import rioxarray
import xarray as xr
from dask.callbacks import Callback

import hsi_xr
from hsi_xr.errors import InvalidData
from tests.scenes import rgb_image, save, scene

SRGB = {"radiometry": "srgb", "scale": 1 / 255}
LARGE = (2203, 1951)
"""More pixels than a survey reads."""


def _large(tmp_path, valid: tuple[slice, slice]) -> str:
    """A large scene, of which only a part is valid."""
    pixels, holed = rgb_image(*LARGE), np.zeros((3, *LARGE), "uint8")
    holed[:, *valid] = pixels[:, *valid]
    return save(tmp_path / "large.tif", holed, nodata=0, tiled=True)


PARTS = {"all": (slice(None), slice(None)), "a strip": (slice(1700, 1790), slice(200, 1900))}


@pytest.mark.parametrize("part", PARTS)
def test_a_large_array_has_the_survey_of_its_file(tmp_path, slope, part):
    path = _large(tmp_path, PARTS[part])
    lazy = rioxarray.open_rasterio(path, chunks={"band": 1, "x": 812, "y": 700})
    persisted = rioxarray.open_rasterio(path, chunks={"x": 512, "y": 300}).persist()
    wanted = hsi_xr.survey(path, slope())
    for array in (lazy, persisted):
        found = hsi_xr.survey(array, slope())
        for name, values in wanted.statistics.items():
            np.testing.assert_array_equal(found.statistics[name], values)


def test_a_large_array_with_data_in_one_small_corner_is_refused(tmp_path, slope):
    """Its file is not, since a survey can search a file for data."""
    path = _large(tmp_path, (slice(2197, None), slice(1947, None)))
    assert hsi_xr.survey(path, slope()).statistics["mean"] > 0
    with pytest.raises(InvalidData, match=r"survey=hsi_xr\.survey"):
        hsi_xr.survey(rioxarray.open_rasterio(path, chunks={"x": 512, "y": 512}), slope())


def _counted(rows: int, columns: int) -> tuple[xr.DataArray, Counter]:
    """A lazy scene, and how often each of its chunks was computed."""
    counts: Counter = Counter()
    image = scene(rows, columns, chunks=None)

    def make(block_info=None):
        counts[block_info[None]["chunk-location"]] += 1
        return image.values[:, *(slice(*at) for at in block_info[None]["array-location"][1:])]

    chunks = ((3,), (400,) * (rows // 400) + (rows % 400,), (columns,))
    data = da.map_blocks(make, chunks=chunks, dtype="float32", meta=np.empty((0, 0, 0), "f4"))
    return image.copy(data=data).assign_attrs(image.attrs), counts


def test_chunks_of_a_large_scene_are_computed_for_the_survey_and_again_for_the_tiles(slope):
    """Otherwise the whole scene would be in memory between the two."""
    image, counts = _counted(*LARGE)
    cube = hsi_xr.reconstruct(image, slope(), tile=512, **SRGB)["reflectance"]
    cube.data.map_blocks(np.sum, keepdims=True, chunks=(1, 1, 1)).compute()
    assert set(counts.values()) == {2}


def test_chunks_in_memory_are_used_as_they_are(slope):
    image, counts = _counted(*LARGE)
    persisted = image.persist(scheduler="threads")
    cube = hsi_xr.reconstruct(persisted, slope(), tile=512, **SRGB)["reflectance"]
    graph = cube.data.dask
    copies = [v for key, v in graph.items() if "-survey" in str(key) and isinstance(v, np.ndarray)]
    assert not copies
    cube.isel(y=slice(9), x=slice(9)).compute()
    assert set(counts.values()) == {1}


def test_a_part_of_a_surveyed_scene_computes_only_the_chunks_around_it(slope):
    image, counts = _counted(*LARGE)
    cube = hsi_xr.reconstruct(image, slope(), tile=512, **SRGB)["reflectance"]
    corner = cube.isel(y=slice(9), x=slice(9))
    wanted = corner.compute(scheduler="threads")
    assert len(counts) == 6
    counts.clear()
    np.testing.assert_array_equal(corner.compute(scheduler="threads"), wanted)
    assert len(counts) == 3  # 1024 rows


def test_writing_surveys_once(slope, tmp_path):
    image, _ = _counted(*LARGE)
    cube = hsi_xr.reconstruct(image, slope(), tile=1024, **SRGB).isel(
        y=slice(0, 1500), x=slice(0, 1100), band=slice(2)
    )
    ran = []
    with Callback(pretask=lambda key, *_: ran.append(str(key))):
        hsi_xr.write(cube, tmp_path / "cube.tif", format="geotiff")
    cuts = [key for key in ran if "hsi-xr-windows" in key]
    assert cuts and len(cuts) == len(set(cuts))
