"""Where a scene is: one answer for a file, an array and a Dataset, or one refusal with a repair."""

import re
import shlex
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import rasterio
import rioxarray
import xarray as xr
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.rpc import RPC

import hsi_xr
from hsi_xr.errors import InvalidData, NotGeoreferenced
from hsi_xr.io.georef import coordinates, crs_of, pixel_grid_of, transform_of
from hsi_xr.io.location import location_of
from tests import scenes

UTM = CRS.from_epsg(32619)
SHAPE = (41, 67)
METRE = Affine(1, 0, 500_000, 0, -1, 4_650_000)
TURNED = Affine(0.9, 0.3, 500_000, 0.3, -0.9, 4_650_000)
MODEL = "root-polynomial"
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def moved(transform: Affine, column: int, row: int) -> Affine:
    return transform @ Affine.translation(column, row)


def bare(**coords) -> xr.DataArray:
    """An image in memory that states nothing but what is given."""
    return xr.DataArray(scenes.rgb_image(*SHAPE), dims=("band", "y", "x"), coords=coords)


def located(transform: Affine = METRE, crs: CRS = UTM) -> xr.DataArray:
    return bare(**coordinates(transform, crs, SHAPE))


def repair_in(error: BaseException) -> str:
    """The first repair that a message suggests."""
    return re.search(r"`([^`]*)`", str(error))[1]


def repaired(error: BaseException, **names) -> xr.DataArray:
    """What the call that a message suggests returns."""
    return eval(repair_in(error), names)  # noqa: S307  our own message


class TestNumbersOfPixels:
    """A CRS alone is no location, whatever the numbers of pixels look like."""

    NUMBERED: ClassVar = {
        "identity": Affine.identity(),
        "part": Affine.translation(7, 5),
        "QGIS": Affine.scale(1, -1),
    }

    @pytest.fixture(params=[*NUMBERED, "0.5", "0", "none"])
    def numbered(self, request, tmp_path):
        """An image with a CRS and no location, by rioxarray or in memory."""
        if request.param in self.NUMBERED:
            path = tmp_path / "scene.tif"
            transform = self.NUMBERED[request.param]
            scenes.save(path, scenes.rgb_image(*SHAPE), crs=UTM, transform=transform)
            return rioxarray.open_rasterio(path)
        if request.param == "none":
            return bare().rio.write_crs(UTM)
        first = float(request.param)
        coords = {dim: first + np.arange(size) for dim, size in zip("yx", SHAPE)}
        return bare(**coords).rio.write_crs(UTM)

    def test_they_are_refused_unless_allowed(self, numbered, tmp_path):
        with pytest.raises(NotGeoreferenced, match=r"no transform.*write_transform"):
            hsi_xr.reconstruct(numbered, MODEL)
        cube = hsi_xr.reconstruct(numbered, MODEL, allow_ungeoreferenced=True)
        assert cube.attrs["hsi_xr_georeferenced"] == "no"
        assert cube.rio.crs is None and crs_of(cube) is None and transform_of(cube) is None
        product = hsi_xr.write_product(
            cube, tmp_path / "cube.tif", datetime="2026-01-02T03:04:05Z", stac=True
        )
        with rasterio.open(product.cube) as file:
            assert file.crs is None and file.transform.is_identity
        item = hsi_xr.describe(product.cube).to_dict()
        assert item["geometry"] is None and "bbox" not in item
        assert not hsi_xr.validate(product.cube).findings

    def test_the_suggested_repair_works(self, numbered):
        with pytest.raises(NotGeoreferenced) as refused:
            hsi_xr.reconstruct(numbered, MODEL)
        scene = repaired(refused.value, scene=numbered, affine=METRE)
        assert location_of(scene).transform == METRE
        cube = hsi_xr.reconstruct(scene, MODEL)
        assert crs_of(cube) == UTM
        assert transform_of(cube.isel(y=slice(7, 9))) == moved(METRE, 0, 7)

    @pytest.mark.parametrize("crs", [None, UTM])
    def test_the_command_for_a_file_works(self, tmp_path, monkeypatch, crs):
        path = tmp_path / "scene.tif"
        scenes.save(path, scenes.rgb_image(*SHAPE), crs=crs, transform=Affine.identity())
        with pytest.raises(NotGeoreferenced) as refused:
            hsi_xr.reconstruct(path, MODEL)
        _, command, *_ = re.findall(r"`([^`]*)`", str(refused.value))
        monkeypatch.chdir(tmp_path)
        program, *arguments = shlex.split(command)
        found = shutil.which(program, path=Path(sys.executable).parent)
        subprocess.run([found, *arguments], check=True, capture_output=True)
        cube = hsi_xr.reconstruct(path, MODEL)
        assert transform_of(cube) == Affine(0.1, 0, 500_000, 0, -0.1, 4_650_000)
        assert crs_of(cube) == (crs or CRS.from_epsg(32633))

    @pytest.mark.parametrize("suffix", [".tif", ".nc", ".zarr"])
    def test_every_door_refuses_them(self, tmp_path, suffix):
        path = tmp_path / f"scene{suffix}"
        image = bare(**coordinates(Affine.identity(), UTM, SHAPE)).rename("rgb")
        if suffix == ".tif":
            image.rio.to_raster(path)
        elif suffix == ".nc":
            image.to_netcdf(path, engine="h5netcdf")
        else:
            image.to_zarr(path)
        dataset = image.to_dataset("band").rename({0: "red", 1: "green", 2: "blue"})
        for scene in (path, hsi_xr.open(path), image, dataset):
            with pytest.raises(NotGeoreferenced, match="no transform"):
                hsi_xr.reconstruct(scene, MODEL)

    def test_the_pixels_of_a_slice_keep_their_numbers(self):
        whole = bare(**coordinates(Affine.identity(), UTM, SHAPE))
        halves = whole.drop_vars("spatial_ref")
        numbers = halves.assign_coords(y=np.arange(SHAPE[0]), x=np.arange(SHAPE[1]))
        for scene in (whole, halves, numbers):
            assert pixel_grid_of(scene) == Affine.identity()
            assert pixel_grid_of(scene[:, 5:, 7:]) == Affine.translation(7, 5)
            assert transform_of(scene[:, 5:, 7:]) is None
        for part in (
            whole[:, ::2, ::3],
            whole[:, ::-1],
            whole.coarsen(x=4, boundary="trim").mean(),
        ):
            assert transform_of(part) is None

    @pytest.mark.parametrize(
        "transform",
        [
            Affine(1, 0, 500_000, 0, 1, 4_650_000),
            Affine(1, 0, 0, 0, -1, 41),
            Affine(0.5, 0, 0, 0, 0.5, 0),
            Affine(1, 0, 0.25, 0, 1, 0.25),
            Affine(1, 0, -20, 0, 1, -30),
        ],
    )
    def test_unusual_grids_are_places(self, transform):
        assert transform_of(located(transform)) == transform


