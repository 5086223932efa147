"""`gains` and `calibrate`: laws for any known spectra and any memory layout of the cube."""

import math

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from dask.base import tokenize

import hsi_xr
from hsi_xr.errors import BandMismatch, HsiError, InvalidData, UsageError
from hsi_xr.io.georef import coordinates
from tests.calibration.ground import (
    CENTRES,
    GRID,
    PLACES,
    SMOOTH,
    UTM,
    cube,
    point,
    points,
    spectrum,
)

COARSE = GRID @ Affine.translation(1, 2) @ Affine.scale(10, 8)
SENTINEL = {"wavelength": [492.4, 559.8, 664.6], "fwhm": [66.0, 36.0, 31.0]}


def sentinel(dataset: xr.Dataset, gain: np.ndarray) -> xr.DataArray:
    """Three wide bands over 8 x 7 coarse pixels of the ground, averaged by hand."""
    truth = dataset["reflectance"].values.astype(float) * gain[:, None, None]
    blocks = truth[:, 2:58, 1:81].reshape(31, 7, 8, 8, 10).mean((2, 4))
    centres, widths = (np.array(values)[:, None] for values in SENTINEL.values())
    weights = np.exp(-0.5 * ((CENTRES - centres) / (widths / 2.3548)) ** 2)
    averages = np.tensordot(weights / weights.sum(1, keepdims=True), blocks, 1)
    bands = {name: ("band", values) for name, values in SENTINEL.items()}
    return xr.DataArray(
        averages, dims=("band", "y", "x"), coords={**bands, **coordinates(COARSE, UTM, (7, 8))}
    )


def test_a_smooth_gain_is_recovered():
    dataset = cube()
    fitted = hsi_xr.gains(dataset, points(dataset))
    np.testing.assert_allclose(fitted.values, SMOOTH, rtol=0.004)
    assert fitted.after < 0.004 < 0.2 < fitted.before
    calibrated = dataset.hsi.calibrate(points(dataset))
    truth = dataset["reflectance"] * xr.DataArray(SMOOTH, dims="band")
    np.testing.assert_allclose(calibrated["reflectance"], truth, rtol=0.004)


def test_a_coarse_product_of_wide_bands_gives_the_gain_of_its_bands():
    dataset = cube()
    fitted = hsi_xr.gains(dataset, sentinel(dataset, SMOOTH))
    inside = (CENTRES > 470) & (CENTRES < 690)  # 3 values for 22 bands: interpolated in between
    np.testing.assert_allclose(np.array(fitted.values)[inside], SMOOTH[inside], rtol=0.05)
    assert fitted.before > 0.2 and fitted.after < 0.002
    point = next(p for p in fitted.points if p.name == "pixel 1, 5")
    np.testing.assert_allclose((point.x, point.y), COARSE @ (5.5, 1.5), rtol=1e-12)


def test_a_coarse_product_is_compared_with_the_mean_of_the_cube():
    dataset = cube()
    fitted = hsi_xr.gains(dataset, sentinel(dataset, np.ones(31)))
    np.testing.assert_allclose(fitted.values, 1, atol=1e-5)
    assert fitted.before < 1e-5 and len(fitted.points) > 30


def test_one_bad_point_of_five_is_set_aside():
    dataset = cube()
    good = points(dataset)
    x, y, known = good[1]
    bad = [good[0], (x, y, known / 2), *good[2:]]
    clean, fitted = (hsi_xr.gains(dataset, known) for known in (good, bad))
    np.testing.assert_allclose(fitted.values, clean.values, rtol=0.02)
    assert fitted.attributes["hsi_xr_calibration_points_set_aside"] == 1
    assert fitted.points[1].weight < 0.01
    assert "point 2: " in str(fitted) and "set aside" in str(fitted)


def test_contradicting_points_cause_a_warning():
    dataset = cube()
    low, high = point(dataset, *PLACES[0], gain=0.9), point(dataset, *PLACES[1], gain=3)
    with pytest.warns(UserWarning, match="contradict each other"):
        hsi_xr.gains(dataset, [low, high])


def test_calibrating_twice_changes_nothing():
    dataset = cube()
    known = [(*p[:2], p[2] * f) for p, f in zip(points(dataset), (0.8, 1.1, 1.3, 0.9, 1))]
    once = dataset.hsi.calibrate(known)
    twice = once.hsi.calibrate(known)
    np.testing.assert_allclose(twice["reflectance"], once["reflectance"], rtol=3e-6)
    for name in ("gains", "error_before", "error_after"):
        name = f"hsi_xr_calibration_{name}"
        np.testing.assert_allclose(twice.attrs[name], once.attrs[name], atol=3e-6)


