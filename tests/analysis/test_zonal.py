"""Means over polygons, weighted by the areas of pixels within them."""

import sys

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import hsi_xr
from hsi_xr.analysis.zone_sums import zone_sums
from hsi_xr.errors import InvalidData, NotGeoreferenced, UnreadableFile, UsageError
from hsi_xr.io.georef import transform_of
from tests.analysis.cubes import draws
from tests.calibration.ground import GRID, cube

pytest.importorskip("exactextract", reason="means over polygons need exactextract")
gpd = pytest.importorskip("geopandas", reason="means over polygons need geopandas")
shapely = pytest.importorskip("shapely")

UTM, LONLAT = "EPSG:32633", "EPSG:4326"
ROTATED = Affine.translation(500_000, 4_650_000) @ Affine.rotation(30) @ Affine.scale(0.5, -0.4)
FLIPPED = Affine(0.5, 0, 500_000, 0, 0.4, 4_650_000)
SCENE = cube()
SCENE["reflectance_std"] = SCENE["reflectance"] / 10
SCENE["out_of_domain"] = SCENE["reflectance"].isel(band=0, drop=True)
SCENE["level_gain"] = 1.25


def polygon(*pixels: tuple[float, float], grid: Affine = GRID) -> "shapely.Polygon":
    """The polygon through locations in columns and rows."""
    return shapely.Polygon([grid @ at for at in pixels])


def box(left: float, top: float, right: float, bottom: float, grid: Affine = GRID):
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return polygon(*corners, grid=grid)


FIELDS = [
    polygon((25.3, 3.1), (60.7, 8.9), (71.2, 31.4), (30.6, 24.8)),
    shapely.MultiPolygon([box(2.5, 2.5, 9.25, 7.5), box(70, 50, 71.5, 58.25)]),
    box(5.5, 20.2, 50.1, 55.9).difference(box(20, 25, 31.3, 40)),
]


def by_supersampling(dataset: xr.Dataset, zone, fine: int = 40) -> np.ndarray:
    """The mean of the values at many points of a zone."""
    grid = transform_of(dataset)
    rows, columns = dataset.sizes["y"], dataset.sizes["x"]
    across = (np.arange(columns * fine) + 0.5) / fine
    down = (np.arange(rows * fine) + 0.5) / fine
    column, row = np.meshgrid(across, down)
    x, y = grid @ (column, row)
    inside = shapely.contains_xy(zone, x, y)
    share = inside.reshape(rows, fine, columns, fine).mean((1, 3))
    values = dataset["reflectance"].values
    known = np.isfinite(values) * share
    return (np.nan_to_num(values) * share).sum((1, 2)) / known.sum((1, 2))


@pytest.mark.parametrize("grid", [GRID, ROTATED, FLIPPED])
def test_a_zone_is_the_mean_weighted_by_area_on_any_grid(grid):
    dataset = cube(transform=grid)
    zones = [polygon((25.3, 3.1), (60.7, 8.9), (71.2, 31.4), (30.6, 24.8), grid=grid)]
    zones.append(box(5.5, 20.2, 50.1, 55.9, grid).difference(box(20, 25, 31.3, 40, grid)))
    means = dataset.hsi.zonal(zones)["reflectance"]
    assert means.dims == ("band", "zone")
    for mean, zone in zip(means.T, zones):
        np.testing.assert_allclose(mean, by_supersampling(dataset, zone), rtol=1e-3)


def test_a_zone_of_one_pixel_is_the_pixel():
    result = SCENE.hsi.zonal([box(70, 3, 71, 4), box(70.2, 3.3, 70.6, 3.9)])
    for zone in (0, 1):
        np.testing.assert_allclose(
            result["reflectance"].isel(zone=zone), SCENE["reflectance"].isel(y=3, x=70), rtol=1e-6
        )
    np.testing.assert_allclose(result["coverage"], 1, rtol=1e-6)