class TestPoints:
    """Control points and RPCs need a warp; every command that a message gives is run."""

    CORNERS: ClassVar = [
        GroundControlPoint(0, 0, 5e5, 5e6),
        GroundControlPoint(0, 67, 500_067, 5_000_010),
        GroundControlPoint(41, 0, 499_990, 4_999_959),
        GroundControlPoint(41, 67, 500_057, 4_999_969),
    ]
    COEFFICIENTS = RPC(
        height_off=100,
        height_scale=500,
        lat_off=45.15,
        lat_scale=2e-4,
        long_off=15,
        long_scale=4e-4,
        line_off=20.5,
        line_scale=20.5,
        samp_off=33.5,
        samp_scale=33.5,
        line_num_coeff=[0, 0, -1, *[0] * 17],
        line_den_coeff=[1, *[0] * 19],
        samp_num_coeff=[0, 1, *[0] * 18],
        samp_den_coeff=[1, *[0] * 19],
    )

    @pytest.fixture(params=["points", "points without a CRS", "RPCs"])
    def path(self, request, tmp_path):
        path = tmp_path / "scene.tif"
        height, width = SHAPE
        size = {"count": 3, "height": height, "width": width, "dtype": "uint8"}
        with rasterio.open(path, "w", driver="GTiff", **size) as file:
            file.write(scenes.rgb_image(*SHAPE))
            if request.param == "RPCs":
                file.rpcs = self.COEFFICIENTS
            else:
                crs = CRS() if "without" in request.param else CRS.from_epsg(32633)
                file.gcps = self.CORNERS, crs
        return path

    def test_the_command_for_a_file_works(self, path, monkeypatch):
        if shutil.which("gdalwarp") is None:
            pytest.skip("gdalwarp is not installed")
        with pytest.raises(NotGeoreferenced, match=r"4 ground control points|RPCs") as refused:
            hsi_xr.reconstruct(path, MODEL)
        monkeypatch.chdir(path.parent)
        subprocess.run(shlex.split(repair_in(refused.value)), check=True, capture_output=True)
        cube = hsi_xr.reconstruct(path.with_name("warped.tif"), MODEL)
        self._check(cube)

    def test_the_call_for_an_array_works(self, path):
        scene = rioxarray.open_rasterio(path)
        with pytest.raises(NotGeoreferenced, match=r"4 ground control points|RPCs") as refused:
            hsi_xr.reconstruct(scene, MODEL)
        if not repair_in(refused.value).startswith("gdalwarp"):  # as for RPCs, which it drops
            self._check(hsi_xr.reconstruct(repaired(refused.value, scene=scene), MODEL))

    @staticmethod
    def _check(cube):
        assert crs_of(cube) == CRS.from_epsg(32633)
        x, y = transform_of(cube) @ (cube.sizes["x"] / 2, cube.sizes["y"] / 2)
        assert abs(x - 500_030) < 40 and abs(y - 4_999_985) < 400


