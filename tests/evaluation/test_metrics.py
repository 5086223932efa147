"""Scores follow their formulas, add up over blocks, and are NaN without valid pixels."""

import numpy as np
import pytest

from hsi_xr.evaluation.metrics import Tally, mrae, psnr, rmse, sam, spectral_angle


@pytest.fixture
def cubes() -> tuple[np.ndarray, np.ndarray]:
    """An estimate and a truth of 7 bands, 11 rows, 13 columns; the estimate leaves [0, 1]."""
    rng = np.random.default_rng(3)
    truth = rng.uniform(0.05, 0.9, (7, 11, 13)) * np.linspace(0.3, 1, 13)
    return truth + rng.normal(0.02, 0.15, truth.shape), truth


def test_scores_follow_their_formulas_value_by_value(cubes):
    estimate, truth = cubes
    squares, shares, angles, clamped = [], [], [], []
    for row in range(11):
        for column in range(13):
            e, t = estimate[:, row, column], truth[:, row, column]
            squares += [(a - b) ** 2 for a, b in zip(e, t, strict=True)]
            shares += [abs(a - b) / b for a, b in zip(e, t, strict=True)]
            clamped += [(min(max(a, 0), 1) - b) ** 2 for a, b in zip(e, t, strict=True)]
            angles.append(np.arccos(e @ t / np.sqrt((e @ e) * (t @ t))))
    assert rmse(estimate, truth) == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-12)
    assert mrae(estimate, truth) == pytest.approx(np.mean(shares), rel=1e-12)
    assert psnr(estimate, truth) == pytest.approx(10 * np.log10(1 / np.mean(clamped)), rel=1e-12)
    assert sam(estimate, truth) == pytest.approx(np.degrees(np.mean(angles)), rel=1e-9)


def test_psnr_equals_that_of_the_benchmark_with_255_levels(cubes):
    estimate, truth = (np.clip(cube, 0, 1) * 255 for cube in cubes)
    joint = np.mean((estimate - truth) ** 2)
    assert psnr(*cubes) == pytest.approx(10 * np.log10(255**2 / joint), rel=1e-12)


def test_known_errors_give_known_scores():
    truth = np.full((31, 4, 6), 0.5)
    assert psnr(truth + 0.1, truth) == pytest.approx(20)
    assert rmse(truth - 0.1, truth) == pytest.approx(0.1)
    assert mrae(truth - 0.1, truth) == pytest.approx(0.2)
    assert psnr(truth, truth) == float("inf")


def test_memory_layout_does_not_change_a_score(cubes):
    """A published PSNR reads channels-last tensors in the wrong order."""
    estimate, truth = cubes
    last = np.moveaxis(np.ascontiguousarray(np.moveaxis(estimate, 0, -1)), -1, 0)
    backward = np.asfortranarray(estimate)
    every_second = np.repeat(estimate, 2, axis=2)[:, :, ::2]
    for layout in (last, backward, every_second):
        for score in (mrae, rmse, psnr, sam):
            assert score(layout, truth) == pytest.approx(score(estimate, truth), rel=1e-12)


def test_float32_cubes_are_summed_in_float64():
    truth = np.full((31, 300, 400), 0.1, dtype=np.float32)
    estimate = truth.copy()
    estimate[:, 0, 0] += 0.5
    assert rmse(estimate, truth) == pytest.approx(0.5 / np.sqrt(300 * 400), rel=1e-6)


@pytest.mark.parametrize("cut", [1, 4, 10])
def test_tallies_of_blocks_add_up_to_the_tally_of_the_cube(cubes, cut):
    estimate, truth = cubes
    estimate[2, 5, 7] = np.nan
    whole = Tally.of(estimate, truth, floor=0.2)
    parts = Tally.of(estimate[:, :cut], truth[:, :cut], floor=0.2)
    parts = parts + Tally.of(estimate[:, cut:], truth[:, cut:], floor=0.2)
    for score in ("mrae", "rmse", "psnr", "sam"):
        assert getattr(parts, score) == pytest.approx(getattr(whole, score), rel=1e-12)
    assert parts.values == whole.values == 7 * (11 * 13 - 1)


def test_a_pixel_with_nan_in_one_band_is_omitted_from_every_score(cubes):
    estimate, truth = cubes
    broken_estimate, broken_truth = estimate.copy(), truth.copy()
    broken_estimate[3, :, 4] = np.nan
    broken_truth[0, :, 9] = np.nan
    kept = [column for column in range(13) if column not in (4, 9)]
    for score in (mrae, rmse, psnr, sam):
        expected = score(estimate[:, :, kept], truth[:, :, kept])
        assert score(broken_estimate, broken_truth) == pytest.approx(expected, rel=1e-12)


def test_scores_without_valid_pixels_are_nan():
    empty = np.full((5, 3, 4), np.nan)
    for score in (mrae, rmse, psnr, sam):
        assert np.isnan(score(empty, empty))
    black = np.zeros((5, 3, 4))
    assert np.isnan(mrae(black + 0.1, black))
    assert np.isnan(sam(black + 0.1, black))


def test_the_gain_minimises_the_error(cubes):
    estimate, truth = cubes
    gain = Tally.of(estimate, truth).gain
    assert gain != pytest.approx(1, abs=0.01)
    best = rmse(gain * estimate, truth)
    assert best < min(rmse(0.99 * gain * estimate, truth), rmse(1.01 * gain * estimate, truth))
    assert Tally.of(4 * truth, truth).gain == pytest.approx(0.25)
    assert np.isnan(Tally.of(0 * truth, truth).gain)


def test_the_floor_omits_dark_pixels_in_all_bands(cubes):
    estimate, truth = cubes
    dark = truth.mean(axis=0) < 0.25
    assert 0 < dark.sum() < dark.size
    expected = np.mean(np.abs(estimate - truth)[:, ~dark] / truth[:, ~dark])
    assert mrae(estimate, truth, floor=0.25) == pytest.approx(expected, rel=1e-12)


def test_the_angle_ignores_brightness_and_is_exact_if_tiny():
    spectrum = np.linspace(0.1, 0.6, 31).reshape(31, 1, 1)
    assert spectral_angle(3 * spectrum, spectrum) == pytest.approx(0, abs=1e-15)
    across = np.zeros_like(spectrum)
    across[0], across[1] = spectrum[1], -spectrum[0]  # at a right angle to the spectrum
    across *= np.linalg.norm(spectrum) / np.linalg.norm(across)
    tiny = 1e-9  # the arccos of a float64 cosine is 0 here
    assert spectral_angle(spectrum + tiny * across, spectrum) == pytest.approx(tiny, rel=1e-6)
    assert spectral_angle(-spectrum, spectrum) == pytest.approx(np.pi)
    assert np.isnan(spectral_angle(0 * spectrum, spectrum)).all()


def test_cubes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"\(31, 4, 5\).*\(31, 1, 5\)"):
        rmse(np.ones((31, 4, 5)), np.ones((31, 1, 5)))
    with pytest.raises(ValueError, match="bands, rows, columns"):
        sam(np.ones(31), np.ones(31))
