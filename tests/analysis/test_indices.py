"""Indices of the visible, by spyndex."""

import numpy as np
import pytest
import xarray as xr

from hsi_xr.errors import BandMismatch, UnknownName, UsageError
from tests.analysis.cubes import shuffled
from tests.calibration.ground import CENTRES, cube

spyndex = pytest.importorskip("spyndex", reason="indices need spyndex")


def mean(dataset, low: float, high: float) -> np.ndarray:
    return dataset["reflectance"].values[(low <= CENTRES) & (high >= CENTRES)].mean(0)


def test_an_index_is_its_formula_of_means_over_its_bands():
    dataset = cube()
    red, green = mean(dataset, 620, 690), mean(dataset, 510, 600)
    found = dataset.hsi.indices("NGRDI")
    np.testing.assert_allclose(found, (green - red) / (green + red), rtol=1e-4, atol=1e-6)
    assert found.attrs["bands"] == "G 510 to 600 nm, R 620 to 690 nm"
    assert found.attrs["comment"] == "from a model estimate, not a measurement"


@pytest.mark.parametrize("names", [["GLI", "VARI", "EBI"], ["NPCI"]])
def test_several_are_each_along_an_axis_of_their_names(names):
    dataset = cube(chunks={"band": 5, "y": 17})
    found = dataset.hsi.indices(names)
    assert found.chunks is not None and found.dims == ("index", "y", "x")
    for name in names:
        one = shuffled(cube()).hsi.indices(name)
        np.testing.assert_allclose(found.sel(index=name), one, rtol=1e-4, atol=1e-6)


def test_every_index_that_is_offered_can_be_had():
    dataset = cube().isel(y=slice(0, 7), x=slice(40, 80))
    with pytest.raises(UnknownName) as error:
        dataset.hsi.indices("nothing")
    offered = str(error.value).split("the bands for ")[1].split(", ")
    assert len(offered) > 20 and {"NGRDI", "GLI", "CCI"} <= {*offered}
    found = dataset.hsi.indices(offered)
    assert np.isfinite(found).all()
    nothing_else = {each for name in offered for each in spyndex.indices[name].bands}
    assert nothing_else <= {"A", "B", "G", "G1", "R", "Y", *spyndex.constants}


@pytest.mark.parametrize(
    ("name", "lacking"),
    [("NDVI", r"N \(760 to 900 nm\)"), ("kNDVI", "kNN"), ("NDPolI", "VV, VH")],
)
def test_what_needs_more_than_the_cube_has_is_refused(name, lacking):
    with pytest.raises(BandMismatch, match=lacking):
        cube().hsi.indices(["GLI", name])


def test_a_part_of_a_range_is_not_the_band():
    with pytest.raises(BandMismatch, match=r"R \(620 to 690 nm\)"):
        cube().hsi.bands(400, 650).hsi.indices("NGRDI")


@pytest.mark.parametrize("sensor", ["sentinel-2a", "landsat-8-oli"])
def test_of_a_sensor_a_formula_takes_its_own_bands(sensor):
    seen = cube().hsi.to_sensor(sensor)
    found = seen.hsi.indices("NGRDI")
    red, green = (seen["reflectance"].sel(band=name).values for name in ("B4", "B3"))
    np.testing.assert_allclose(found, (green - red) / (green + red), rtol=1e-4, atol=1e-6)
    assert found.attrs["hsi_xr_sensor"] == sensor


@pytest.mark.parametrize("sensor", ["sentinel-2a", "sentinel-2b", "planetscope-superdove"])
def test_the_band_of_a_letter_is_that_of_spyndex(sensor):
    wide = np.arange(400.0, 1001, 5)
    coords = {"wavelength": ("band", wide), "fwhm": ("band", np.full(len(wide), 5.0))}
    values = np.random.default_rng(1).uniform(0.1, 0.5, (len(wide), 2, 3)).astype("float32")
    seen = xr.DataArray(values, coords, ("band", "y", "x")).hsi.to_sensor(sensor)
    platform = sensor.replace("-", "").replace("superdove", "")
    for letter, name in (("B", "GLI"), ("G", "GLI"), ("R", "GLI"), ("N", "NDVI")):
        theirs = getattr(spyndex.bands[letter], platform, None)
        if theirs is not None and letter in spyndex.indices[name].bands:
            told = dict(each.split(" ")[:2] for each in seen.hsi.indices(name).bands.split(", "))
            assert float(told[letter]) == theirs.wavelength


def test_a_sensor_without_the_band_is_refused():
    with pytest.raises(BandMismatch, match=r"B \(450 to 530 nm\), but the cube has bands at 560"):
        cube().hsi.to_sensor("dji-mavic-3m").hsi.indices("GLI")


def test_a_wrong_name_and_no_name_are_refused():
    with pytest.raises(UnknownName, match="did you mean 'NGRDI'"):
        cube().hsi.indices("ngrdy")
    with pytest.raises(UsageError, match="no index is named"):
        cube().hsi.indices([])
