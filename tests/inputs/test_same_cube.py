"""One scene gives one cube through every door, in whatever container, encoding and order it is."""

import re
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import rioxarray
import xarray as xr
from rasterio.crs import CRS

import hsi_xr
from hsi_xr.errors import BandMismatch, HsiError, InvalidData, MissingFact, UsageError
from hsi_xr.io.georef import coordinates
from tests.command_line import run
from tests.inputs.containers import CONTAINERS, PATHS, Files, write_store
from tests.inputs.encodings import COLUMNS, ENCODINGS, ORDERS, ROWS
from tests.scenes import GRID, UTM

MODEL = "root-polynomial"
"""The fastest model, for colours, levels, nodata and positions of every combination. The terms of
its polynomial nearly cancel, so that it multiplies rounding errors by 10,000."""
EXACT = "default"
"""A model that does not, for values."""
TOLERANCE = {MODEL: 5e-3, EXACT: 1e-5}

ENCODING = {each.name: each for each in ENCODINGS}


def refusal(container, encoding, order):
    """The error and its repair that are due; None if a cube is."""
    if order.by == "both":
        return BandMismatch, r"rgb=.*--bands"
    if encoding.mask and not container.has_mask:
        return InvalidData, r"masked=True"
    return None


def cases(containers=CONTAINERS, encodings=ENCODINGS, orders=ORDERS, *, refused=False):
    """The combinations that exist, by default those that give a cube.

    Containers that differ in chunks or axes only come in the last order that exists.
    """
    found = [
        case
        for case in product(containers, encodings, orders)
        if case[0].holds(*case[1:]) and (refusal(*case) is not None) == refused
    ]
    last = {case[:2]: case for case in found}
    return [
        pytest.param(*case, id=" | ".join(map(str, case)))
        for case in found
        if not case[0].one_order or last[case[:2]] == case
    ]


def once(containers=CONTAINERS, encodings=ENCODINGS):
    """Each container with each encoding, in the last order that exists."""
    return list({case.values[:2]: case for case in cases(containers, encodings)}.values())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("inputs"))


def array_by_hand(encoding, *, each_band=False):
    """The image as floating-point numbers, without any statement."""
    located = coordinates(GRID, CRS.from_string(UTM), (ROWS, COLUMNS))
    values = encoding.decoded(each_band=each_band)[:3]
    return xr.DataArray(values, dims=("band", "y", "x"), coords={"band": [1, 2, 3], **located})


def options_by_hand(encoding):
    return {"radiometry": encoding.kind, "scale": encoding.factor}


@cache
def expected_cube(name, each_band=False, model=MODEL):
    array = array_by_hand(ENCODING[name], each_band=each_band)
    return hsi_xr.reconstruct(array, model, **options_by_hand(ENCODING[name]))


@cache
def expected_survey(name, each_band=False):
    array = array_by_hand(ENCODING[name], each_band=each_band)
    return hsi_xr.survey(array, EXACT, **options_by_hand(ENCODING[name]))


@cache
def crs_of(text):
    return CRS.from_wkt(text)


def assert_same(found, expected, model=MODEL):
    """Values, NaN and positions are equal."""
    found = found["reflectance"].compute(scheduler="synchronous").transpose("band", "y", "x")
    wanted = expected["reflectance"]
    np.testing.assert_array_equal(np.isnan(found.values), np.isnan(wanted.values))
    np.testing.assert_allclose(found.values, wanted.values, atol=TOLERANCE[model], rtol=0)
    for axis in ("y", "x"):
        np.testing.assert_allclose(found[axis], wanted[axis], atol=1e-6)
    assert crs_of(found["spatial_ref"].attrs["crs_wkt"]) == UTM


def assert_same_survey(found, expected):
    """Statistics are equal up to rounding."""
    assert found.statistics.keys() == expected.statistics.keys()
    for name, wanted in expected.statistics.items():
        np.testing.assert_allclose(found.statistics[name], wanted, rtol=1e-4, atol=1e-5)


