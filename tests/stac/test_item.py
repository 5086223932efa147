"""Items of products that were really written, compared with their files."""

import hashlib
import shutil
import warnings
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pystac
import pytest
import rasterio
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

import hsi_xr
from hsi_xr.errors import InvalidData, MissingFact, UnreadableFile, UsageError
from hsi_xr.io import georef
from hsi_xr.io.preview import write_thumbnail
from hsi_xr.product.checks import check_product
from hsi_xr.stac.item import SCHEMAS
from hsi_xr.times import instant, period, utc_text
from tests.stac_validation import SCHEMAS as SCHEMA_FOLDER
from tests.stac_validation import validate

TAKEN = "2026-01-02T03:04:05+00:00"
WAVELENGTHS = np.arange(400.0, 701.0, 10.0)
NORTH_UP = Affine(0.5, 0, 500_000, 0, -0.5, 5_200_000)
UTM = CRS.from_epsg(32633)
SITE = CRS.from_wkt('LOCAL_CS["Site",UNIT["metre",1],AXIS["X",EAST],AXIS["Y",NORTH]]')
AT_POLE = Affine(1000, 0, -4e4, 0, -1000, 3e4)


def cube(transform=NORTH_UP, crs=UTM, **attrs) -> xr.Dataset:
    """Returns a dataset as from `reconstruct`, with values that vary by band, row and column."""
    shape = (61, 83)
    values = np.random.default_rng(0).uniform(0, 1, (31, *shape)).astype("float32")
    reflectance = xr.DataArray(
        values,
        dims=("band", "y", "x"),
        coords={
            "band": np.arange(1, 32),
            "wavelength": ("band", WAVELENGTHS),
            "fwhm": ("band", np.full(31, 10.0)),
            **georef.coordinates(transform, crs, shape),
        },
        attrs={"long_name": "relative spectral reflectance", "units": "1"},
    )
    provenance = {
        "hsi_xr_version": "0.1.0",
        "hsi_xr_model": "r2h_base",
        "hsi_xr_model_sha256": "ab" * 32,
        "hsi_xr_radiometry": "srgb",
        "hsi_xr_seed": 7,
        "hsi_xr_samples": 1,
        "hsi_xr_source": "scene.tif",
        "hsi_xr_georeferenced": "yes" if crs else "no",
        "hsi_xr_reconstructed": "YES",
    }
    return xr.Dataset({"reflectance": reflectance}, attrs={**provenance, **attrs})


@pytest.fixture
def product(tmp_path):
    """A COG that records its acquisition time."""
    return hsi_xr.write(cube(datetime=TAKEN), tmp_path / "cube.tif")


def test_the_fields_of_the_asset_are_those_of_the_file(product):
    asset = hsi_xr.describe(product).to_dict()["assets"]["reflectance"]
    with rasterio.open(product) as src:
        assert asset["proj:shape"] == [src.height, src.width]
        assert asset["proj:transform"] == list(src.transform)[:6]
        assert asset["proj:bbox"] == list(src.bounds)
        assert asset["data_type"] == src.dtypes[0]
        assert asset["nodata"] == src.nodata
        assert asset["raster:scale"] == src.scales[0]
        assert asset["raster:offset"] == src.offsets[0]
        assert [band["description"] for band in asset["bands"]] == list(src.descriptions)
    assert asset["raster:spatial_resolution"] == 0.5
    assert asset["file:size"] == product.stat().st_size
    assert asset["file:checksum"] == "1220" + hashlib.sha256(product.read_bytes()).hexdigest()
    assert asset["href"] == "./cube.tif"


def test_bands_carry_their_wavelengths_in_micrometres(product):
    bands = hsi_xr.describe(product).to_dict()["assets"]["reflectance"]["bands"]
    centres = [band["eo:center_wavelength"] for band in bands]
    np.testing.assert_allclose(centres, WAVELENGTHS / 1000, rtol=1e-12)
    assert {band["eo:full_width_half_max"] for band in bands} == {0.01}
    named = {band["eo:common_name"]: band["name"] for band in bands if "eo:common_name" in band}
    assert named == {"blue": "B06", "green": "B16", "red": "B26"}