def test_a_zone_that_is_a_square_is_its_spectrum():
    x, y = GRID @ (60.3, 20.9)
    square = shapely.box(x - 1.7, y - 1.7, x + 1.7, y + 1.7)
    xr.testing.assert_allclose(
        SCENE.hsi.zonal([square])["reflectance"].isel(zone=0).drop_vars(["zone", "geometry"]),
        SCENE.hsi.spectrum(x, y, size=3.4)["reflectance"].swap_dims(wavelength="band")
        .drop_vars(["x", "y"]),
        rtol=1e-6,
    )  # fmt: skip


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), grain=st.sampled_from([1, 2, 8]))
def test_areas_of_pixels_are_those_of_their_intersections(seed, grain):
    rng = np.random.default_rng(seed)
    edges = np.sort(rng.integers(-3 * grain, 14 * grain, (4, 2, 2)) / grain, axis=2)
    edges += rng.choice([0, 1e-10, -1e-10, 1e-15], edges.shape)  # beside the edges of pixels
    first, second, *holes = (shapely.box(x[0], y[0], x[1], y[1]) for x, y in edges)
    zone = first.union(second).difference(shapely.union_all(holes))
    assume(zone.geom_type in ("Polygon", "MultiPolygon") and zone.is_valid and zone.area > 0)
    at = np.arange(5) + 2, np.arange(7)[:, None] + 3
    expected = shapely.area(shapely.intersection(zone, shapely.box(*at, at[0] + 1, at[1] + 1)))
    sums = zone_sums(da.ones((11, 9), chunks=((3, 7, 1), (2, 5, 2))), np.array([zone], object))
    one = zone_sums(np.pad(np.ones((7, 5)), ((3, 1), (2, 2))), np.array([zone], object))
    np.testing.assert_allclose(one[0], expected.sum(), atol=1e-5)
    whole = zone.intersection(shapely.box(0, 0, 9, 11)).area
    np.testing.assert_allclose(sums.compute(scheduler="synchronous")[1], whole, atol=1e-4)


def test_zones_that_tile_the_scene_add_up_to_its_mean():
    cuts = [0, 7.3, 20, 20.6, 55.1, 83], [0, 11.5, 30.25, 61]
    tiles = [
        box(left, top, right, bottom)
        for left, right in zip(cuts[0], cuts[0][1:])
        for top, bottom in zip(cuts[1], cuts[1][1:])
    ]
    result = SCENE.hsi.zonal(tiles)
    area = result["coverage"] * shapely.area(result["geometry"].values)
    total = (result["reflectance"] * area).sum("zone") / area.sum()
    np.testing.assert_allclose(total, SCENE["reflectance"].mean(("y", "x")), rtol=1e-5)
    known = SCENE["reflectance"].isel(band=0).notnull().sum()
    np.testing.assert_allclose(area.sum(), known * 0.5 * 0.4, rtol=1e-6)


@pytest.mark.parametrize("chunks", [{"y": 20}, {"y": 7, "x": 19, "band": 4}, {"y": -1}])
def test_chunks_do_not_change_a_lazy_result(chunks):
    lazy = SCENE.chunk(chunks).hsi.zonal(FIELDS)
    assert all(lazy[name].chunks for name in ("reflectance", "out_of_domain", "coverage"))
    xr.testing.assert_allclose(lazy.drop_vars("geometry"), zonal_in_memory(), rtol=1e-6)


def zonal_in_memory() -> xr.Dataset:
    result = SCENE.hsi.zonal(FIELDS)
    assert result["reflectance"].chunks is None
    return result.drop_vars("geometry")


def test_a_zone_reads_only_the_chunks_that_it_intersects():
    read = []

    def note(block: np.ndarray, block_info: dict) -> np.ndarray:
        read.append(tuple(block_info[0]["chunk-location"][1:]))
        return block

    lazy = SCENE["reflectance"].chunk(y=10, x=20)
    lazy.data = lazy.data.map_blocks(note, dtype="float32", meta=np.empty((0, 0, 0)))
    elbow = shapely.union_all([box(20, 10, 60, 20), box(20, 10, 40, 50)])
    result = lazy.hsi.zonal([elbow])
    assert not read
    result["reflectance"].compute(scheduler="synchronous")
    assert sorted(read) == [(1, 1), (1, 2), (2, 1), (3, 1), (4, 1)]


