"""Spectral libraries from ENVI, ECOSTRESS and CSV files."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import hsi_xr
from hsi_xr.errors import InvalidData, MissingFact, UnreadableFile, UsageError
from tests.calibration.ground import cube
from tests.scenes import DATA

NM = np.array([398.5, 410.0, 433.25, 500.0, 612.0, 701.0])
NAMES = ["lawn, dry", "roof", "7"]
VALUES = np.random.default_rng(5).uniform(0.01, 0.9, (3, 6)).astype("float32")


def save_library(folder: Path, **header: object) -> Path:
    envi = pytest.importorskip("spectral.io.envi", reason="ENVI needs Spectral Python")
    names = [name.replace(",", "") for name in NAMES]
    defaults = {"wavelength": NM.tolist(), "wavelength units": "Nanometers", "spectra names": names}
    envi.SpectralLibrary(VALUES, defaults | header).save(str(folder / "lib"))
    return folder / "lib.sli"


def test_an_envi_library_is_read_from_either_of_its_files(tmp_path):
    path = save_library(tmp_path, fwhm=[10.0, 11, 12, 13, 14, 15])
    for one in (path, path.with_suffix(".hdr")):
        library = hsi_xr.library(one)
        np.testing.assert_array_equal(library, VALUES)
        assert library.dims == ("spectrum", "wavelength") and library.dtype == "float32"
        np.testing.assert_allclose(library["wavelength"], NM)
        np.testing.assert_allclose(library["fwhm"], [10, 11, 12, 13, 14, 15])
        assert library["spectrum"].values.tolist() == ["lawn dry", "roof", "7"]
        assert library["wavelength"].attrs["units"] == "nm" and library.attrs["source"] == one.name


def test_micrometres_are_converted_to_nanometres(tmp_path):
    path = save_library(
        tmp_path, **{"wavelength": (NM / 1000).tolist(), "wavelength units": "Micrometers"}
    )
    np.testing.assert_allclose(hsi_xr.library(path)["wavelength"], NM)


def test_scale_factor_and_ignore_value_of_the_header_are_applied(tmp_path):
    header = save_library(tmp_path).with_suffix(".hdr")
    text = header.read_text().replace("data ignore value = NaN", "")
    ignored = f"data ignore value = {float(VALUES[1, 2])!r}\n"
    header.write_text(text + "reflectance scale factor = 100\n" + ignored)
    expected = VALUES / 100
    expected[1, 2] = np.nan
    np.testing.assert_allclose(hsi_xr.library(header), expected, rtol=1e-6)


def test_tables_in_both_orientations_give_the_same_library(tmp_path):
    library = xr.DataArray(
        VALUES.copy(), {"spectrum": NAMES, "wavelength": NM}, ("spectrum", "wavelength")
    )
    library[1, 2] = np.nan
    upright, flat = tmp_path / "upright.csv", tmp_path / "flat.CSV"
    library.to_pandas().T.to_csv(upright)
    library.to_pandas().to_csv(flat)
    for path in (upright, flat):
        reread = hsi_xr.library(path)
        xr.testing.assert_allclose(reread.drop_attrs(), library.rename("library"))
        assert "fwhm" not in reread.coords


def test_wavelengths_are_sorted(tmp_path):
    path = tmp_path / "lib.csv"
    path.write_text("# a comment\nname,559.8/36,492.4/66\nlawn,0.2,\n")
    library = hsi_xr.library(path)
    np.testing.assert_allclose(library["wavelength"], [492.4, 559.8])
    np.testing.assert_allclose(library["fwhm"], [66, 36])
    np.testing.assert_allclose(library, [[np.nan, 0.2]])


@pytest.mark.parametrize("head", ["Wavelength (um)", "wavelength_um", "Wavelengths [µm]"])
def test_the_head_of_a_wavelength_column_may_state_its_unit(tmp_path, head):
    path = tmp_path / "lib.csv"
    path.write_text(f"{head},lawn\n0.5,0.2\n0.4,0.1\n", encoding="utf-8")
    np.testing.assert_allclose(hsi_xr.library(path)["wavelength"], [400, 500])
    path.write_text("wavelength (ly),lawn\n0.5,0.2\n")
    with pytest.raises(MissingFact, match=r"'wavelength \(ly\)'.*unit='nm'"):
        hsi_xr.library(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("wavelength;a\n500;0.2\n", "separate cells with commas"),
        ("wavelength,a\n", "no spectrum"),
        ("wavelength,a\n500,dark\n", "dark"),
        ("wavelength,a\n500,0.2\n500,0.3\n", "500 nm twice"),
        ("wavelength,a\n0.5,0.2\n0.6,0.3\n", "give them in nm"),
        ("name,500,source\nlawn,0.2,asd\n", "source"),
        ("name,500\nlawn,0.2,0.3\n", "not a table"),
    ],
)
def test_an_invalid_table_is_refused(tmp_path, text, words):
    path = tmp_path / "lib.csv"
    path.write_text(text)
    with pytest.raises(InvalidData, match=words):
        hsi_xr.library(path)


def test_a_library_without_a_unit_is_refused(tmp_path):
    path = save_library(tmp_path, **{"wavelength units": "Unknown"})
    with pytest.raises(MissingFact, match=r"unit='nm'.*wavelength units = Nanometers"):
        hsi_xr.library(path)
    np.testing.assert_allclose(hsi_xr.library(path, unit="nm")["wavelength"], NM)


def test_the_unit_argument_takes_precedence_over_the_file(tmp_path):
    path = save_library(tmp_path, **{"wavelength units": "Micrometers"})
    with pytest.raises(InvalidData, match=r"398500 to 701000 nm.*unit='nm'"):
        hsi_xr.library(path)
    np.testing.assert_allclose(hsi_xr.library(path, unit="nm")["wavelength"], NM)
    table = tmp_path / "um.csv"
    table.write_text("name,0.5/0.01,0.4/0.02\nlawn,0.2,0.1\n")
    library = hsi_xr.library(table, unit="um")
    np.testing.assert_allclose(library["wavelength"], [400, 500])
    np.testing.assert_allclose(library["fwhm"], [20, 10])
    with pytest.raises(UsageError, match="'furlong' is not a unit"):
        hsi_xr.library(path, unit="furlong")


@pytest.mark.parametrize(("dtype", "code"), [(">f4", 4), (">f8", 5), ("<i2", 2), (">u2", 12)])
def test_all_byte_orders_and_data_types_are_read(tmp_path, dtype, code):
    path = save_library(tmp_path)
    stored = (VALUES * 1000).astype(dtype)
    path.write_bytes(stored.tobytes())
    header = path.with_suffix(".hdr").read_text()
    for name, value in (("byte order", int(dtype[0] == ">")), ("data type", code)):
        header = re.sub(rf"{name} = \d+", f"{name} = {value}", header)
    path.with_suffix(".hdr").write_text(header)
    np.testing.assert_allclose(hsi_xr.library(path), stored.astype(float), rtol=1e-6)


def test_a_truncated_library_is_refused(tmp_path):
    path = save_library(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UnreadableFile, match=r"lib\.sli"):
        hsi_xr.library(path)


def test_an_ecostress_spectrum_is_a_library_of_one(tmp_path):
    pytest.importorskip("spectral", reason="ECOSTRESS spectra need Spectral Python")
    path = tmp_path / "asphalt.spectrum.txt"
    head = "Name: Tar: black\nType: manmade\nMeasurement: Hemispherical\nX Units: Wavelength "
    rows = "\n\n0.7000\t3.1\n0.5000\t2.9\n0.4000\t2.5\n"
    path.write_text(head + "(micrometers)\nY Units: Reflectance (percent)" + rows)
    library = hsi_xr.library(path)
    np.testing.assert_allclose(library["wavelength"], [400, 500, 700])
    np.testing.assert_allclose(library, [[0.025, 0.029, 0.031]], rtol=1e-6)
    assert library["spectrum"].item() == "Tar: black"
    path.write_text(head + "\nY Units: Reflectance" + rows)
    with pytest.raises(MissingFact, match="unit='um'"):
        hsi_xr.library(path)
    np.testing.assert_allclose(hsi_xr.library(path, unit="um"), [[2.5, 2.9, 3.1]])
    path.write_text("325.000, 0.033\t325.000, 0.028\n")
    with pytest.raises(UnreadableFile, match="not a spectrum of the ECOSTRESS library"):
        hsi_xr.library(path)


@pytest.mark.parametrize("name", ["none.csv", "none.sli", "none.hdr"])
def test_a_missing_file_is_refused(tmp_path, name):
    pytest.importorskip("spectral", reason="ENVI needs Spectral Python")
    with pytest.raises(UnreadableFile, match="none"):
        hsi_xr.library(tmp_path / name)


def test_without_spectral_python_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "spectral", None)
    with pytest.raises(UsageError, match=r"hsi-xr\[spectral\]"):
        hsi_xr.library("urban.sli")
    with pytest.raises(UsageError, match=r"hsi-xr\[spectral\]"):
        cube().hsi.to_spectral()


@pytest.mark.parametrize("path", sorted((DATA / "spectra" / "earthlib").glob("*.sli")))
def test_published_libraries_can_be_compared_with_a_cube(path):
    pytest.importorskip("spectral", reason="ENVI needs Spectral Python")
    if "icraf" in path.name:  # its header states micrometers for 350 to 2500
        with pytest.raises(InvalidData, match=r"350000 to .* correct their unit"):
            hsi_xr.library(path)
        return
    library = hsi_xr.library(path)
    assert library.sizes["wavelength"] == 216 and library["wavelength"][0] == 350
    angles = cube().hsi.sam(library.isel(spectrum=slice(0, 9)), degrees=True)
    assert angles.attrs["bands"] == "31 of 31"
    assert 0 < angles.min() < angles.max() < 90