class TestRoundedCoordinates:
    """Coordinates in float32 beside an exact transform, and alone."""

    GRIDS: ClassVar = {
        "1 m": (UTM, METRE),
        "0.1 m": (UTM, Affine(0.1, 0, 500_000.12, 0, -0.1, 4_650_000.34)),
        "0.25 m, on ties": (UTM, Affine(0.25, 0, 500_000, 0, -0.25, 4_650_000)),
        "degrees": (CRS.from_epsg(4326), Affine(9e-6, 0, 8.123456, 0, -9e-6, 47.1)),
        "south up": (UTM, Affine(0.2, 0, 500_000.7, 0, 0.2, 4_650_000.1)),
    }

    @staticmethod
    def rounded(array: xr.DataArray, dtype="float32") -> xr.DataArray:
        return array.assign_coords(x=array.x.astype(dtype), y=array.y.astype(dtype))

    @pytest.mark.parametrize(("crs", "transform"), GRIDS.values(), ids=GRIDS)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_the_stated_transform_is_taken(self, crs, transform, dtype):
        scene = self.rounded(self.rounded(located(transform, crs)), dtype)
        assert transform_of(scene) == transform
        cube = hsi_xr.reconstruct(scene, MODEL)
        assert tuple(cube.rio.transform()) == pytest.approx(tuple(transform), rel=1e-12)
        assert transform_of(cube[["reflectance"]].isel(y=slice(9, 12))) == moved(transform, 0, 9)

    @pytest.mark.parametrize(("crs", "transform"), GRIDS.values(), ids=GRIDS)
    def test_no_slice_is_put_in_a_wrong_place(self, crs, transform):
        scene = self.rounded(located(transform, crs))
        found = 0
        for top in range(0, 38, 3):
            for rows in (1, 2, 5, 20):
                part = scene[:, top : top + rows, 3:50:2]
                try:
                    result = transform_of(part)
                except InvalidData:
                    continue
                step = Affine.translation(0.5, 0.5) @ Affine.scale(2, 1)
                expected = transform @ Affine.translation(3, top) @ step
                expected @= Affine.translation(-0.5, -0.5)
                assert tuple(result) == pytest.approx(tuple(expected), rel=1e-9)
                found += 1
        assert found > 10

    def test_undecidable_coordinates_are_refused_with_a_repair_that_works(self):
        crs, transform = self.GRIDS["0.1 m"]
        part = self.rounded(located(transform, crs))[:, 4:7]
        with pytest.raises(InvalidData, match="'y' is rounded to 5 pixels") as refused:
            transform_of(part)
        affine = moved(transform, 0, 4)
        assert transform_of(repaired(refused.value, scene=part, affine=affine)) == affine

    def test_without_a_transform_they_must_tell_the_size_of_pixels(self):
        for name, (crs, transform) in self.GRIDS.items():
            alone = self.rounded(located(transform, crs)).drop_vars("spatial_ref")
            if name in ("1 m", "degrees"):
                found = transform_of(alone)
                for corner in [(0, 0), (67, 41)]:
                    offset = ~transform @ (found @ corner)
                    assert np.abs(np.subtract(offset, corner)).max() < 0.25
            else:
                with pytest.raises(InvalidData, match=r"rounded.*write_transform"):
                    transform_of(alone)

    def test_uneven_coordinates_are_no_rounding(self):
        scene = self.rounded(located(METRE))
        with pytest.raises(InvalidData, match="not evenly spaced"):
            transform_of(scene.isel(y=[0, 1, 2, 7, 9]))
        for wrong in (np.nan, np.inf):
            y = scene.y.values.copy()
            y[5] = wrong
            with pytest.raises(InvalidData, match="not evenly spaced"):
                transform_of(scene.assign_coords(y=y))


