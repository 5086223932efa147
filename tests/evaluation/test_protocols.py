"""Crops, 256 levels and back-projected RGB, as in the published protocols."""

import numpy as np
import pytest

from hsi_xr.coded_aperture import scores
from hsi_xr.errors import InvalidData, UnknownName
from hsi_xr.evaluation.crops import crop_of, ntire
from hsi_xr.evaluation.metrics import mrae
from hsi_xr.evaluation.rgb_error import back_projected


def test_the_crop_of_the_challenge_is_226_rows_by_256_columns():
    image = np.arange(482 * 512).reshape(482, 512)
    np.testing.assert_array_equal(image[ntire(482, 512)], image[128:-128, 128:-128])
    assert image[ntire(482, 512)].shape == (226, 256)


@pytest.mark.parametrize("shape", [(256, 512), (482, 200)])
def test_a_crop_that_leaves_nothing_is_refused(shape):
    with pytest.raises(InvalidData, match=f"{shape[0]} x {shape[1]} px"):
        ntire(*shape)
    with pytest.raises(UnknownName, match="ntire"):
        crop_of("centre")


@pytest.fixture
def cubes() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    truth = rng.uniform(-0.05, 1.05, (4, 16, 21))
    return truth + rng.normal(0, 0.05, truth.shape), truth


def levels(cube: np.ndarray) -> np.ndarray:
    return np.array([int(255 * min(max(v, 0), 1) + 0.5) for v in cube.flat]).reshape(cube.shape)


def test_coded_aperture_scores_are_computed_from_256_levels(cubes):
    metrics = pytest.importorskip("skimage.metrics", reason="the independent implementation")
    a, b = (levels(cube).astype("uint8") for cube in cubes)
    ratios = [metrics.peak_signal_noise_ratio(t, e) for e, t in zip(a, b)]
    assert scores.psnr(*cubes) == pytest.approx(np.mean(ratios), rel=1e-12)
    similarities = [
        metrics.structural_similarity(
            t, e, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for e, t in zip(a, b)
    ]
    assert scores.ssim(*cubes) == pytest.approx(
        np.mean(similarities), rel=1e-6
    )  # scikit-image computes in float32
    e, t = a.astype(float), b.astype(float)
    cosines = (e * t).sum(0) / np.sqrt((e**2).sum(0) * (t**2).sum(0))
    expected = np.degrees(np.arccos(cosines.clip(max=1))).mean()
    assert scores.sam(*cubes) == pytest.approx(expected, rel=1e-6)


def test_half_a_level_is_rounded_up():
    """0.5, 1.5 and 2.5 become 1, 2 and 3; one level of error each against 0, 1 and 2."""
    halves = np.array([0.5, 1.5, 2.5]).reshape(1, 1, 3) / 255
    below = np.array([0.0, 1.0, 2.0]).reshape(1, 1, 3) / 255
    assert scores.psnr(halves, below) == pytest.approx(20 * np.log10(255))


def test_the_rgb_error_is_that_of_the_three_channels_of_the_camera():
    rng = np.random.default_rng(4)
    truth, response = rng.uniform(0.2, 1, (6, 5, 7)), rng.uniform(0.1, 1, (3, 6))
    estimate = truth * rng.uniform(0.8, 1.2, truth.shape)
    shares = []
    for row, column in np.ndindex(5, 7):
        for curve in response:
            estimated, true = (sum(curve * cube[:, row, column]) for cube in (estimate, truth))
            shares.append(abs(estimated - true) / true)
    assert back_projected(estimate, truth, response) == pytest.approx(np.mean(shares), rel=1e-10)
    per_row = np.array([[2.0], [5.0], [0.1]])
    assert back_projected(estimate, truth, per_row * response) == pytest.approx(np.mean(shares))


def test_metamers_have_no_rgb_error():
    response = np.random.default_rng(6).uniform(0.1, 1, (3, 6))
    invisible = np.linalg.svd(response)[2][-1]
    truth = np.full((6, 5, 7), 0.5)
    estimate = truth + 0.3 * invisible[:, None, None]
    assert mrae(estimate, truth) > 0.1
    assert back_projected(estimate, truth, response) == pytest.approx(0, abs=1e-14)


def test_a_response_with_another_number_of_bands_is_refused():
    cube = np.ones((6, 5, 7))
    with pytest.raises(ValueError, match="5 bands"):
        back_projected(cube, cube, np.ones((3, 5)))
    with pytest.raises(ValueError, match="3 bands"):
        back_projected(cube, cube, np.ones((6, 3)))