def test_the_item_states_provenance_and_that_it_is_an_estimate(product):
    properties = hsi_xr.describe(product).to_dict()["properties"]
    assert properties["datetime"] == "2026-01-02T03:04:05Z"
    assert properties["proj:code"] == "EPSG:32633"
    assert properties["processing:level"] == "L4"
    assert properties["processing:software"] == {"hsi-xr": "0.1.0"}
    assert properties["hsi_xr:model_sha256"] == "ab" * 32
    assert (properties["hsi_xr:seed"], properties["hsi_xr:radiometry"]) == (7, "srgb")
    for word in ("estimate, not a measurement", "r2h_base", "ab" * 32, "srgb", "scene.tif"):
        assert word in properties["processing:lineage"]
    written = datetime.fromisoformat(properties["processing:datetime"])
    assert timedelta(0) <= datetime.now(UTC) - written < timedelta(minutes=5)


def test_an_opened_product_is_described_as_its_file(product):
    assert hsi_xr.describe(hsi_xr.open(product)).to_dict() == hsi_xr.describe(product).to_dict()


def test_describing_twice_gives_the_same_item(product):
    assert hsi_xr.describe(product).to_dict() == hsi_xr.describe(product).to_dict()


@pytest.mark.parametrize("format", ["cog", "geotiff"])
def test_only_cogs_are_called_cloud_optimised(tmp_path, format):
    wide = cube().pad(y=(0, 700), x=(0, 600), mode="edge").drop_vars(["y", "x"])
    path = hsi_xr.write(wide, tmp_path / "wide.tif", format=format)
    asset = hsi_xr.describe(path, datetime=TAKEN).assets["reflectance"]
    assert (asset.media_type == pystac.MediaType.COG) is (format == "cog")


@pytest.mark.parametrize("extensions", ["core only", "with extensions"])
@pytest.mark.parametrize(
    "cube_of",
    [
        pytest.param(lambda: cube(), id="utm"),
        pytest.param(lambda: cube(NORTH_UP @ Affine.rotation(30)), id="rotated"),
        pytest.param(lambda: cube(Affine.identity(), None), id="ungeoreferenced"),
        pytest.param(lambda: cube(crs=CRS.from_proj4("+proj=laea +lat_0=47 +lon_0=15")), id="wkt"),
        pytest.param(lambda: cube(crs=SITE), id="site grid"),
        pytest.param(lambda: cube(AT_POLE, CRS.from_epsg(3413)), id="pole"),
    ],
)
def test_the_item_is_valid(tmp_path, cube_of, extensions):
    if extensions == "with extensions" and not SCHEMA_FOLDER.is_dir():
        pytest.skip(f"no STAC extension schemas in {SCHEMA_FOLDER}; set HSI_XR_STAC_SCHEMAS")
    folder = SCHEMA_FOLDER if extensions == "with extensions" else None
    product = hsi_xr.write(cube_of(), tmp_path / "cube.tif")
    item = hsi_xr.describe(product, datetime=TAKEN, derived_from="scene.tif").to_dict()
    assert validate(item, folder) == ([] if folder else list(SCHEMAS))


def test_a_rotated_product_has_the_footprint_of_its_pixels(tmp_path):
    rotated = NORTH_UP @ Affine.rotation(30)
    product = hsi_xr.write(cube(rotated), tmp_path / "cube.tif")
    item = hsi_xr.describe(product, datetime=TAKEN).to_dict()
    straight = hsi_xr.describe(hsi_xr.write(cube(), tmp_path / "b.tif"), datetime=TAKEN).to_dict()
    assert item["assets"]["reflectance"]["proj:transform"] == list(rotated)[:6]
    assert item["geometry"] != straight["geometry"]
    assert item["geometry"]["type"] == "Polygon"