class TestRotation:
    @pytest.mark.parametrize("noise", [1e-15, -1e-15, -0.0])
    def test_rounding_errors_are_no_rotation(self, noise, tmp_path):
        transform = Affine(0.1, 0.1 * noise, 500_000.1, -0.1 * noise, -0.1, 4_650_000.3)
        path = scenes.save(tmp_path / "a.tif", scenes.rgb_image(*SHAPE), transform=transform)
        image = rioxarray.open_rasterio(path)
        for scene in (path, image):
            cube = hsi_xr.reconstruct(scene, MODEL)
            written = hsi_xr.write(cube, tmp_path / "b.tif", overwrite=True)
            with rasterio.open(written) as file:
                b, d = file.transform.b, file.transform.d
                assert (b, d) == (0, 0) and np.copysign(1, [b, d]).tolist() == [1, 1]
            assert "x" in hsi_xr.open(written).coords

    def test_a_small_rotation_is_one(self):
        assert transform_of(located(Affine(0.1, 1e-8, 5e5, 1e-8, -0.1, 4e6))).b == 1e-8

    @pytest.mark.parametrize("rows", [slice(0, None), slice(5, 20), slice(7, 8)])
    def test_a_rotated_array_by_rioxarray_is_as_by_open(self, tmp_path, rows):
        path = scenes.save(tmp_path / "a.tif", scenes.rgb_image(*SHAPE), transform=TURNED)
        expected = transform_of(hsi_xr.open(path)[:, rows, 9:])
        assert expected == moved(TURNED, 9, rows.start)
        assert transform_of(rioxarray.open_rasterio(path)[:, rows, 9:]) == expected

    @pytest.mark.parametrize("rows", [slice(0, None), slice(5, 20), slice(7, 8)])
    def test_a_rotated_array_whose_coordinates_number_its_pixels(self, rows):
        """As odc-geo writes them."""
        whole = located(TURNED).drop_vars(["row", "column"])
        for first in (0, 0.5):
            numbers = {dim: first + np.arange(size) for dim, size in zip("yx", SHAPE)}
            part = whole.assign_coords(numbers)[:, rows, 9:]
            assert transform_of(part) == moved(TURNED, 9, rows.start)

    def test_a_rotation_that_rioxarray_neglects(self, tmp_path):
        transform = Affine(0.1, 1e-6, 500_000.1, 2e-6, -0.1, 4_650_000.3)
        path = scenes.save(tmp_path / "a.tif", scenes.rgb_image(*SHAPE), transform=transform)
        part = rioxarray.open_rasterio(path)[:, 5:, 9:]
        assert "x" in part.coords
        assert transform_of(part).almost_equals(moved(transform, 9, 5), 1e-9)


