"""Scores by band, compared with scikit-image and with formulas written out."""

import numpy as np
import pytest

from hsi_xr.evaluation.by_band import ergas, psnr_by_band, ssim
from hsi_xr.evaluation.metrics import psnr

image_metrics = pytest.importorskip(
    "skimage.metrics", reason="scikit-image is the independent implementation"
)


@pytest.fixture
def cubes() -> tuple[np.ndarray, np.ndarray]:
    """Estimate and truth of 5 bands, 31 rows, 47 columns, uneven in every direction."""
    rng = np.random.default_rng(2)
    coarse = rng.uniform(0.1, 0.8, (5, 8, 12)).repeat(4, axis=1).repeat(4, axis=2)
    truth = coarse[:, :31, :47] * np.linspace(0.4, 1.1, 47)
    noise = rng.normal(0, 1, truth.shape) * np.array([0.01, 0.02, 0.05, 0.1, 0.2])[:, None, None]
    return truth + noise, truth


def similarity(a: np.ndarray, b: np.ndarray, peak: float = 1, **options: bool):
    return image_metrics.structural_similarity(
        a, b, data_range=peak, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        **options,
    )  # fmt: skip


@pytest.mark.parametrize("peak", [1, 255])
def test_ssim_equals_that_of_scikit_image_averaged_over_bands(cubes, peak):
    estimate, truth = (peak * cube for cube in cubes)
    expected = np.mean([similarity(a, b, peak) for a, b in zip(estimate, truth)])
    assert ssim(estimate, truth, peak=peak) == pytest.approx(expected, rel=1e-10)
    assert 0.3 < expected < 0.95


def test_ssim_averages_the_windows_without_nodata(cubes):
    estimate, truth = cubes
    row, column = 14, 20
    maps = np.stack([similarity(a, b, full=True)[1] for a, b in zip(estimate, truth)])
    inside = np.zeros((31, 47), dtype=bool)
    inside[5:-5, 5:-5] = True
    inside[row - 5 : row + 6, column - 5 : column + 6] = False
    truth[3, row, column] = np.nan
    assert ssim(estimate, truth) == pytest.approx(maps[:, inside].mean(), rel=1e-10)


def test_equal_images_have_similarity_one_and_small_ones_nan(cubes):
    assert ssim(cubes[1], cubes[1]) == pytest.approx(1)
    assert np.isnan(ssim(np.ones((3, 10, 40)), np.ones((3, 10, 40))))
    assert ssim(np.ones((3, 11, 11)), np.ones((3, 11, 11))) == pytest.approx(1)


def test_psnr_by_band_is_the_mean_psnr_of_scikit_image(cubes):
    estimate, truth = (np.clip(cube, 0, 1) for cube in cubes)
    by_band = [
        image_metrics.peak_signal_noise_ratio(b, a, data_range=1) for a, b in zip(estimate, truth)
    ]
    assert psnr_by_band(*cubes) == pytest.approx(np.mean(by_band), rel=1e-12)
    assert max(by_band) - min(by_band) > 10
    assert psnr_by_band(*cubes) > psnr(*cubes)
    assert psnr_by_band(truth, truth) == float("inf")


def test_ergas_follows_its_formula(cubes):
    estimate, truth = cubes
    total = 0.0
    for guess, true in zip(estimate, truth):
        rmse = np.sqrt(sum((a - b) ** 2 for a, b in zip(guess.flat, true.flat)) / true.size)
        total += (rmse / (sum(true.flat) / true.size)) ** 2
    expected = 100 * np.sqrt(total / 5)
    assert ergas(estimate, truth) == pytest.approx(expected, rel=1e-10)
    assert ergas(estimate, truth, ratio=1 / 4) == pytest.approx(expected / 4, rel=1e-10)
    assert ergas(3 * estimate, 3 * truth) == pytest.approx(expected, rel=1e-10)
    assert ergas(truth, truth) == 0


def test_a_black_band_is_omitted_from_ergas(cubes):
    estimate, truth = cubes
    lit = ergas(estimate[1:], truth[1:])
    truth[0] = 0
    assert ergas(estimate, truth) == pytest.approx(lit, rel=1e-12)
    assert np.isnan(ergas(estimate, 0 * truth))
