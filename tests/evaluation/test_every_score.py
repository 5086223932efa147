"""Properties of every score: memory layout, float type, nodata, and shapes."""

from functools import partial

import numpy as np
import pytest
import torch

from hsi_xr.coded_aperture import scores
from hsi_xr.evaluation import by_band, metrics
from hsi_xr.evaluation.rgb_error import back_projected

RESPONSE = np.abs(np.random.default_rng(1).normal(size=(3, 7))) + 0.1
SCORES = {
    **{name: getattr(metrics, name) for name in ("mrae", "rmse", "psnr", "sam")},
    **{name: getattr(by_band, name) for name in ("psnr_by_band", "ergas", "ssim")},
    **{f"coded {name}": getattr(scores, name) for name in ("psnr", "ssim", "sam")},
    "back_projected": partial(back_projected, response=RESPONSE),
}
every_score = pytest.mark.parametrize("score", SCORES.values(), ids=SCORES.keys())


@pytest.fixture
def cubes() -> tuple[np.ndarray, np.ndarray]:
    """Estimate and truth of 7 bands, 23 rows, 37 columns, with values that float16 represents."""
    rng = np.random.default_rng(5)
    truth = rng.uniform(0.1, 0.9, (7, 23, 37)) * np.linspace(0.3, 1, 37)
    estimate = truth + rng.normal(0.02, 0.1, truth.shape)
    return estimate.astype("float16").astype("float64"), truth.astype("float16").astype("float64")


def channels_last(cube: np.ndarray) -> np.ndarray:
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(cube, 0, -1)), -1, 0)


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "channels last": channels_last,
    "torch's channels last": lambda cube: torch.from_numpy(cube)[None].to(
        memory_format=torch.channels_last
    )[0],
    "reversed": lambda cube: np.ascontiguousarray(cube[::-1, ::-1, ::-1])[::-1, ::-1, ::-1],
    "every second": lambda cube: np.repeat(cube, 2, axis=2)[:, :, ::2],
}


@every_score
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_memory_layout_does_not_change_a_score(cubes, score, layout):
    estimate, truth = cubes
    expected = pytest.approx(score(estimate, truth), rel=1e-12)
    assert score(layout(estimate), truth) == expected
    assert score(estimate, layout(truth)) == expected
    assert score(layout(estimate), layout(truth)) == expected


@every_score
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_the_float_type_of_equal_values_does_not_change_a_score(cubes, score, dtype):
    estimate, truth = cubes
    assert score(estimate.astype(dtype), truth.astype(dtype)) == score(estimate, truth)


@every_score
def test_cubes_are_not_modified(cubes, score):
    before = [cube.copy() for cube in cubes]
    score(*cubes)
    for cube, copy in zip(cubes, before):
        np.testing.assert_array_equal(cube, copy)


@every_score
def test_a_nodata_pixel_is_omitted_from_every_score(cubes, score):
    """The other values of a pixel do not matter if one band of it is NaN in either cube."""
    estimate, truth = cubes
    estimate[2, 4, 5] = truth[6, 18, 30] = np.nan
    expected = score(estimate, truth)
    assert np.isfinite(expected)
    estimate[3, 4, 5], truth[0, 18, 30], estimate[1, 18, 30] = 0.9, 0.05, 0.7
    assert score(estimate, truth) == pytest.approx(expected, rel=1e-12)


@every_score
def test_scores_without_valid_pixels_are_nan(score):
    assert np.isnan(score(np.full((7, 20, 21), np.nan), np.ones((7, 20, 21))))


@every_score
def test_cubes_that_would_broadcast_are_refused(score):
    with pytest.raises(ValueError, match=r"\(7, 14, 15\).*\(7, 1, 15\)"):
        score(np.ones((7, 14, 15)), np.ones((7, 1, 15)))


def test_the_published_psnr_of_a_channels_last_tensor_is_26_db_too_low():
    """Issues 4, 8 and 15 of MST-plus-plus: `resize_` goes by memory, not by axes."""
    rng = np.random.default_rng(0)
    truth = torch.from_numpy(rng.uniform(0, 1, (1, 31, 24, 40)).astype("float32"))
    estimate = truth + torch.from_numpy(rng.normal(0, 0.01, truth.shape).astype("float32"))
    last = estimate.to(memory_format=torch.channels_last)

    def published(guess: torch.Tensor) -> float:
        a, b = (c.clone().clamp_(0, 1).mul_(255).resize_(31, 24 * 40) for c in (guess, truth))
        return float(10 * torch.log10(255**2 / torch.mean((a - b) ** 2)))

    ours = metrics.psnr(last[0], truth[0])
    assert ours == metrics.psnr(estimate[0], truth[0])
    assert ours == pytest.approx(published(estimate), abs=1e-3)
    assert published(last) < ours - 26