def test_other_spectra_replace_the_first_calibration():
    """Gains apply to the estimate of the model, even if the cube was calibrated since."""
    dataset = cube()
    first, second = points(dataset)[:2], points(dataset, 0.5)[2:]
    changed = dataset.hsi.calibrate(first).hsi.calibrate(second)
    direct = dataset.hsi.calibrate(second)
    np.testing.assert_allclose(changed["reflectance"], direct["reflectance"], rtol=1e-5)


def test_gains_of_one_scene_apply_to_another():
    dataset = cube()
    fitted = hsi_xr.gains(dataset, points(dataset))
    other = cube(40, 57).hsi.calibrate(fitted)
    expected = cube(40, 57)["reflectance"] * xr.DataArray(list(fitted.values), dims="band")
    np.testing.assert_allclose(other["reflectance"], expected, rtol=1e-6)
    assert other.attrs["hsi_xr_calibration_gains"] == list(fitted.values)


def test_bands_in_another_order_are_the_same_bands():
    dataset = cube()
    reversed_bands = dataset.isel(band=slice(None, None, -1))
    reversed_result = reversed_bands.hsi.calibrate(points(dataset))["reflectance"]
    result = dataset.hsi.calibrate(points(dataset))["reflectance"]
    np.testing.assert_allclose(reversed_result.isel(band=slice(None, None, -1)), result, rtol=1e-6)


def test_a_few_bands_of_a_calibrated_cube_keep_their_gains():
    dataset = cube()
    some = dataset.hsi.calibrate(points(dataset)).isel(band=[3, 10, 20])
    wide = [(*p[:2], p[2].isel(wavelength=[3, 10, 20])) for p in points(dataset)]
    assert hsi_xr.gains(some, wide).before == pytest.approx(
        hsi_xr.gains(dataset.isel(band=[3, 10, 20]), wide).before, rel=1e-5
    )


def test_infinite_smoothing_gives_one_gain_for_all_bands():
    dataset = cube()
    fitted = hsi_xr.gains(dataset, points(dataset), smooth=math.inf)
    assert len(set(fitted.values)) == 1
    assert fitted.values[0] == pytest.approx(np.exp(np.log(SMOOTH).mean()), rel=0.03)


def test_percent_needs_a_scale():
    dataset = cube()
    percent = [(x, y, 100 * known) for x, y, known in points(dataset)]
    with pytest.raises(InvalidData, match=r"scale=0\.01"):
        dataset.hsi.calibrate(percent)
    assert hsi_xr.gains(dataset, percent, scale=0.01).values == pytest.approx(SMOOTH, rel=0.004)


@pytest.mark.parametrize("chunks", [{"y": 13, "x": 40}, {"band": 7, "y": 61, "x": 83}])
def test_chunks_do_not_matter(chunks):
    dataset = cube()
    lazy = dataset.chunk(chunks).hsi.calibrate(points(dataset))
    whole = dataset.hsi.calibrate(points(dataset))
    assert lazy.attrs["hsi_xr_calibration_gains"] == whole.attrs["hsi_xr_calibration_gains"]
    np.testing.assert_array_equal(lazy["reflectance"], whole["reflectance"])


def test_only_the_chunks_under_the_points_are_computed():
    dataset, touched = cube(), []

    def record(block, block_info=None):
        touched.append(tuple(block_info[0]["chunk-location"][1:]))
        return block

    lazy = dataset.chunk(y=10, x=20)
    recording = lazy["reflectance"].data.map_blocks(record, meta=np.empty((0, 0, 0), np.float32))
    lazy["reflectance"] = lazy["reflectance"].copy(data=recording)
    calibrated = lazy.hsi.calibrate(points(dataset))
    assert sorted(touched) == [(0, 3), (1, 1), (2, 2), (4, 3), (5, 4)]
    assert calibrated["reflectance"].chunks == lazy["reflectance"].chunks
    added = len(calibrated["reflectance"].__dask_graph__()) - len(recording.__dask_graph__())
    assert added <= 2 * recording.npartitions
    assert sorted(touched) == [(0, 3), (1, 1), (2, 2), (4, 3), (5, 4)]


def test_equal_calibrations_have_equal_dask_tokens():
    dataset = cube(chunks={"y": 20})
    one, other = (dataset.hsi.calibrate(points(dataset))["reflectance"].data for _ in range(2))
    assert tokenize(one) == tokenize(other)


def test_deviations_are_multiplied_and_a_residual_is_dropped():
    dataset = cube(chunks={"y": 20})
    dataset["reflectance_std"] = 0.1 * dataset["reflectance"]
    dataset["rgb_residual"] = dataset["reflectance"].isel(band=0, drop=True)
    dataset["reflectance"].attrs["ancillary_variables"] = "reflectance_std rgb_residual"
    calibrated = dataset.hsi.calibrate(points(dataset))
    assert set(calibrated.data_vars) == {"reflectance", "reflectance_std"}
    assert calibrated["reflectance"].attrs["ancillary_variables"] == "reflectance_std"
    np.testing.assert_allclose(
        calibrated["reflectance_std"], 0.1 * calibrated["reflectance"], rtol=1e-5
    )