def test_without_georeference_no_location_is_claimed(tmp_path):
    product = hsi_xr.write(cube(Affine.identity(), None), tmp_path / "cube.tif")
    item = hsi_xr.describe(product, datetime=TAKEN).to_dict()
    assert item["geometry"] is None
    assert "bbox" not in item
    assert item["properties"]["proj:code"] is None
    assert "no coordinate reference system" in item["properties"]["processing:lineage"]
    asset = item["assets"]["reflectance"]
    assert asset["proj:shape"] == [61, 83]
    assert not {"proj:transform", "proj:bbox", "raster:spatial_resolution"} & set(asset)


NOWHERE = {
    "site grid": (NORTH_UP, SITE),
    "off the Earth": (Affine(1, 0, 1e9, 0, -1, 1e9), CRS.from_epsg(32633)),
    "Moon": (
        Affine(0.1, 0, 10, 0, -0.1, 10),
        CRS.from_proj4("+proj=longlat +R=1737400 +no_defs"),
    ),
}


@pytest.mark.parametrize(("transform", "crs"), NOWHERE.values(), ids=NOWHERE)
def test_a_place_without_longitude_and_latitude_is_told_before_work(tmp_path, transform, crs):
    """The product keeps its georeference, and its item has no geometry."""
    given = cube(transform, crs)
    assert check_product(given, tmp_path / "cube.tif", datetime=TAKEN).has_item
    with pytest.warns(UserWarning, match=r"no geometry.*no longitude and latitude.*--no-stac"):
        product = hsi_xr.write_product(given, tmp_path / "cube.tif", datetime=TAKEN)
    with rasterio.open(product.cube) as file:
        assert file.transform == transform
        assert file.crs.is_geographic == crs.is_geographic
    item = hsi_xr.describe(product.cube).to_dict()
    assert item["geometry"] is None and "bbox" not in item
    assert "longitude and latitude of its pixels cannot" in item["properties"]["processing:lineage"]
    assert "raster:spatial_resolution" not in item["assets"]["reflectance"]
    assert item["properties"]["proj:wkt2"] if crs.to_epsg() is None else True
    assert hsi_xr.validate(product.cube).findings == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hsi_xr.write_product(given, tmp_path / "b.tif", datetime=TAKEN, stac=False)


def test_a_crs_without_code_is_given_as_wkt(tmp_path):
    crs = CRS.from_proj4("+proj=laea +lat_0=47 +lon_0=15")
    product = hsi_xr.write(cube(crs=crs), tmp_path / "cube.tif")
    properties = hsi_xr.describe(product, datetime=TAKEN).to_dict()["properties"]
    assert properties["proj:code"] is None
    assert CRS.from_wkt(properties["proj:wkt2"]) == crs


def test_companions_of_the_same_run_become_assets(tmp_path):
    sampled = cube(hsi_xr_samples=4, datetime=TAKEN)
    sampled["reflectance_std"] = sampled["reflectance"] / 10
    product = hsi_xr.write(sampled, tmp_path / "cube.tif")
    write_thumbnail(product)
    assets = hsi_xr.describe(product, href="https://example.com/a/cube.tif").to_dict()["assets"]
    assert set(assets) == {"reflectance", "uncertainty", "thumbnail"}
    assert assets["uncertainty"]["href"] == "https://example.com/a/cube_std.tif"
    assert assets["uncertainty"]["roles"] == ["data", "uncertainty"]
    assert not any("eo:common_name" in band for band in assets["uncertainty"]["bands"])
    assert assets["thumbnail"]["proj:code"] is None
    preview = (tmp_path / "cube.png").read_bytes()
    assert assets["thumbnail"]["file:size"] == len(preview)
    assert assets["thumbnail"]["file:checksum"] == "1220" + hashlib.sha256(preview).hexdigest()
    assert "not a photograph" in assets["thumbnail"]["title"]


