"""Libraries: what is written is read, by whoever wrote it."""

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


def saved(folder: Path, **header: object) -> Path:
    envi = pytest.importorskip("spectral.io.envi", reason="ENVI needs Spectral Python")
    names = [name.replace(",", "") for name in NAMES]
    told = {"wavelength": NM.tolist(), "wavelength units": "Nanometers", "spectra names": names}
    envi.SpectralLibrary(VALUES, told | header).save(str(folder / "lib"))
    return folder / "lib.sli"


def test_a_library_of_envi_is_read_by_either_of_its_files(tmp_path):
    path = saved(tmp_path, fwhm=[10.0, 11, 12, 13, 14, 15])
    for one in (path, path.with_suffix(".hdr")):
        found = hsi_xr.library(one)
        np.testing.assert_array_equal(found, VALUES)
        assert found.dims == ("spectrum", "wavelength") and found.dtype == "float32"
        np.testing.assert_allclose(found["wavelength"], NM)
        np.testing.assert_allclose(found["fwhm"], [10, 11, 12, 13, 14, 15])
        assert found["spectrum"].values.tolist() == ["lawn dry", "roof", "7"]
        assert found["wavelength"].attrs["units"] == "nm" and found.attrs["source"] == one.name


def test_micrometres_are_nanometres(tmp_path):
    path = saved(
        tmp_path, **{"wavelength": (NM / 1000).tolist(), "wavelength units": "Micrometers"}
    )
    np.testing.assert_allclose(hsi_xr.library(path)["wavelength"], NM)


def test_a_scale_and_what_is_no_number_of_the_header_are_heeded(tmp_path):
    header = saved(tmp_path).with_suffix(".hdr")
    text = header.read_text().replace("data ignore value = NaN", "")
    ignored = f"data ignore value = {float(VALUES[1, 2])!r}\n"
    header.write_text(text + "reflectance scale factor = 100\n" + ignored)
    expected = VALUES / 100
    expected[1, 2] = np.nan
    np.testing.assert_allclose(hsi_xr.library(header), expected, rtol=1e-6)


def test_tables_in_both_directions_are_one_library(tmp_path):
    library = xr.DataArray(
        VALUES, {"spectrum": NAMES, "wavelength": NM}, ("spectrum", "wavelength")
    )
    library[1, 2] = np.nan
    upright, flat = tmp_path / "upright.csv", tmp_path / "flat.CSV"
    library.to_pandas().T.to_csv(upright)
    library.to_pandas().to_csv(flat)
    for path in (upright, flat):
        found = hsi_xr.library(path)
        xr.testing.assert_allclose(found.drop_attrs(), library.rename("library"))
        assert "fwhm" not in found.coords


def test_wavelengths_ascend_whatever_the_file_says(tmp_path):
    path = tmp_path / "lib.csv"
    path.write_text("# of a friend\nname,559.8/36,492.4/66\nlawn,0.2,\n")
    found = hsi_xr.library(path)
    np.testing.assert_allclose(found["wavelength"], [492.4, 559.8])
    np.testing.assert_allclose(found["fwhm"], [66, 36])
    np.testing.assert_allclose(found, [[np.nan, 0.2]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("wavelength,a\n", "no spectrum"),
        ("wavelength,a\n500,dark\n", "dark"),
        ("wavelength,a\n500,0.2\n500,0.3\n", "500 nm twice"),
        ("wavelength,a\n0.5,0.2\n0.6,0.3\n", "give them in nm"),
        ("name,500,source\nlawn,0.2,asd\n", "source"),
        ("name,500\nlawn,0.2,0.3\n", "no table"),
    ],
)
def test_what_is_no_table_is_told(tmp_path, text, words):
    path = tmp_path / "lib.csv"
    path.write_text(text)
    with pytest.raises(InvalidData, match=words):
        hsi_xr.library(path)


def test_a_library_without_a_unit_is_no_guess(tmp_path):
    path = saved(tmp_path, **{"wavelength units": "Unknown"})
    with pytest.raises(MissingFact, match="wavelength units = Nanometers"):
        hsi_xr.library(path)


@pytest.mark.parametrize("name", ["none.csv", "none.sli", "none.hdr"])
def test_a_file_that_is_not_there_is_told(tmp_path, name):
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
def test_published_libraries_are_compared_with_a_cube(path):
    pytest.importorskip("spectral", reason="ENVI needs Spectral Python")
    if "icraf" in path.name:  # its header calls 350 to 2500 micrometers
        with pytest.raises(InvalidData, match=r"350000 to .* mend their unit"):
            hsi_xr.library(path)
        return
    library = hsi_xr.library(path)
    assert library.sizes["wavelength"] == 216 and library["wavelength"][0] == 350
    found = cube().hsi.sam(library.isel(spectrum=slice(0, 9)), degrees=True)
    assert found.attrs["bands"] == "31 of 31"
    assert 0 < found.min() < found.max() < 90