def test_the_input_is_not_modified():
    dataset = cube()
    before = dataset.copy(deep=True)
    dataset.hsi.calibrate(points(dataset))
    assert dataset.identical(before)


def test_a_calibrated_cube_is_not_called_consistent():
    """The calibrated cube no longer projects to the RGB image of the camera."""
    dataset = cube().assign_attrs({"hsi_xr_camera": "nikon-d850", "hsi_xr_consistency": "exact"})
    calibrated = dataset.hsi.calibrate(points(dataset))
    assert "hsi_xr_consistency" not in calibrated.attrs
    assert calibrated.attrs["hsi_xr_camera"] == "nikon-d850"
    assert dataset.attrs["hsi_xr_consistency"] == "exact"


def test_the_result_is_still_called_an_estimate():
    dataset = cube()
    calibrated = dataset.hsi.calibrate(points(dataset))
    assert calibrated["reflectance"].attrs["comment"] == "model estimate, not a measurement"
    assert calibrated.attrs["hsi_xr_level"] == "calibrated"
    assert calibrated.attrs["datetime"] == dataset.attrs["datetime"]


def test_the_calibration_is_recorded_in_the_file_and_in_its_description(tmp_path):
    dataset = cube(chunks={"y": 20})
    calibrated = dataset.hsi.calibrate(points(dataset))
    again = hsi_xr.open(hsi_xr.write(calibrated, tmp_path / "cube.tif"))
    for name in hsi_xr.gains(dataset, points(dataset)).attributes:
        assert again.attrs[name] == calibrated.attrs[name], name
    second = again.hsi.calibrate(points(dataset))
    np.testing.assert_allclose(second["reflectance"], again, rtol=2e-3)  # steps of 1e-4
    properties = hsi_xr.describe(tmp_path / "cube.tif").properties
    assert properties["hsi_xr:calibration_gains"] == calibrated.attrs["hsi_xr_calibration_gains"]
    assert properties["hsi_xr:calibration_points"] == 5
    lineage = properties["processing:lineage"]
    assert "calibrated to 5 known spectra (points)" in lineage
    assert "not a measurement" in lineage


def test_a_calibrated_cube_is_not_described_as_its_source_file(tmp_path):
    path = hsi_xr.write(cube(), tmp_path / "cube.tif")
    calibrated = hsi_xr.open(path).hsi.calibrate(points(cube()))
    with pytest.raises(UsageError, match="write it first"):
        hsi_xr.describe(calibrated["reflectance"])


def test_a_table_gives_the_same_gains_as_its_points(tmp_path):
    dataset = cube()
    path = tmp_path / "panels.csv"
    lines = [",".join(["x", "y", *map(str, CENTRES)])]
    lines += [
        ",".join(map(repr, [x, y, *known.values.tolist()])) for x, y, known in points(dataset)
    ]
    path.write_text("\n".join(lines))
    fitted = hsi_xr.gains(dataset, path)
    assert fitted.values == hsi_xr.gains(dataset, points(dataset)).values
    assert fitted.source == "panels.csv"


@pytest.mark.parametrize(
    ("known", "options", "error", "words"),
    [
        ([point(cube(), 3, 70)[:2]], {}, InvalidData, "x, y, spectrum"),
        ([(*point(cube(), 3, 70)[:2], spectrum([0.3], [833]))], {}, BandMismatch, "833 .* 400 to"),
        (
            [(*(GRID @ (5.5, 50.5)), spectrum(np.full(31, 0.3)))],
            {},
            InvalidData,
            "has valid data at none",
        ),
        ([point(cube(), 3, 70)], {"scale": 0}, UsageError, "scale"),
        ([point(cube(), 3, 70)], {"smooth": -1}, UsageError, "smooth"),
        (sentinel(cube(), SMOOTH), {"crs": "EPSG:4326"}, UsageError, "its own CRS"),
        (xr.Dataset(), {}, UsageError, "one array"),
    ],
)
def test_spectra_that_cannot_be_compared_are_refused(known, options, error, words):
    with pytest.raises(error, match=words):
        cube().hsi.calibrate(known, **options)


def test_other_datasets_are_refused():
    known = points(cube())
    without = cube().drop_vars("wavelength")
    for wrong in (xr.Dataset(), without, cube().isel(band=[3])):
        with pytest.raises(HsiError):
            wrong.hsi.calibrate(known)


def test_gains_of_other_bands_are_refused():
    fitted = hsi_xr.gains(cube(), points(cube()))
    other = cube().assign_coords(wavelength=("band", CENTRES + 3))
    with pytest.raises(BandMismatch, match="403"):
        other.hsi.calibrate(fitted)
