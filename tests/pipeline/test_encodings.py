"""Known products are read by the formula of their specification, and never guessed."""

import json

import numpy as np
import pytest
import rasterio
import xarray as xr

import hsi_xr
from hsi_xr.errors import MissingFact, UnknownName, UsageError
from tests.command_line import run
from tests.scenes import save

FORMULAS = {
    "sentinel-2-l2a-offset": lambda dn: (dn - 1000) / 10_000,
    "sentinel-2-l2a-harmonized": lambda dn: dn / 10_000,
    "sentinel-2-l2a-tci": lambda dn: 0.2 * dn / 255,
    "sentinel-2-l1c-tci": lambda dn: 0.3558 * dn / 255,
    "landsat-c2-sr": lambda dn: 2.75e-5 * dn - 0.2,
    "planet-sr": lambda dn: dn / 10_000,
}
ROWS, COLUMNS = 21, 33


def _stored(name: str) -> np.ndarray:
    rng = np.random.default_rng(1)
    low, high, dtype = (2, 255, "uint8") if name.endswith("tci") else (7300, 15_000, "uint16")
    return rng.integers(low, high, (3, ROWS, COLUMNS)).astype(dtype)


def _cube(path, **how) -> np.ndarray:
    return hsi_xr.reconstruct(path, **how)["reflectance"].values


@pytest.mark.parametrize("name", FORMULAS)
def test_a_product_by_name_is_its_formula(tmp_path, name):
    stored = _stored(name)
    path = save(tmp_path / "image.tif", stored, photometric="RGB")
    reflectance = FORMULAS[name](stored.astype("float64")).astype("float32")
    real = save(tmp_path / "reflectance.tif", reflectance, photometric="RGB")
    expected = _cube(real, radiometry="reflectance")
    planned = hsi_xr.plan(path, radiometry=name)
    linear = planned.scene.radiometry.linear(stored.astype("float32"))
    np.testing.assert_allclose(linear, reflectance, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(_cube(path, radiometry=name), expected, rtol=1e-3, atol=1e-4)
    assert f"(as in {name})" in str(planned)
    out = tmp_path / "cube.tif"
    options = ["--radiometry", name, "--dtype", "float32"]
    run("reconstruct", str(path), str(out), "--no-stac", *options)
    np.testing.assert_allclose(hsi_xr.open(out).values, expected, rtol=1e-3, atol=1e-4)
    assert hsi_xr.open(out).attrs["hsi_xr_scale_origin"] == f"as in {name}"


def test_an_unknown_offset_is_not_guessed(tmp_path):
    path = save(tmp_path / "image.tif", _stored("planet-sr"), photometric="RGB")
    with pytest.raises(MissingFact, match=r"sentinel-2-l2a-offset.*sentinel-2-l2a-harmonized"):
        hsi_xr.plan(path, radiometry="sentinel-2-l2a")
    with pytest.raises(UnknownName, match="did you mean 'sentinel-2-l2a'"):
        hsi_xr.plan(path, radiometry="sentinel-2-l2")


@pytest.mark.parametrize(("baseline", "offset"), [("N0301", 0.0), ("N0400", -0.1), ("N0511", -0.1)])
def test_the_baseline_in_the_name_of_a_product_decides(tmp_path, baseline, offset):
    folder = tmp_path / f"S2B_MSIL2A_20230111T121649_{baseline}_R066_T27PTS_20230117T211543.SAFE"
    folder.mkdir()
    path = save(folder / "image.tif", _stored("planet-sr"), photometric="RGB")
    assert hsi_xr.plan(path, radiometry="sentinel-2-l2a").scene.radiometry.offset == offset
    other = "sentinel-2-l2a-harmonized" if offset else "sentinel-2-l2a-offset"
    with pytest.raises(UsageError, match="stated by the name or the metadata of the image"):
        hsi_xr.plan(path, radiometry=other)


@pytest.mark.parametrize("offset", [0.0, -0.1])
def test_the_scale_and_offset_of_a_file_decide(tmp_path, offset):
    path = save(tmp_path / "image.tif", _stored("planet-sr"), photometric="RGB")
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = [1e-4] * 3, [offset] * 3
    found = hsi_xr.plan(path, radiometry="sentinel-2-l2a").scene.radiometry
    assert (found.scale, found.stored_scale, found.stored_offset) == (1.0, 1e-4, offset)


def test_contradictions_are_refused(tmp_path):
    path = save(tmp_path / "image.tif", _stored("planet-sr"), photometric="RGB")
    with pytest.raises(UsageError, match=r"offset=-0\.1 contradicts scale 0.0001 and offset 0 of"):
        hsi_xr.plan(path, radiometry="planet-sr", offset=-0.1)
    with pytest.raises(UsageError, match="tci is stored as uint8, but this scene as uint16"):
        hsi_xr.plan(path, radiometry="sentinel-2-l2a-tci")
    hsi_xr.plan(path, radiometry="planet-sr", scale=1e-4, offset=0)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = [2.75e-5] * 3, [-0.2] * 3
    hsi_xr.plan(path, radiometry="landsat-c2-sr")
    with pytest.raises(UsageError, match="which are stated by the file; omit radiometry="):
        hsi_xr.plan(path, radiometry="planet-sr")


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("S2A_30UXC_20230605_0_L2A/TCI.tif", "sentinel-2-l2a-tci"),
        ("T27PTS_20230111T121649_TCI_10m.tif", "sentinel-2-l2a-tci"),
        (
            "S2A_MSIL1C_20200101T101411_N0208_R022_T32TQM/T32TQM_20200101T101411_TCI.tif",
            "sentinel-2-l1c-tci",
        ),
    ],
)
def test_true_colour_images_are_not_taken_as_photographs(tmp_path, name, product):
    stored = _stored(product)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    path = save(tmp_path / name, stored, photometric="RGB")
    assert f"(as in {product})" in str(hsi_xr.plan(path))
    plain = save(tmp_path / "image.tif", stored, photometric="RGB")
    np.testing.assert_array_equal(_cube(path), _cube(plain, radiometry=product))
    assert hsi_xr.plan(path, radiometry="srgb").scene.radiometry.kind == "srgb"
    assert hsi_xr.plan(plain).scene.radiometry.kind == "srgb"
    with pytest.raises(UsageError, match=r"scale=0.00392157 contradicts .*omit scale="):
        hsi_xr.plan(path, radiometry="reflectance", scale=1 / 255)


