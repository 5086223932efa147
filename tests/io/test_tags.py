import math
from datetime import UTC, datetime

import numpy as np
import pytest

import hsi_xr
from hsi_xr.errors import MissingFact, UsageError
from hsi_xr.io import tags, wavelengths

CENTRES = [383.88449, 400.0, 410.0, 503.25, 1241.7]
WIDTHS = [5.5, 10.0, math.nan, 9.123456, 12.0]
WRITTEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def wavelengths_from(*bands, descriptions=None, envi=()):
    return wavelengths.choose(bands, descriptions or [None] * len(bands), envi)


def made(attrs, **variable_attrs):
    return tags.product_domains(
        attrs, variable="reflectance", variable_attrs=variable_attrs, written=WRITTEN
    )


def test_wavelengths_can_be_read_back_from_the_tags_of_bands():
    bands = [wavelengths.band_domains(*band) for band in zip(CENTRES, WIDTHS)]
    centres, widths = wavelengths_from(*bands)
    assert centres == CENTRES
    np.testing.assert_array_equal(widths, WIDTHS)


@pytest.mark.parametrize("kept", ["", "IMAGERY"])
def test_each_domain_of_a_band_is_sufficient(kept):
    bands = [{kept: wavelengths.band_domains(*band)[kept]} for band in zip(CENTRES, WIDTHS)]
    assert wavelengths_from(*bands)[0] == CENTRES


def test_the_tags_of_a_band_are_those_that_other_tools_read():
    assert wavelengths.band_domains(410.0, 10.0) == {
        "": {"wavelength": "410", "wavelength_units": "Nanometers", "fwhm": "10"},
        "IMAGERY": {"CENTRAL_WAVELENGTH_UM": "0.41", "FWHM_UM": "0.01"},
    }
    assert wavelengths.band_description(410.0) == "410 nm"


def test_wavelengths_can_be_read_back_from_envi_tags():
    envi_tags = wavelengths.envi_tags([450.5, 550.0, 650.25], [10.0, 11.0, 12.5])
    assert envi_tags["wavelength"] == "{450.5, 550, 650.25}"
    assert envi_tags["default_bands"] == "{3, 2, 1}"
    envi = wavelengths.envi_wavelengths(envi_tags, 3)
    assert wavelengths_from({}, {}, {}, envi=envi) == ([450.5, 550.0, 650.25], [10.0, 11.0, 12.5])
    assert wavelengths.envi_wavelengths(envi_tags, 4) == []


def test_the_more_reliable_statement_takes_precedence():
    band = {"IMAGERY": {"CENTRAL_WAVELENGTH_UM": "0.5"}, "": {"wavelength": "600"}}
    unit = {"": {"Wavelength": "0.6", "Wavelength_Units": "Micrometers", "FWHM": "0.02"}}
    assert wavelengths_from(band, descriptions=["700 nm"]) == ([500.0], None)
    assert wavelengths_from(unit, descriptions=["700 nm"]) == ([600.0], [20.0])


@pytest.mark.parametrize(
    ("description", "centre"),
    [
        ("400 nm", 400.0),
        ("Band 12 (0.4425 µm)", 442.5),
        ("0.65um", 650.0),
        ("550.5 Nanometers", 550.5),
        ("Band_503", 503.0),
        ("Band_1", None),  # a band number, not a wavelength
        ("Band 503", None),
        ("red", None),
        (None, None),
    ],
)
def test_a_number_in_a_description_is_a_wavelength_only_with_a_unit(description, centre):
    assert wavelengths_from({}, descriptions=[description])[0] == (
        None if centre is None else [centre]
    )


@pytest.mark.parametrize(
    "default",
    [
        {"wavelength": "500"},
        {"wavelength": "500", "wavelength_units": "Index"},
        {"wavelength": "-500", "wavelength_units": "nm"},
        {"wavelength": "nan", "wavelength_units": "nm"},
        {"wavelength": "blue", "wavelength_units": "nm"},
    ],
)
def test_a_wavelength_is_never_guessed(default):
    assert wavelengths_from({"": default}) == (None, None)


def test_a_statement_about_some_of_the_bands_is_ignored():
    some = [{"IMAGERY": {"CENTRAL_WAVELENGTH_UM": "0.5"}}, {}]
    assert wavelengths_from(*some) == (None, None)
    assert wavelengths_from(*some, descriptions=["510 nm", "520 nm"])[0] == [510.0, 520.0]


def test_bands_are_displayed_only_as_colours_close_to_their_wavelength():
    assert wavelengths.default_bands(np.arange(400.0, 701.0, 10.0).tolist()) == (26, 16, 6)
    assert wavelengths.default_bands([450.0, 550.0]) is None
    assert wavelengths.default_bands([800.0, 900.0, 1000.0]) is None
    assert wavelengths.default_bands([]) is None


def test_provenance_keeps_its_types():
    attrs = {
        "hsi_xr_seed": np.int64(7),
        "hsi_xr_scale": 1.25,
        "hsi_xr_source": 'a "scene" & <field>.tif',
        "hsi_xr_reconstructed": "YES",
        "datetime": "2026-01-02T03:04:05+01:00",
    }
    stored = made({**attrs, "history": "long"}, units="1", grid_mapping="spatial_ref")
    assert tags.attributes(stored) == {
        "units": "1",
        **attrs,
        "hsi_xr_seed": 7,
        "datetime": "2026-01-02T02:04:05Z",
    }
    assert tags.is_product(stored["HSI_XR"])
    assert all(isinstance(value, str) for domain in stored.values() for value in domain.values())


def test_provenance_is_readable_without_hsi_xr():
    stored = made({"hsi_xr_seed": 7, "hsi_xr_scale": 1.25, "hsi_xr_model_sha256": "ab"})
    assert stored["HSI_XR"] == {
        "SEED": "7",
        "SCALE_IN": "1.25",
        "MODEL_SHA256": "ab",
        "CONFIG": '{"seed":7,"scale":1.25,"model_sha256":"ab"}',
    }
    assert stored[""] == {
        "AREA_OR_POINT": "Area",
        "TIFFTAG_SOFTWARE": f"hsi-xr {hsi_xr.__version__}",
        "TIFFTAG_DATETIME": "2026:01:02 03:04:05",
    }


def test_an_acquisition_time_is_never_guessed():
    assert "IMAGERY" not in made({})
    assert tags.acquisition_time({}) is None
    assert tags.acquisition_time({"IMAGERY": {"ACQUISITIONDATETIME": "last summer"}}) is None
    with pytest.raises(UsageError, match="'last summer'"):
        made({"datetime": "last summer"})


@pytest.mark.parametrize("day", ["2026-01-02", "20260102", "2026-W01-5", " 2026-01-02 "])
def test_a_day_does_not_mean_its_midnight(day):
    assert tags.acquisition_time({"IMAGERY": {"ACQUISITIONDATETIME": day}}) is None
    with pytest.raises(MissingFact, match="2026-01-02T10:30:00Z"):
        made({"datetime": day})
    midnight = made({"datetime": "2026-01-02T00:00"})["IMAGERY"]
    assert midnight == {"ACQUISITIONDATETIME": "2026-01-02 00:00:00.000000"}


def test_invalid_tags_are_ignored():
    assert tags.attributes({"HSI_XR": {"CONFIG": "{cut of", "SEED": "7"}}) == {}
    assert tags.attributes({"HSI_XR": {"CONFIG": "[1, 2]"}}) == {}