class TestGridMappings:
    """Georeferences of any name, found as rioxarray finds them."""

    def dataset(self, names=("red", "green", "blue")) -> xr.Dataset:
        array = located().rename(spatial_ref="crs")
        dataset = array.to_dataset("band").rename(dict(enumerate(names)))
        for name in names:
            dataset[name].encoding = {"grid_mapping": "crs"}
        return dataset

    def check(self, scene, transform=METRE):
        assert crs_of(scene) == UTM and transform_of(scene) == transform
        cube = hsi_xr.reconstruct(scene, MODEL)
        assert crs_of(cube) == cube.rio.crs == UTM
        assert transform_of(cube) == transform

    def test_a_dataset_with_a_mapping_of_another_name(self):
        self.check(self.dataset())
        as_attribute = self.dataset()
        for array in as_attribute.data_vars.values():
            array.attrs, array.encoding = {"grid_mapping": "crs: x y"}, {}
        self.check(as_attribute)
        as_variable = as_attribute.reset_coords("crs")
        self.check(as_variable)
        self.check(as_variable.isel(y=slice(3, None)), moved(METRE, 0, 3))

    def test_a_single_image_of_a_dataset(self):
        image = located().rename(spatial_ref="crs").assign_attrs(grid_mapping="crs")
        self.check(image.to_dataset(name="image").reset_coords("crs"))

    def test_the_only_mapping_needs_no_name(self):
        scene = self.dataset()
        for array in scene.data_vars.values():
            array.encoding = {}
        self.check(scene)
        self.check(located().rename(spatial_ref="somewhere"))

    def test_a_mapping_by_cf_parameters_alone(self):
        import pyproj

        parameters = pyproj.CRS(32619).to_cf()
        parameters.pop("crs_wkt")
        mapping = xr.Variable((), 0, parameters)
        scene = located().drop_vars("spatial_ref").assign_coords(transverse_mercator=mapping)
        scene.attrs["grid_mapping"] = "transverse_mercator"
        assert pyproj.CRS(crs_of(scene)).to_cf()["longitude_of_central_meridian"] == -69
        assert transform_of(scene) == METRE
        hsi_xr.reconstruct(scene, MODEL)

    def test_variables_with_different_georeferences_are_refused(self):
        scene = self.dataset(("red", "green", "nir"))
        other = scene.crs.copy()
        other.attrs = dict(located(crs=CRS.from_epsg(32620)).spatial_ref.attrs)
        scene = scene.assign_coords(other=other)
        scene["nir"].encoding = {"grid_mapping": "other"}
        with pytest.raises(InvalidData, match=r"EPSG:32619.*'crs'.*EPSG:32620.*'other'.*select"):
            crs_of(scene)
        assert crs_of(scene[["red", "green"]]) == UTM
        assert crs_of(hsi_xr.reconstruct(scene.assign(blue=scene.green), MODEL)) == UTM

    @pytest.mark.parametrize("crs", ["epsg:32619", "+init=epsg:32619", 32619, UTM.to_wkt()])
    @pytest.mark.parametrize("transform", [METRE, tuple(METRE), list(METRE)[:6]])
    def test_attributes_of_the_array(self, crs, transform):
        scene = located().drop_vars("spatial_ref").assign_attrs(crs=crs, transform=transform)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # pyproj's, about +init
            self.check(scene)
            self.check(scene[:, 4:, 3:5], moved(METRE, 3, 4))
            bands = scene.assign_coords(band=["red", "green", "blue"]).to_dataset("band")
            for array in bands.data_vars.values():
                array.attrs = scene.attrs
            self.check(bands)

    @pytest.mark.parametrize("written", [False, True])
    def test_corners_of_pixels_as_coordinates(self, written):
        """The default of stackstac; `write_crs` makes its attribute a GeoTransform."""
        centres = located().drop_vars("spatial_ref")
        stack = centres.assign_coords(x=centres.x - 0.5, y=centres.y + 0.5)
        stack = stack.assign_attrs(crs="epsg:32619", transform=METRE)
        scene = stack.rio.write_crs(UTM) if written else stack
        self.check(scene)
        self.check(scene[:, 4:, 3:5], moved(METRE, 3, 4))
        cube = hsi_xr.reconstruct(scene, MODEL)
        assert cube.rio.transform() == METRE
        np.testing.assert_array_equal(cube.x, centres.x)

    @pytest.mark.parametrize("kind", ["unnamed", "extended", "attributes of the file"])
    def test_a_store_by_path_is_as_its_dataset(self, tmp_path, kind):
        scene = self.dataset().reset_coords("crs")
        for array in scene.data_vars.values():
            array.encoding = {}
            if kind == "extended" and array.ndim:
                array.attrs["grid_mapping"] = "crs: x y"
        if kind == "attributes of the file":
            scene = scene.drop_vars("crs").assign_attrs(crs="EPSG:32619", transform=METRE[:6])
        scene.to_netcdf(tmp_path / "scene.nc", engine="h5netcdf")
        self.check(hsi_xr.open(tmp_path / "scene.nc"))
        with xr.open_dataset(tmp_path / "scene.nc") as opened:
            self.check(opened)

    @pytest.mark.parametrize(
        ("attrs", "words"),
        [
            ({"transform": (1, 0, 0)}, "six numbers"),
            ({"transform": (0, 0, 0, 0, 0, 0)}, "six numbers"),
            ({"transform": "north"}, "six numbers"),
            ({"crs": "nowhere"}, r"cannot be parsed.*write_crs"),
        ],
    )
    def test_malformed_attributes_are_refused(self, attrs, words):
        scene = located().drop_vars("spatial_ref").assign_attrs(**attrs)
        with pytest.raises(InvalidData, match=words):
            location_of(scene)
