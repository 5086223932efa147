"""Measured responses of sensors: the table that ships agrees with the curves it was made from."""

import json

import numpy as np
import pytest

from examples.default_model import sources
from examples.default_model.sensors import FOLDERS, name_of, sample, write
from hsi_xr.camera.bandpass import CURVES, PRECISION, STEP, published
from tests.scenes import DATA

NM = np.arange(350, 1011)
FILES = sorted(
    (path for each in FOLDERS.values() for path in (DATA / "sensors" / each).glob("*.json")),
    key=lambda path: name_of(path.stem),
)


@pytest.fixture(scope="module")
def spectra():
    """Field spectra at 1 nm, (count, wavelengths)."""
    paths = sorted((DATA / "spectra" / "muufl-asd").glob("*.txt"))
    tables = [sources._table(path) for path in paths if not path.name.endswith("README.txt")]
    found = [np.interp(NM, t[:, 0], t[:, k]) for t in tables for k in range(1, t.shape[1], 2)]
    return np.array([each for each in found if each.min() > 0 and each.max() < 1.2])


@pytest.mark.skipif(not FILES, reason=f"no curves of sensors in {DATA}")
@pytest.mark.parametrize("path", FILES, ids=lambda path: name_of(path.stem))
def test_bands_of_measured_spectra_are_those_of_the_curves_at_1_nm(path, spectra):
    shipped = published()[name_of(path.stem)]
    for band in json.loads(path.read_text())["bands"].values():
        curve = np.array(band["response"])
        fine = np.interp(NM, band["first_nm"] + np.arange(len(curve)), curve, 0, 0)
        nearest = [
            abs(np.interp(NM, shipped.wavelengths, each, 0, 0) - fine / fine.max()).sum()
            for each in shipped.curves
        ]
        if min(nearest) > 0.1 * fine.sum():
            continue  # the sensor is listed without this band
        own = np.interp(NM, shipped.wavelengths, shipped.curves[np.argmin(nearest)], 0, 0)
        values, expected = (
            np.trapezoid(each * spectra, NM, axis=1) / np.trapezoid(each, NM)
            for each in (own, fine)
        )
        np.testing.assert_allclose(values, expected, atol=1e-3)


@pytest.mark.skipif(not FILES, reason=f"no curves of sensors in {DATA}")
def test_the_table_is_reproduced_with_its_licences(tmp_path):
    write(DATA, tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == CURVES.with_name(path.name).read_bytes(), path.name
    assert {path.name for path in tmp_path.glob("LICENSE.*")} == {f"LICENSE.{s}" for s in FOLDERS}


@pytest.mark.parametrize("first", [431, 432])
def test_a_sampled_curve_has_its_maximum_and_ends_in_zeros(first):
    curve = [0.0, 0.0, 0.2, 0.4, 0.6, 0.8, 0.8, 0.5, 0.0]
    start, values = sample(first, curve)
    at = start + STEP * np.arange(len(values))
    assert start % STEP == 0 and max(values) == PRECISION
    assert values[0] == values[-1] == 0 and min(values[1:-1]) > 0
    exact = np.interp(at, first + np.arange(len(curve)), curve, 0, 0)
    np.testing.assert_allclose(np.array(values) / PRECISION, exact / exact.max(), atol=1e-4)