def stated_rule(text):
    """Kind, scale and offset in a text."""
    kind, scale, offset = re.search(
        r"(srgb|linear|reflectance), scale ([-\d.e]+)(?:, offset ([-\d.e]+))?", text
    ).groups()
    return kind, float(scale), float(offset or 0)


def expected_rule(container, encoding):
    if container.is_float or not encoding.is_scaled:
        return encoding.kind, encoding.factor, 0.0
    return encoding.kind, encoding.scale, encoding.offset


def doors(scene, **options):
    """Every function that takes a scene: name -> call without arguments."""
    found = {
        "reconstruct": lambda: hsi_xr.reconstruct(scene, MODEL, **options),
        "survey": lambda: hsi_xr.survey(scene, EXACT, **options),
        "plan": lambda: hsi_xr.plan(scene, MODEL, **options),
    }
    if not isinstance(scene, Path):
        found["accessor"] = lambda: scene.hsi.reconstruct(MODEL, **options)
    return found


DESTINATION = {"reconstruct": "cube.tif", "convert": "cubes"}
FLAGS = {"radiometry": "--radiometry", "scale": "--input-scale", "offset": "--input-offset"}


def on_command_line(name, source, destination, **options):
    """Runs a command on a scene, and returns its result."""
    arguments = [text for option, value in options.items() for text in (FLAGS[option], value)]
    common = ("--model", MODEL, "--dtype", "float32", "--no-stac", "-q", "--progress", "none")
    return run(name, source, destination, *arguments, *common)


# the expected cube itself


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
@pytest.mark.parametrize("model", [MODEL, EXACT])
def test_the_cubes_differ_where_the_images_do(encoding, model):
    """The table shows nothing if colours, levels or nodata made no difference."""
    array, options = array_by_hand(encoding), options_by_hand(encoding)
    wanted = expected_cube(encoding.name, model=model)["reflectance"].values
    for other in (array[::-1].assign_coords(band=[1, 2, 3]), array * 0.8 + 0.1):
        cube = hsi_xr.reconstruct(other, model, **options)["reflectance"].values
        assert np.nanmax(abs(cube - wanted)) > 4 * TOLERANCE[model]
    assert np.isnan(wanted).any() == encoding.has_edge


# one cube, or one refusal


@pytest.mark.parametrize(("container", "encoding", "order"), cases())
def test_one_cube(container, encoding, order, files):
    scene, options = container.open(files, encoding, order), container.options(encoding)
    cube = hsi_xr.reconstruct(scene, MODEL, **options)
    assert_same(cube, expected_cube(encoding.name, not container.keeps_nodata))


@pytest.mark.parametrize(("container", "encoding", "order"), once())
def test_all_doors_are_one(container, encoding, order, files):
    """Methods do what functions do, and a survey sees what a reconstruction sees."""
    scene, options = container.open(files, encoding, order), container.options(encoding)
    each_band = not container.keeps_nodata
    door = hsi_xr if isinstance(scene, Path) else scene.hsi
    first = (scene, EXACT) if isinstance(scene, Path) else (EXACT,)
    cube = door.reconstruct(*first, **options)
    assert_same(cube, expected_cube(encoding.name, each_band, EXACT), EXACT)
    survey = door.survey(*first, **options)
    assert_same_survey(survey, expected_survey(encoding.name, each_band))
    kind, *numbers = stated_rule(str(door.plan(*first, **options)))
    wanted, *stated = expected_rule(container, encoding)
    assert kind == wanted and numbers == pytest.approx(stated, rel=1e-5)


@pytest.mark.parametrize(("container", "encoding", "order"), cases(refused=True))
def test_one_refusal_with_its_repair(container, encoding, order, files, tmp_path):
    scene, options = container.open(files, encoding, order), container.options(encoding)
    error, repair = refusal(container, encoding, order)
    for call in doors(scene, **options).values():
        with pytest.raises(error, match=repair):
            call()
    if isinstance(scene, Path):
        for command in ("reconstruct", "convert"):
            destination = tmp_path / DESTINATION[command]
            done = on_command_line(command, scene, destination, **options)
            assert done.exit_code > 0 and re.search(repair, done.stderr)
            assert not destination.exists()


