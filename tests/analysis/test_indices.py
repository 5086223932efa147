"""Spectral indices of the visible range, computed with spyndex."""

import numpy as np
import pytest
import xarray as xr

from hsi_xr.errors import BandMismatch, UnknownName, UsageError
from tests.analysis.cubes import shuffled
from tests.calibration.ground import CENTRES, cube

spyndex = pytest.importorskip("spyndex", reason="indices need spyndex")


def mean(dataset, low: float, high: float) -> np.ndarray:
    return dataset["reflectance"].values[(low <= CENTRES) & (high >= CENTRES)].mean(0)


def test_an_index_applies_its_formula_to_means_over_its_bands():
    dataset = cube()
    red, green = mean(dataset, 620, 690), mean(dataset, 510, 600)
    index = dataset.hsi.indices("NGRDI")
    np.testing.assert_allclose(index, (green - red) / (green + red), rtol=1e-4, atol=1e-6)
    assert index.attrs["bands"] == "G 510 to 600 nm, R 620 to 690 nm"
    assert index.attrs["comment"] == "from a model estimate, not a measurement"


@pytest.mark.parametrize("names", [["GLI", "VARI", "EBI"], ["NPCI"]])
def test_several_indices_are_stacked_along_an_axis_of_names(names):
    dataset = cube(chunks={"band": 5, "y": 17})
    indices = dataset.hsi.indices(names)
    assert indices.chunks is not None and indices.dims == ("index", "y", "x")
    for name in names:
        single = shuffled(cube()).hsi.indices(name)
        np.testing.assert_allclose(indices.sel(index=name), single, rtol=1e-4, atol=1e-6)


def test_every_listed_index_can_be_computed():
    dataset = cube().isel(y=slice(0, 7), x=slice(40, 80))
    with pytest.raises(UnknownName) as error:
        dataset.hsi.indices("nothing")
    listed = str(error.value).split("the bands for ")[1].split(", ")
    assert len(listed) > 20 and {"NGRDI", "GLI", "CCI"} <= {*listed}
    indices = dataset.hsi.indices(listed)
    assert np.isfinite(indices).all()
    letters = {letter for name in listed for letter in spyndex.indices[name].bands}
    assert letters <= {"A", "B", "G", "G1", "R", "Y", *spyndex.constants}


@pytest.mark.parametrize(
    ("name", "missing"),
    [("NDVI", r"N \(760 to 900 nm\)"), ("kNDVI", "kNN"), ("NDPolI", "VV, VH")],
)
def test_an_index_that_needs_other_bands_is_refused(name, missing):
    with pytest.raises(BandMismatch, match=missing):
        cube().hsi.indices(["GLI", name])


def test_a_band_that_is_covered_in_part_is_refused():
    with pytest.raises(BandMismatch, match=r"R \(620 to 690 nm\)"):
        cube().hsi.bands(400, 650).hsi.indices("NGRDI")


@pytest.mark.parametrize("sensor", ["sentinel-2a", "landsat-8-oli"])
def test_an_index_of_a_sensor_uses_the_bands_of_the_sensor(sensor):
    sensor_cube = cube().hsi.to_sensor(sensor)
    index = sensor_cube.hsi.indices("NGRDI")
    red, green = (sensor_cube["reflectance"].sel(band=name).values for name in ("B4", "B3"))
    np.testing.assert_allclose(index, (green - red) / (green + red), rtol=1e-4, atol=1e-6)
    assert index.attrs["hsi_xr_sensor"] == sensor


@pytest.mark.parametrize("sensor", ["sentinel-2a", "sentinel-2b", "planetscope-superdove"])
def test_the_band_for_a_letter_is_the_one_of_spyndex(sensor):
    wide = np.arange(400.0, 1001, 5)
    coords = {"wavelength": ("band", wide), "fwhm": ("band", np.full(len(wide), 5.0))}
    values = np.random.default_rng(1).uniform(0.1, 0.5, (len(wide), 2, 3)).astype("float32")
    sensor_cube = xr.DataArray(values, coords, ("band", "y", "x")).hsi.to_sensor(sensor)
    platform = sensor.replace("-", "").replace("superdove", "")
    for letter, name in (("B", "GLI"), ("G", "GLI"), ("R", "GLI"), ("N", "NDVI")):
        theirs = getattr(spyndex.bands[letter], platform, None)
        if theirs is not None and letter in spyndex.indices[name].bands:
            bands = sensor_cube.hsi.indices(name).bands.split(", ")
            centres = dict(band.split(" ")[:2] for band in bands)
            assert float(centres[letter]) == theirs.wavelength


def test_a_sensor_without_the_band_is_refused():
    with pytest.raises(BandMismatch, match=r"B \(450 to 530 nm\), but the cube has bands at 560"):
        cube().hsi.to_sensor("dji-mavic-3m").hsi.indices("GLI")


def test_an_unknown_name_and_an_empty_list_are_refused():
    with pytest.raises(UnknownName, match="did you mean 'NGRDI'"):
        cube().hsi.indices("ngrdy")
    with pytest.raises(UsageError, match="no index was given"):
        cube().hsi.indices([])
