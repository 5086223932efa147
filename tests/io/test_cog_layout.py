"""The layout of GeoTIFFs that GDAL writes in different ways."""

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.enums import Resampling

from hsi_xr.io.cog_layout import is_cog

PLACE = {"crs": "EPSG:32633", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 5_200_000)}


@pytest.fixture
def tiled(tmp_path):
    """Returns a tiled GeoTIFF that is not a COG, because its overviews were added at the end."""
    path = tmp_path / "tiled.tif"
    values = np.random.default_rng(0).integers(0, 9999, (3, 700, 1300)).astype("int16")
    size = {"width": 1300, "height": 700, "count": 3, "dtype": "int16", "interleave": "band"}
    blocks = {"tiled": True, "blockxsize": 512, "blockysize": 512}
    with rasterio.open(path, "w", driver="GTiff", **PLACE, **size, **blocks) as dst:
        dst.write(values)
    with rasterio.open(path, "r+") as dst:
        dst.build_overviews([2, 4], Resampling.average)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {"driver": "COG"},
        {"driver": "COG", "BIGTIFF": "YES"},
        {"driver": "GTiff", "TILED": "YES", "COPY_SRC_OVERVIEWS": "YES", "INTERLEAVE": "BAND"},
    ],
)
def test_a_file_with_overviews_first_is_cloud_optimised(tiled, tmp_path, options):
    rasterio.shutil.copy(tiled, tmp_path / "cog.tif", **options)
    assert is_cog(tmp_path / "cog.tif")


def test_a_file_with_overviews_last_is_not(tiled):
    assert not is_cog(tiled)


def test_a_file_with_external_overviews_is_not(tiled, tmp_path):
    path = tmp_path / "plain.tif"
    rasterio.shutil.copy(tiled, path, driver="GTiff", TILED="YES")
    assert not is_cog(path)  # it has no overviews
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as dst:
        dst.build_overviews([2, 4], Resampling.average)
    assert (tmp_path / "plain.tif.ovr").exists()
    assert not is_cog(path)


def test_a_file_with_strips_is_not(tiled, tmp_path):
    path = tmp_path / "strips.tif"
    rasterio.shutil.copy(tiled, path, driver="GTiff", COPY_SRC_OVERVIEWS="YES")
    assert not is_cog(path)


def test_a_small_file_needs_neither_tiles_nor_overviews(tmp_path):
    path = tmp_path / "small.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=300, height=40, count=1, dtype="uint8"
    ) as d:
        d.write(np.ones((1, 40, 300), "uint8"))
    assert is_cog(path)


def test_a_file_of_another_format_is_not(tiled, tmp_path):
    rasterio.shutil.copy(tiled, tmp_path / "scene.img", driver="ENVI")
    assert not is_cog(tmp_path / "scene.img")
