"""Spectral responses of cameras by name, file and array; invalid ones are refused."""

import json

import numpy as np
import pytest

import hsi_xr
from examples.default_model import cameras
from hsi_xr.band_grid import Bands
from hsi_xr.camera.spectral_response import TABLE, SpectralResponse
from hsi_xr.errors import InvalidData, UnknownName, UnreadableFile, UsageError
from tests.command_line import run
from tests.scenes import DATA

BANDS = Bands.regular(400, 700, 10)
DRONE = "hasselblad-l2d-20c"


def test_cameras_of_drones_are_known_by_lower_case_names():
    names = hsi_xr.cameras()
    assert {DRONE, "hasselblad-l1d-20c", "sony-ilce-7rm4"} <= set(names)
    assert len(names) == 52 == len({*names}) and all(name == name.lower() for name in names)
    assert run("cameras").stdout.splitlines()[:52] == names


@pytest.mark.parametrize("name", hsi_xr.cameras())
def test_every_camera_has_red_green_and_blue_in_this_order(name):
    """As shown by the mean wavelength of each curve; and white is white."""
    curves = np.array(SpectralResponse.of(name, BANDS).curves)
    np.testing.assert_allclose(curves.sum(1), 1, rtol=1e-6)
    red, green, blue = curves @ BANDS.centres
    assert 560 < red < 640 and 510 < green < 570 and 440 < blue < 490


def test_name_file_and_array_of_one_camera_give_equal_responses(tmp_path):
    named = SpectralResponse.of(DRONE, BANDS)
    fine = Bands.regular(380, 780, 5)
    table = zip(fine.centres, np.array(SpectralResponse.of(DRONE, fine).curves).T.tolist())
    path = tmp_path / "mine.json"
    main = {f"{nm:g}": row for nm, row in table}
    path.write_text(json.dumps({"spectral_data": {"data": {"main": main}}}))
    of_path, of_text = SpectralResponse.of(path, BANDS), SpectralResponse.of(str(path), BANDS)
    assert of_path == of_text and of_path.name == "mine.json"
    np.testing.assert_allclose(of_path.curves, named.curves, atol=1e-6)
    of_array = SpectralResponse.of(7 * np.array(named.curves), BANDS)
    np.testing.assert_allclose(of_array.curves, named.curves, rtol=1e-6)
    assert of_array.name == "as numbers"


def test_the_checksum_is_that_of_the_curves_over_the_bands():
    curves = np.array(SpectralResponse.of(DRONE, BANDS).curves)
    assert SpectralResponse.of(DRONE, BANDS).sha256 == SpectralResponse.of(DRONE, BANDS).sha256
    assert SpectralResponse.of(curves, BANDS).sha256 == SpectralResponse.of(curves, BANDS).sha256
    others = {
        SpectralResponse.of(DRONE, Bands.regular(400, 700, 5)),
        SpectralResponse.of("nikon-d850", BANDS),
    }
    assert SpectralResponse.of(DRONE, BANDS).sha256 not in {other.sha256 for other in others}


@pytest.mark.parametrize(
    ("camera", "error", "message"),
    [
        ("hasselblad-l2d", UnknownName, "did you mean 'hasselblad-l2d-20c'"),
        ("Hasselblad_L2D-20c", UnknownName, "did you mean 'hasselblad-l2d-20c'"),
        ("obscura", UnknownName, "hsi-xr cameras"),
        ("nowhere.json", UnreadableFile, "check the path"),
        ("no/where", UnreadableFile, "check the path"),
        (np.ones((3, 30)), UsageError, r"got \(3, 30\)"),
        (np.zeros((3, 31)), UsageError, "positive"),
        (3, UsageError, "sensitivities"),
    ],
)
def test_invalid_cameras_are_refused_with_a_repair(camera, error, message):
    with pytest.raises(error, match=message):
        SpectralResponse.of(camera, BANDS)


def test_bands_outside_the_measured_range_are_refused():
    with pytest.raises(InvalidData, match="380 to 780 nm, but the bands need 350 to 700 nm"):
        SpectralResponse.of(DRONE, Bands.regular(350, 700, 10))


def test_curves_that_have_faded_are_continued_by_zero(tmp_path):
    wide, narrow = (
        np.array(SpectralResponse.of(DRONE, Bands.regular(400, n, 10)).curves) for n in (1000, 780)
    )
    assert not wide[:, 39:].any()
    np.testing.assert_allclose(wide[:, :39], narrow, rtol=1e-5)
    bare = {"spectral_data": {"data": {"main": {str(nm): [1, 1, 1] for nm in (380, 580, 780)}}}}
    path = tmp_path / "bare.json"
    path.write_text(json.dumps(bare))
    with pytest.raises(InvalidData, match="380 to 780 nm, but the bands need 400 to 1000 nm"):
        SpectralResponse.of(path, Bands.regular(400, 1000, 10))


def test_the_table_is_reproducible_and_has_its_licence(tmp_path):
    assert "Apache-2.0" in TABLE.read_text()[:300]
    assert "Apache License" in TABLE.with_name(cameras.LICENCE).read_text()[:200]
    if not (DATA / "cameras").is_dir():
        pytest.skip(f"no cameras in {DATA}; set HSI_XR_DATA to the folder of the shared data")
    assert cameras.write(DATA / "cameras", tmp_path).read_bytes() == TABLE.read_bytes()