@pytest.mark.parametrize(
    ("container", "encoding", "order"),
    [case for case in once() if case.values[0].options(case.values[1])],
)
def test_what_nothing_states_is_asked_for(container, encoding, order, files):
    scene = container.open(files, encoding, order)
    for call in doors(scene).values():
        with pytest.raises(MissingFact, match=r"radiometry=.*scale="):
            call()


@pytest.mark.parametrize(("container", "encoding", "order"), cases(PATHS[:1]) + once(PATHS[1:]))
def test_the_command_line_gives_the_same_cube(container, encoding, order, files, tmp_path):
    source, cube = container.open(files, encoding, order), tmp_path / "cube.tif"
    done = on_command_line("reconstruct", source, cube, **container.options(encoding))
    assert done.exit_code == 0, done.output
    opened = hsi_xr.open(cube).to_dataset(name="reflectance")
    assert_same(opened, expected_cube(encoding.name))


def test_a_conversion_gives_the_same_cubes(files, tmp_path):
    """All files at once, in which formats, types, encodings and orders differ."""
    found = {}
    for case in cases(PATHS[:1]) + once(PATHS[1:]):
        container, encoding, order = case.values
        source = container.open(files, encoding, order)
        found[source] = encoding
    (tmp_path / "list.txt").write_text("\n".join(map(str, found)))
    options = {"radiometry": "float32=reflectance"}
    done = on_command_line("convert", tmp_path / "list.txt", tmp_path / "cubes", **options)
    assert done.exit_code == 0, done.output
    for source, encoding in found.items():
        opened = hsi_xr.open(tmp_path / "cubes" / source.stem / f"{source.stem}.tif")
        assert_same(opened.to_dataset(name="reflectance"), expected_cube(encoding.name))


# laws


SCALED = [each for each in ENCODINGS if each.is_scaled]
STATING = [
    each for each in CONTAINERS if each.states_scale and not (each.is_float or each.one_order)
]


@pytest.mark.parametrize(("container", "encoding", "order"), once(STATING, SCALED))
def test_a_scale_that_is_stated_twice_must_be_equal(container, encoding, order, files):
    scene = container.open(files, encoding, order)
    scale, offset = encoding.scale, encoding.offset
    wanted = str(hsi_xr.plan(scene, MODEL))
    for equal in ({"scale": scale}, {"offset": offset}, {"scale": scale, "offset": offset}):
        assert str(hsi_xr.plan(scene, MODEL, **equal)) == wanted
    cube = hsi_xr.reconstruct(scene, MODEL, scale=scale * (1 + 1e-8), offset=offset)
    assert_same(cube, expected_cube(encoding.name))
    repair = r"scale .*0\.0001.*(omit|delete|remove)"
    for other in ({"offset": offset + 0.1}, {"scale": scale, "offset": 0.2}):
        with pytest.raises(UsageError, match=repair):
            hsi_xr.plan(scene, MODEL, **other)
    for call in doors(scene, scale=2 * scale).values():
        with pytest.raises(UsageError, match=repair):
            call()


@pytest.mark.parametrize("command", ["reconstruct", "convert"])
@pytest.mark.parametrize("encoding", SCALED, ids=str)
def test_commands_do_not_scale_twice(encoding, command, files, tmp_path):
    source, destination = files.geotiff(encoding, ORDERS[0]), tmp_path / DESTINATION[command]
    for other in ({"scale": 2e-4}, {"offset": 0.3}, {"scale": encoding.scale, "offset": 0.3}):
        done = on_command_line(command, source, destination, **other)
        assert done.exit_code > 0
        assert re.search(r"0\.0001.*--input-scale", done.stderr), done.stderr
        assert not destination.exists()
    equal = {"scale": encoding.scale, "offset": encoding.offset}
    done = on_command_line(command, source, destination, **equal)
    assert done.exit_code == 0, done.output
    inside = Path() if command == "reconstruct" else Path(source.stem, source.name)
    opened = hsi_xr.open(destination / inside).to_dataset(name="reflectance")
    assert_same(opened, expected_cube(encoding.name))


