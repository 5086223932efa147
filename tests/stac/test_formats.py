"""Products in every format are validated: alone, by their items, and in a folder."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import hsi_xr
from hsi_xr.io.preview import write_thumbnail
from hsi_xr.stac.files import save
from tests.batch.tiles import TAKEN
from tests.scenes import CAMERA, scene

SUFFIXES = (".tif", ".zarr", ".nc", ".img")


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> Path:
    """A cube with standard deviation and residual in four formats, each with its item."""
    for package in ("zarr", "h5netcdf"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("originals")
    rgb = (scene(40, 52) / 255).assign_attrs(datetime=TAKEN)
    cube = hsi_xr.reconstruct(
        rgb,
        "root-polynomial",
        samples=2,
        residual=True,
        camera=CAMERA,
        radiometry="reflectance",
        scale=1,
    ).compute()
    for suffix in SUFFIXES:
        (folder / suffix[1:]).mkdir()
        path = hsi_xr.write(cube, folder / suffix[1:] / f"cube{suffix}")
        write_thumbnail(path)
        save(hsi_xr.describe(path).to_dict(include_self_link=False), path.with_suffix(".json"))
    return folder


@pytest.fixture
def folder(originals, tmp_path) -> Path:
    """A copy to damage."""
    return shutil.copytree(originals, tmp_path / "originals")


def wrong(path: Path) -> list[str]:
    return [str(finding) for finding in hsi_xr.validate(path).findings]


def test_what_was_written_is_valid(originals):
    assert wrong(originals) == []
    for suffix in SUFFIXES:
        path = originals / suffix[1:] / f"cube{suffix}"
        assert wrong(path) == []
        assert wrong(path.with_suffix(".json")) == []


@pytest.mark.parametrize(
    ("attrs", "words"),
    [
        ({"scale_factor": 1.0}, "its scale is 1, too coarse for reflectance as int16"),
        ({"_FillValue": None}, "no nodata value"),
    ],
)
@pytest.mark.parametrize("suffix", [".zarr", ".nc"])
def test_stores_are_checked_like_files(folder, suffix, attrs, words):
    path = folder / suffix[1:] / f"cube{suffix}"
    _change(path, attrs)
    assert any(words in line for line in wrong(path)), wrong(path)
    assert any(words in line or "in the item" in line for line in wrong(path.with_suffix(".json")))


def _change(path: Path, attrs: dict) -> None:
    if path.suffix == ".nc":
        import h5py

        with h5py.File(path, "r+") as file:
            for key, value in attrs.items():
                del file["reflectance"].attrs[key]
                if value is not None:
                    file["reflectance"].attrs[key] = value
        return
    import zarr

    array = zarr.open_group(path, mode="r+", use_consolidated=False)["reflectance"]
    changed = {**array.attrs, **attrs}
    array.attrs.put({key: value for key, value in changed.items() if value is not None})
    zarr.consolidate_metadata(path)


def test_wavelengths_of_a_store_must_ascend(folder):
    zarr = pytest.importorskip("zarr")
    path = folder / "zarr" / "cube.zarr"
    zarr.open_array(path / "wavelength", mode="r+")[6] = 900
    assert any("not ascending: 470 nm follows 900 nm" in line for line in wrong(path))


def test_damage_in_a_store_is_found(folder):
    path = folder / "zarr" / "cube.zarr"
    (shard,) = (each for each in (path / "reflectance" / "c").rglob("*") if each.is_file())
    shard.write_bytes(shard.read_bytes()[:-100])
    assert any("'reflectance' is damaged" in line for line in wrong(path))


def test_a_store_without_its_metadata_is_reported(folder):
    (folder / "zarr" / "cube.zarr" / "zarr.json").unlink()
    assert any("which is not a file" in line for line in wrong(folder / "zarr" / "cube.json"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-7]), "its header implies"),
        (lambda path: path.with_suffix(".hdr").unlink(), "cannot be read as a raster"),
        (lambda path: path.with_name("cube.img.aux.xml").unlink(), "is missing"),
    ],
)
def test_damaged_files_of_envi_are_reported(folder, spoil, words):
    path = folder / "img" / "cube.img"
    spoil(path)
    assert any(words in line for line in wrong(path)), wrong(path)
    assert any("cube.json" in line for line in wrong(path.parent))


def test_statistics_that_gdal_adds_to_an_envi_sidecar_are_valid(folder):
    path = folder / "img" / "cube.img"
    labels = path.with_name("cube.img.aux.xml")
    labels.write_text(labels.read_text().replace("<PAMDataset>", "<PAMDataset>\n\n", 1))
    assert wrong(path.with_suffix(".json")) == []


def test_a_store_without_an_item_is_reported(folder):
    (folder / "nc" / "cube.json").unlink()
    shutil.rmtree(folder / "zarr")
    assert any("cube.nc: no item in this folder" in line for line in wrong(folder))


def test_a_range_of_times_is_that_of_the_item_in_every_format(originals, tmp_path):
    start, end = "2026-05-04T10:00:00Z", "2026-05-04T12:30:00Z"
    cube = hsi_xr.open(originals / "tif" / "cube.tif").isel(x=slice(0, 20), y=slice(0, 15))
    cube.attrs["datetime"] = f"{start}/{end}"
    for suffix in SUFFIXES:
        path = hsi_xr.write(cube, tmp_path / f"{suffix[1:]}{suffix}")
        assert hsi_xr.open(path).attrs["datetime"] == f"{start}/{end}"
        stated = hsi_xr.describe(path).to_dict()["properties"]
        times = [stated[key] for key in ("datetime", "start_datetime", "end_datetime")]
        assert times == [None, start, end]
        save(hsi_xr.describe(path).to_dict(include_self_link=False), path.with_suffix(".json"))
        assert wrong(path.with_suffix(".json")) == []
    item = json.loads(path.with_suffix(".json").read_text())
    item["properties"]["end_datetime"] = "2026-05-04T09:30:00Z"
    path.with_suffix(".json").write_text(json.dumps(item))
    assert any(
        "end_datetime is before start_datetime" in line for line in wrong(path.with_suffix(".json"))
    )
    np.testing.assert_array_equal(hsi_xr.open(path), cube)