def test_a_companion_of_another_run_is_left_out(tmp_path, product):
    other = hsi_xr.write(cube(hsi_xr_seed=8), tmp_path / "other.tif")
    shutil.copy(other, tmp_path / "cube_std.tif")
    write_thumbnail(other)
    shutil.copy(other.with_suffix(".png"), tmp_path / "cube.png")
    assert set(hsi_xr.describe(product).assets) == {"reflectance"}
    (tmp_path / "cube.png").write_bytes(b"an image from elsewhere")
    assert set(hsi_xr.describe(product).assets) == {"reflectance"}


def test_the_source_is_linked_by_its_item_if_it_has_one(tmp_path, product):
    folder = tmp_path / "rgb"
    folder.mkdir()
    source = folder / "scene.tif"
    source.write_bytes(b"")
    (link,) = hsi_xr.describe(product, derived_from=source).to_dict()["links"]
    assert (link["rel"], link["href"]) == ("via", "rgb/scene.tif")  # it is not a STAC item
    assert link["type"] == "image/tiff; application=geotiff"
    (folder / "scene.json").write_text('{"stac_version": "1.1.0"}')
    (link,) = hsi_xr.describe(product, derived_from=source).to_dict()["links"]
    fields = tuple(link[key] for key in ("rel", "href", "type"))
    assert fields == ("derived_from", "rgb/scene.json", "application/geo+json")


def test_a_source_elsewhere_is_linked_as_given(product):
    for name, rel in (("a.tif", "via"), ("a.json", "derived_from")):
        url = f"https://example.com/{name}"
        (link,) = hsi_xr.describe(product, derived_from=url).links
        assert (link.rel, link.href) == (rel, url)


def test_the_acquisition_time_is_never_invented(tmp_path):
    product = hsi_xr.write(cube(), tmp_path / "cube.tif")
    with pytest.raises(MissingFact, match="--datetime"):
        hsi_xr.describe(product)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        ("2026-01-02T03:04:05+05:30", datetime(2026, 1, 1, 21, 34, 5, tzinfo=UTC)),
    ],
)
def test_times_become_utc(text, utc):
    assert instant(text) == utc
    assert instant(utc.astimezone(timezone(timedelta(hours=9)))) == utc


def test_a_range_is_two_times_in_order():
    start, end = "2026-01-02T03:04:05+02:00", "2026-01-02T03:04:05Z"
    assert utc_text(f"{start}/{end}") == "2026-01-02T01:04:05Z/2026-01-02T03:04:05Z"
    assert utc_text(f"{end}/{end}") == end
    assert period(end) == (instant(end), instant(end))
    for wrong in (f"{end}/{start}", f"{start}/", "..", f"{start}/..", f"{start}/{end}/{end}"):
        with pytest.raises(UsageError):
            period(wrong)
    with pytest.raises(MissingFact, match="T23:59:59Z"):
        period("2026-01-02/2026-01-03")


@pytest.mark.parametrize("text", ["2026-01-02", "20260102", "yesterday", "", "12:30"])
def test_a_date_without_time_is_refused(text):
    with pytest.raises(UsageError, match="time of day"):
        instant(text)


def test_only_products_are_described(tmp_path):
    with pytest.raises(UsageError, match="write it first"):
        hsi_xr.describe(cube(), datetime=TAKEN)
    with pytest.raises(UnreadableFile, match="absent"):
        hsi_xr.describe(tmp_path / "absent.tif", datetime=TAKEN)
    plain = tmp_path / "plain.tif"
    with rasterio.open(plain, "w", driver="GTiff", width=7, height=5, count=1, dtype="uint8"):
        pass
    with pytest.raises(InvalidData, match="is not a product of hsi_xr"):
        hsi_xr.describe(plain, datetime=TAKEN)
