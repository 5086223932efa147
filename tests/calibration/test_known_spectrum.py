import numpy as np
import pytest
import xarray as xr

from hsi_xr.band_grid import Bands
from hsi_xr.calibration.known_spectrum import Spectrum
from hsi_xr.errors import InvalidData
from tests.calibration.ground import CENTRES, spectrum

CUBE = Bands.regular(400, 700, 10)
CURVE = 0.2 + 0.1 * np.sin(CENTRES / 40)


def test_equal_bands_are_compared_without_resampling():
    known, mixing = Spectrum.parse(spectrum(CURVE), "it").compare_with(CUBE)
    np.testing.assert_array_equal(known, CURVE)
    np.testing.assert_array_equal(mixing, np.eye(31))


def test_the_order_of_wavelengths_does_not_matter():
    reversed_spectrum = Spectrum.parse(spectrum(CURVE).isel(wavelength=slice(None, None, -1)), "it")
    np.testing.assert_array_equal(reversed_spectrum.compare_with(CUBE)[0], CURVE)


def test_a_finer_spectrum_is_averaged_by_the_bands_of_the_cube():
    fine = np.arange(350.0, 1001)
    known, mixing = Spectrum.parse(spectrum(0.1 + 0.3 * (fine > 555), fine), "it").compare_with(
        CUBE
    )
    np.testing.assert_array_equal(mixing, np.eye(31))
    weights = np.exp(-0.5 * ((fine - 550) / (10 / 2.3548)) ** 2)
    expected = 0.1 + 0.3 * weights[fine > 555].sum() / weights.sum()
    assert known[15] == pytest.approx(expected, abs=1e-4)
    np.testing.assert_allclose(known[[3, 27]], [0.1, 0.4], atol=1e-6)


def test_wide_bands_average_the_cube_by_their_gaussians():
    bands = spectrum([0.1, 0.2, 0.3], np.array([492.4, 559.8, 664.6]), fwhm=[66.0, 36.0, 31.0])
    known, mixing = Spectrum.parse(bands, "it").compare_with(CUBE)
    weights = np.exp(-0.5 * ((CENTRES - 559.8) / (36 / 2.3548)) ** 2)
    assert known.tolist() == [0.1, 0.2, 0.3]
    np.testing.assert_allclose(mixing @ CURVE, mixing.astype(float) @ CURVE)
    assert (mixing @ CURVE)[1] == pytest.approx((weights @ CURVE) / weights.sum(), rel=1e-5)
    np.testing.assert_allclose(mixing.sum(1), 1)


def test_a_single_wavelength_is_interpolated_between_two_bands():
    _, mixing = Spectrum.parse(spectrum([0.3], np.array([553.0])), "it").compare_with(CUBE)
    np.testing.assert_allclose(mixing @ CENTRES, 553, rtol=1e-6)
    assert (mixing > 0).sum() == 2


def test_bands_that_the_cube_does_not_cover_are_omitted():
    """A band at 690 nm that is 60 nm wide extends beyond a cube up to 700 nm."""
    centres = np.array([395.0, 560, 690, 833])
    bands = spectrum([0.1, 0.2, 0.3, 0.4], centres, fwhm=[20.0, 36, 60, 106])
    assert Spectrum.parse(bands, "it").compare_with(CUBE)[0].tolist() == [0.2]


def test_nan_values_are_omitted():
    values = CURVE.copy()
    values[[2, 20]] = np.nan
    known, mixing = Spectrum.parse(spectrum(values), "it").compare_with(CUBE)
    assert len(known) == 29 and mixing.shape == (29, 31)


def test_micrometres_are_converted_if_they_are_stated():
    array = spectrum(CURVE).assign_coords(wavelength=("wavelength", CENTRES / 1000))
    array["wavelength"].attrs["units"] = "um"
    parsed = Spectrum.parse(array, "it")
    np.testing.assert_allclose(parsed.bands.centres, CENTRES)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (spectrum(100 * CURVE), ["panel 7", "29.", "0.01"]),
        (spectrum(CURVE - CURVE[4]), ["panel 7", "nm", "NaN"]),
        (spectrum(np.full(31, np.nan)), ["panel 7", "no values"]),
        (spectrum(CURVE, CENTRES / 1000), ["0.4 to 0.7", "in nm"]),
        (spectrum(CURVE, np.where(CENTRES == 410, 400, CENTRES)), ["400 nm twice"]),
        (xr.DataArray(CURVE), ["panel 7", "wavelength"]),
    ],
)
def test_other_values_are_refused_with_a_repair(array, words):
    with pytest.raises(InvalidData) as error:
        Spectrum.parse(array, "panel 7")
    assert all(word in str(error.value) for word in words), error.value