def test_a_true_colour_image_of_unknown_level_is_refused(tmp_path):
    path = save(tmp_path / "T32TQM_20200101T101411_TCI.tif", _stored("x-tci"), photometric="RGB")
    with pytest.raises(MissingFact, match="looks like the true-colour image"):
        hsi_xr.plan(path)
    hsi_xr.plan(path, radiometry="sentinel-2-l2a-tci")


def _item(folder, **properties):
    bands = [{"name": f"B0{i}", "common_name": n} for i, n in zip("432", ("red", "green", "blue"))]
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "scene",
        "properties": {"datetime": "2023-06-05T11:06:21Z", **properties},
        "assets": {
            "visual": {
                "href": "./image.tif",
                "type": "image/tiff; application=geotiff",
                "title": "True color image",
                "eo:bands": bands,
            }
        },
    }
    path = folder / "item.json"
    path.write_text(json.dumps(item))
    return str(path)


def _meaning(folder, *, as_mosaic=False, **properties) -> str:
    config = hsi_xr.Conversion(stac=False, as_mosaic=as_mosaic, model="root-polynomial")
    result = hsi_xr.convert([_item(folder, **properties)], folder / "cubes", config)
    return hsi_xr.open(result.folder / "scene/scene.tif").attrs["hsi_xr_scale_origin"]


@pytest.mark.parametrize("as_mosaic", [False, True])
def test_items_say_that_an_asset_is_a_true_colour_image(tmp_path, as_mosaic):
    save(tmp_path / "image.tif", _stored("x-tci"), photometric="RGB")
    found = _meaning(tmp_path, as_mosaic=as_mosaic, **{"s2:product_type": "S2MSI2A"})
    assert found == "as in sentinel-2-l2a-tci"


def test_other_items_with_such_an_asset_have_photographs(tmp_path):
    save(tmp_path / "image.tif", _stored("x-tci"), photometric="RGB")
    assert _meaning(tmp_path) == "as usual for 8-bit values"


@pytest.mark.parametrize(
    ("properties", "offset"),
    [
        ({"s2:processing_baseline": "05.09"}, -0.1),
        ({"s2:processing_baseline": "02.14"}, 0.0),
        ({"s2:processing_baseline": "05.09", "earthsearch:boa_offset_applied": True}, 0.0),
    ],
)
def test_arrays_of_stackstac_have_the_baseline_of_their_item(properties, offset):
    array = xr.DataArray(
        _stored("planet-sr"),
        dims=("band", "y", "x"),
        coords={"common_name": ("band", ["red", "green", "blue"]), **properties},
    )
    options = {"radiometry": "sentinel-2-l2a", "allow_ungeoreferenced": True}
    assert hsi_xr.plan(array, **options).scene.radiometry.offset == offset