def test_many_zones_are_chunks_of_the_result(monkeypatch):
    monkeypatch.setattr("hsi_xr.analysis.zone_sums._GROUP", 2)
    lazy = SCENE.chunk(y=20).hsi.zonal(FIELDS)
    assert lazy["reflectance"].data.chunks[-1] == (2, 1)
    xr.testing.assert_allclose(lazy.drop_vars("geometry"), zonal_in_memory(), rtol=1e-6)


def test_polygons_in_another_crs_give_the_same_means():
    here = gpd.GeoSeries(FIELDS, crs=UTM)
    there = here.to_crs(LONLAT)
    expected = zonal_in_memory()
    for polygons, crs in ((here, None), (there, None), (list(there), LONLAT), (there, "OGC:CRS84")):
        result = SCENE.hsi.zonal(polygons, crs=crs)
        assert shapely.area(result["geometry"].values)[1] == pytest.approx(FIELDS[1].area, 1e-5)
        xr.testing.assert_allclose(result.drop_vars("geometry"), expected, rtol=1e-5)


def test_zones_keep_their_index_and_files_are_read(tmp_path):
    frame = gpd.GeoDataFrame(
        {"crop": ["rye", "oat", "pea"]}, geometry=FIELDS, crs=UTM, index=["a", "c", "b"]
    )
    result = SCENE.hsi.zonal(frame)
    assert result["zone"].values.tolist() == ["a", "c", "b"]
    table = result["reflectance"].sel(band=7).to_pandas()
    assert frame.join(table.rename("grey")).grey.notna().all()
    frame.to_crs(LONLAT).to_file(tmp_path / "fields.gpkg")
    opened = SCENE.hsi.zonal(tmp_path / "fields.gpkg")
    np.testing.assert_allclose(opened["reflectance"], result["reflectance"], rtol=1e-5)
    with pytest.raises(UnreadableFile, match=r"cannot read polygons from .*nowhere\.gpkg"):
        SCENE.hsi.zonal(tmp_path / "nowhere.gpkg")


def test_other_variables_and_attributes_are_kept():
    result = SCENE.hsi.zonal(FIELDS)
    assert {*result.data_vars} == {*SCENE.data_vars, "coverage"}
    assert result["out_of_domain"].dims == ("zone",) and result["level_gain"] == 1.25
    assert result.attrs == SCENE.attrs
    assert result["reflectance"].attrs == SCENE["reflectance"].attrs
    np.testing.assert_allclose(result["reflectance_std"] * 10, result["reflectance"], rtol=1e-6)
    assert result["reflectance"].dtype == "float32" and result.rio.crs == SCENE.rio.crs
    array = SCENE["reflectance"].hsi.zonal(FIELDS)
    np.testing.assert_array_equal(array["reflectance"], result["reflectance"])


def test_zones_without_data_are_nan_and_the_coverage_tells():
    outside = shapely.box(0, 0, 10, 10)
    half = box(-10, 0, 10, 10)
    zones = gpd.GeoSeries([outside, shapely.Polygon(), None, half, box(2, 40, 9.5, 59)], crs=UTM)
    for dataset in (SCENE, SCENE.chunk(y=20, x=30)):
        result = dataset.hsi.zonal(zones)
        np.testing.assert_allclose(result["coverage"], [0, 0, 0, 0.5, 0], atol=1e-6)
        empty = result["reflectance"].isnull().all("band").values.tolist()
        assert empty == [True, True, True, False, True]


def test_pixels_that_are_not_finite_do_not_count():
    index = SCENE["out_of_domain"].copy()
    index[3, 70] = np.inf
    result = index.rename("index").hsi.zonal([box(70, 3, 72, 4)])
    np.testing.assert_allclose(result["index"], index[3, 71], rtol=1e-6)
    np.testing.assert_allclose(result["coverage"], 0.5, rtol=1e-6)


def test_each_draw_of_a_zone_is_the_zone_of_the_draw():
    drawn = draws(SCENE).chunk(y=20, sample=2)
    result = drawn.hsi.zonal(FIELDS)
    assert result["reflectance"].dims == ("sample", "band", "zone")
    assert result["reflectance_std"].dims == ("band", "zone")
    one = drawn.isel(sample=3).compute().hsi.zonal(FIELDS)
    xr.testing.assert_allclose(
        result.isel(sample=3).drop_vars("geometry"), one.drop_vars("geometry"), rtol=1e-6
    )
    mean = drawn.mean("sample", keep_attrs=True).hsi.zonal(FIELDS)["reflectance"]
    np.testing.assert_allclose(result["reflectance"].mean("sample"), mean, rtol=1e-5)


