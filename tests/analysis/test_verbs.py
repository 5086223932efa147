"""What `.hsi` does is what the functions do."""

import inspect

import numpy as np
import pytest

import hsi_xr
from hsi_xr.accessor import HsiAccessor
from tests.calibration.ground import GRID, cube

VERBS = ["bands", "indices", "nearest_band", "sam", "spectrum", "to_hypercoast", "to_sensor"]


@pytest.mark.parametrize("verb", [*VERBS, "to_spectral"])
def test_a_verb_takes_what_its_function_takes(verb):
    theirs = list(inspect.signature(getattr(hsi_xr, verb)).parameters.values())[1:]
    ours = list(inspect.signature(getattr(HsiAccessor, verb)).parameters.values())[1:]
    told = [[(each.name, each.kind, each.default) for each in side] for side in (ours, theirs)]
    assert told[0] == told[1]
    first_line = inspect.getdoc(getattr(hsi_xr, verb)).splitlines()[0]
    assert getattr(HsiAccessor, verb).__doc__.startswith(first_line)


def test_nothing_of_a_lazy_cube_is_computed_before_it_is_asked_for():
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
    found = [
        lazy.hsi.spectrum(*place),
        lazy.hsi.spectrum(*place, size=2),
        lazy.hsi.bands(450, 600),
        lazy.hsi.sam(kept),
        lazy.hsi.to_sensor("sentinel-2a"),
        lazy.hsi.indices(["GLI", "VARI"]),
        lazy.hsi.to_hypercoast(),
    ]
    assert all(each.chunks for each in found)
    lazy.hsi.nearest_band(550)
    with pytest.raises(AssertionError, match="a block was read"):
        found[0].compute()
