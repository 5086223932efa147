"""The accessor `.hsi`: its methods, and its text and HTML representations."""

import inspect
import pydoc

import numpy as np
import pytest
import xarray as xr

import hsi_xr
from hsi_xr.accessor import HsiAccessor
from hsi_xr.errors import InvalidData
from tests.scenes import scene

FUNCTIONS = {"to_product": "write_product", "to_stac_item": "describe"}
METHODS = [name for name in vars(HsiAccessor) if not name.startswith("_")]
SAME = [name for name in METHODS if name not in ("plot", "rgb")]


@pytest.fixture(scope="module")
def cube():
    return scene(40, 50).hsi.reconstruct(radiometry="srgb", samples=2)


@pytest.mark.parametrize("name", SAME)
def test_a_method_has_the_signature_and_the_docstring_of_its_function(name):
    function = getattr(hsi_xr, FUNCTIONS.get(name, name))
    method = getattr(scene(9, 9).hsi, name)
    expected = [*inspect.signature(function).parameters.values()][1:]
    assert [*inspect.signature(method).parameters.values()] == expected
    assert (
        inspect.signature(method).return_annotation is inspect.signature(function).return_annotation
    )
    first_line = inspect.getdoc(function).splitlines()[0]
    assert inspect.getdoc(method).splitlines()[0] == first_line
    assert method.__qualname__ == f"HsiAccessor.{name}"


def test_help_describes_the_arguments_that_a_method_takes(cube):
    text = pydoc.plain(pydoc.render_doc(cube.hsi.write))
    assert "write(path: " in text and "overwrite: bool = False" in text
    assert "        path: " in text and "    obj: " not in text
    assert "Args:" not in inspect.getdoc(cube.hsi.to_hypercoast)
    parameters = inspect.signature(HsiAccessor.write).parameters
    assert [*parameters][:2] == ["self", "path"]


def test_methods_pass_the_object_to_their_functions(cube):
    x, y = float(cube.x[7]), float(cube.y[4])
    xr.testing.assert_identical(cube.hsi.spectrum(x, y=y), hsi_xr.spectrum(cube, x, y))
    xr.testing.assert_identical(cube.hsi.bands(500, last=600), hsi_xr.bands(cube, 500, 600))
    with pytest.raises(TypeError, match="band"):
        cube.hsi.bands(band=1)


def test_completion_lists_methods_only(cube):
    assert dir(cube.hsi) == sorted(METHODS)


def test_scenes_and_cubes_have_a_short_representation(cube):
    assert repr(scene(40, 50).hsi).splitlines() == [
        "<hsi_xr: RGB scene>",
        "    size: 40 rows x 50 columns x 3 bands",
        "    CRS: EPSG:32633",
        "    methods: reconstruct, plan, survey",
    ]
    text = repr(cube.hsi)
    assert text.startswith("<hsi_xr: hyperspectral cube>")
    assert "wavelengths: 400 to 700 nm" in text and "spectrum, bands" in text
    assert max(map(len, text.splitlines())) <= 88
    colours = {name: scene(9, 8)[band].drop_vars("band") for band, name in enumerate("rgb")}
    named = xr.Dataset(colours).rename(r="red", g="green", b="blue")
    assert repr(named.hsi).startswith("<hsi_xr: RGB scene>")
    assert repr(cube.reflectance.isel(band=0, drop=True).hsi).startswith("<hsi_xr: map>")


def test_the_html_representation_has_the_same_content(cube):
    text = cube.hsi._repr_html_()
    assert "hyperspectral cube" in text and "400 to 700 nm" in text
    crs = scene(9, 9).assign_coords(spatial_ref=0)
    crs.spatial_ref.attrs["crs_wkt"] = "<b>none</b>"
    assert "cannot be read" in crs.hsi._repr_html_()


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("reconstruct", lambda hsi: hsi.reconstruct()),
        ("write", lambda hsi: hsi.write("cube.tif")),
        ("rgb", lambda hsi: hsi.rgb()),
        ("plot", lambda hsi: hsi.plot),
    ],
)
@pytest.mark.parametrize(
    ("obj", "words"),
    [
        (xr.DataArray([0]), r"this DataArray has dim_0\. Rename them.*or use `\.hsi` on the scene"),
        (xr.Dataset(), "this Dataset has no dimensions"),
        (
            xr.DataArray(np.zeros((3, 4, 5)), dims=("band", "u", "v")),
            r"has band, u, v\. Rename them, e\.g\. `obj\.rename\(",
        ),
    ],
)
def test_an_object_without_an_image_is_rejected_with_advice(obj, method, call, words):
    with pytest.raises(InvalidData, match=words) as refused:
        call(obj.hsi)
    assert f"`.hsi.{method}` needs an image" in str(refused.value)
    assert repr(obj.hsi).startswith("<hsi_xr: no image>")
