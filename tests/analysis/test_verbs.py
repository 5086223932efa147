"""Accessor methods behave like the functions that they wrap."""

import inspect

import numpy as np
import pytest

import hsi_xr
from hsi_xr.accessor import HsiAccessor
from tests.calibration.ground import GRID, cube

VERBS = ["bands", "indices", "nearest_band", "sam", "spectrum", "to_hypercoast", "to_sensor"]


@pytest.mark.parametrize("verb", [*VERBS, "to_spectral"])
def test_a_method_has_the_signature_of_its_function(verb):
    theirs = list(inspect.signature(getattr(hsi_xr, verb)).parameters.values())[1:]
    ours = list(inspect.signature(getattr(HsiAccessor, verb)).parameters.values())[1:]
    method, function = (
        [(p.name, p.kind, p.default) for p in parameters] for parameters in (ours, theirs)
    )
    assert method == function
    first_line = inspect.getdoc(getattr(hsi_xr, verb)).splitlines()[0]
    assert getattr(HsiAccessor, verb).__doc__.startswith(first_line)


def test_lazy_cubes_are_not_computed_early():
    pytest.importorskip("spyndex", reason="indices need spyndex")
    dataset = cube(chunks={"y": 20})
    dataset["reflectance_std"] = dataset["reflectance"] / 10
    kept = dataset["reflectance"].isel(y=3, x=70).compute()

    def read(block: np.ndarray) -> np.ndarray:
        raise AssertionError("a block was read")

    lazy = dataset.map_blocks(lambda part: part, template=dataset)
    for name in lazy.data_vars:
        lazy[name].data = lazy[name].data.map_blocks(
            read, dtype="float32", meta=np.empty((0, 0, 0))
        )
    place = GRID @ (70.5, 30.5)
    results = [
        lazy.hsi.spectrum(*place),
        lazy.hsi.spectrum(*place, size=2),
        lazy.hsi.bands(450, 600),
        lazy.hsi.sam(kept),
        lazy.hsi.to_sensor("sentinel-2a"),
        lazy.hsi.indices(["GLI", "VARI"]),
        lazy.hsi.to_hypercoast(),
    ]
    assert all(result.chunks for result in results)
    lazy.hsi.nearest_band(550)
    with pytest.raises(AssertionError, match="a block was read"):
        results[0].compute()