def test_an_index_of_a_zone_is_a_method_after_a_method():
    pytest.importorskip("spyndex", reason="indices need spyndex")
    result = SCENE.hsi.indices(["GLI", "VARI"]).hsi.zonal(FIELDS)
    assert result["indices"].dims == ("index", "zone")


@pytest.mark.parametrize(
    ("polygons", "crs", "error", "words"),
    [
        ([], None, UsageError, "no polygon was given"),
        ([shapely.Point(1, 2)], None, UsageError, r"zone 0 is a Point.*`spectrum`"),
        ([shapely.LineString([(0, 0), (1, 1)])], None, UsageError, r"LineString.*buffer"),
        ([shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])], None, InvalidData, "make_valid"),
        (["POLYGON"], None, UsageError, "polygons must be .* got a list"),
        ({"type": "Polygon"}, None, UsageError, r"got a dict .*GeoDataFrame\.from_features"),
        (FIELDS, "earth", UsageError, "'earth' is not a CRS"),
        (gpd.GeoSeries(FIELDS, crs=UTM), LONLAT, UsageError, "EPSG:32633, but crs='EPSG:4326'"),
    ],
)
def test_what_is_not_a_polygon_is_refused_with_a_repair(polygons, crs, error, words):
    with pytest.raises(error, match=words):
        SCENE.hsi.zonal(polygons, crs=crs)


def test_a_scene_without_a_georeference_is_refused():
    with pytest.raises(NotGeoreferenced, match=r"EPSG:32633 cannot be located.*write_crs"):
        cube(crs=None).hsi.zonal(gpd.GeoSeries(FIELDS, crs=UTM))
    assert cube(crs=None).hsi.zonal(FIELDS)["reflectance"].notnull().all()
    with pytest.raises(NotGeoreferenced, match="write_transform"):
        SCENE.drop_vars(["x", "y", "spatial_ref"]).hsi.zonal(FIELDS)


def test_long_edges_are_reprojected_as_curves():
    rectangle = gpd.GeoSeries([shapely.box(12, 40.2, 17.5, 43.3)], crs=LONLAT)
    curved = rectangle.segmentize(0.001).to_crs(UTM)
    errors = [
        zone.symmetric_difference(curved[0]).area / curved[0].area
        for zone in (SCENE.hsi.zonal(rectangle)["geometry"].item(), rectangle.to_crs(UTM)[0])
    ]
    assert errors[0] < 2e-5 and errors[1] > 5e-3


def test_a_polygon_beyond_the_domain_of_the_projection_is_refused():
    world = gpd.GeoSeries([None, shapely.box(-170, -80, 170, 85)], crs=LONLAT, index=["", "world"])
    with pytest.raises(InvalidData, match=r"zone 'world' .*EPSG:32633.*polygons\.clip"):
        SCENE.hsi.zonal(world)
    region = world.clip((10, 40, 20, 44))
    assert (SCENE.hsi.zonal(region)["coverage"].sel(zone="world") > 0).all()


def test_variables_without_an_image_are_refused_and_dates_are_left_out():
    dated = SCENE.assign(time=(("y", "x"), np.full((61, 83), "2026-01-02", "datetime64[ns]")))
    assert "time" not in dated.hsi.zonal(FIELDS)
    with pytest.raises(UsageError, match=r"dimensions lat, lon\. Rename.*rename\(lat='y'"):
        hsi_xr.zonal(SCENE[["out_of_domain"]].rename(y="lat", x="lon"), FIELDS)


def test_without_exactextract_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "exactextract", None)
    with pytest.raises(UsageError, match=r"exactextract.*hsi-xr\[zonal\]"):
        SCENE.hsi.zonal(FIELDS)


def test_heights_are_ignored():
    high = shapely.force_3d(FIELDS, 12.5)
    xr.testing.assert_equal(hsi_xr.zonal(SCENE, high).drop_vars("geometry"), zonal_in_memory())
