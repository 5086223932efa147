"""Every output variable has its name and shape in any combination with the others."""

import subprocess
import sys
from itertools import product

import numpy as np
import pytest

import hsi_xr
from hsi_xr.output_variables import OUTPUT_VARIABLES
from hsi_xr.pipeline.outputs import Outputs
from tests.scenes import CAMERA, ground, photographed

BANDS, ROWS, COLUMNS = 31, 24, 20
OPTIONS = {
    "reflectance_std": {"samples": 2},
    "rgb_residual": {"residual": True},
    "out_of_domain": {"out_of_domain": True},
}
"""Output variable -> the arguments of `reconstruct` that request it."""
COMBINATIONS = [
    {name for name, wanted in zip(OPTIONS, choice) if wanted}
    for choice in product((False, True), repeat=len(OPTIONS))
]


@pytest.fixture(scope="module", params=[None, 16], ids=["whole", "tiled"])
def run(request):
    """Reconstructs a small scene with the requested companions."""
    image = photographed(ground(ROWS, COLUMNS), chunks=None)
    options = {"camera": CAMERA, "radiometry": "reflectance", "scale": 1.0}
    options["survey"] = hsi_xr.survey(image, exact=True, **options)

    def run(companions):
        requested = {key: value for name in companions for key, value in OPTIONS[name].items()}
        return hsi_xr.reconstruct(image, tile=request.param, **options, **requested)

    return run


@pytest.fixture(scope="module")
def complete(run):
    return run(set(OPTIONS))


def test_every_companion_can_be_requested():
    assert {"reflectance", *OPTIONS} == set(OUTPUT_VARIABLES)


@pytest.mark.parametrize("companions", COMBINATIONS, ids=lambda names: "+".join(sorted(names)))
def test_each_variable_has_its_name_shape_and_values_in_any_combination(companions, complete, run):
    cube = run(companions)
    assert list(cube.data_vars) == [
        name for name in OUTPUT_VARIABLES if name in {"reflectance", *companions}
    ]
    for name, array in cube.data_vars.items():
        variable = OUTPUT_VARIABLES[name]
        assert array.dims == variable.dims and array.dtype == "float32"
        shape = (BANDS, ROWS, COLUMNS) if variable.per_band else (ROWS, COLUMNS)
        assert array.shape == shape and np.isfinite(array).all()
        np.testing.assert_allclose(array, complete[name], rtol=1e-5, atol=1e-6)
        assert array.attrs["long_name"] and array.attrs["units"] == "1"
    ancillary = cube["reflectance"].attrs.get("ancillary_variables", "").split()
    assert set(ancillary) == companions


@pytest.mark.parametrize("companions", COMBINATIONS, ids=lambda names: "+".join(sorted(names)))
def test_slices_cover_the_channels_once_and_in_order(companions):
    outputs = Outputs.of(BANDS, **dict.fromkeys(companions, True))
    covered = [i for span in outputs.slices.values() for i in range(span.start, span.stop)]
    assert covered == list(range(outputs.channels))
    assert list(outputs.slices) == list(outputs.names)
    assert outputs.values == sum(BANDS if v.per_band else 1 for v in outputs.variables)


def test_an_unknown_companion_is_rejected():
    with pytest.raises(TypeError, match="unknown output variables: colour"):
        Outputs.of(BANDS, colour=True)


def test_outputs_can_be_imported_without_torch():
    code = "import sys, hsi_xr.pipeline.outputs; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