NAMED = [each for each in ORDERS if each.by == "names"]
HAVE_NAMES = [each for each in CONTAINERS if each.has_names and not each.one_order]
FEW = [ENCODING["uint8 nodata 0"], ENCODING["uint16 scaled"]]


@pytest.mark.parametrize(("container", "encoding", "order"), cases(HAVE_NAMES, FEW[1:], NAMED))
def test_bands_by_name_are_those_by_number(container, encoding, order, files):
    scene, options = container.open(files, encoding, order), container.options(encoding)
    wanted = expected_cube(encoding.name, not container.keeps_nodata)
    for rgb in (("Red", "GREEN", "blue"), container.numbers(order)):
        assert_same(hsi_xr.reconstruct(scene, MODEL, rgb=rgb, **options), wanted)
    for unknown in ("ultraviolet", 9):
        with pytest.raises(HsiError, match=f"no band.*{unknown}"):
            hsi_xr.plan(scene, MODEL, rgb=("red", "green", unknown), **options)


ARRAYS = [each for each in CONTAINERS if each not in PATHS]
AXES = {"y": "y", "x": "x", "northing": "y", "easting": "x"}


@pytest.mark.parametrize(("container", "encoding", "order"), once(ARRAYS, FEW))
def test_a_slice_of_the_scene_gives_a_slice_of_the_cube(container, encoding, order, files):
    scene, options = container.open(files, encoding, order), container.options(encoding)
    survey = hsi_xr.survey(scene, MODEL, **options)
    part = {"y": slice(3, 30), "x": slice(2, 41)}
    own = {dim: part[axis] for dim, axis in AXES.items() if dim in scene.dims}
    cube = hsi_xr.reconstruct(scene.isel(own), MODEL, survey=survey, **options)
    whole = expected_cube(encoding.name, not container.keeps_nodata)
    assert_same(cube, whole.isel(part))


def test_bands_of_a_store_have_one_order(tmp_path):
    """Without consolidated metadata, Zarr lists the arrays of a group in any order."""
    encoding, order = ENCODING["uint16 scaled"], NAMED[-1]
    path = tmp_path / "scene.zarr"
    write_store(path, encoding, order, variables=True, consolidated=False)
    for _ in range(8):
        assert hsi_xr.open(path).attrs["long_name"] == tuple(sorted(order.bands))
        cube = hsi_xr.reconstruct(path, MODEL)
        assert_same(cube, expected_cube(encoding.name))


def test_values_of_arithmetic_are_ambiguous_where_attributes_remain(files):
    """A scale in the attributes of floating-point values may have been applied or not."""
    scene = files.geotiff(ENCODING["uint16 scaled"], ORDERS[0])
    with xr.set_options(keep_attrs=True):
        scaled = rioxarray.open_rasterio(scene) * 1e-4 - 0.1
    for call in doors(scaled).values():
        with pytest.raises(UsageError, match=r"scale_factor.*pass scale=1 if they have"):
            call()


@pytest.fixture(scope="module")
def cube_file(files):
    path = files.folder / "cube.nc"
    hsi_xr.write(expected_cube("float32"), path)
    return path


@pytest.mark.parametrize(
    "open_cube",
    [
        lambda path: expected_cube("float32"),
        lambda path: expected_cube("float32")["reflectance"],
        lambda path: path,
        hsi_xr.open,
        lambda path: xr.open_dataset(path, engine="hsi_xr"),
        lambda path: xr.open_dataset(path, engine="h5netcdf", decode_coords="all"),
    ],
    ids=["Dataset", "DataArray", "path", "hsi_xr.open", "engine hsi_xr", "xarray"],
)
def test_a_cube_is_not_a_scene(open_cube, cube_file):
    """It has bands of 650, 550 and 450 nm, but they are estimates already."""
    cube = open_cube(cube_file)
    for call in doors(cube, radiometry="reflectance").values():
        with pytest.raises((BandMismatch, InvalidData), match=r"is a .*cube|hyperspectral cube"):
            call()
    assert hsi_xr.plan(cube, MODEL, rgb=(26, 16, 6), radiometry="reflectance")
