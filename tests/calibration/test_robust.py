import numpy as np
import pytest

from hsi_xr.calibration.robust import Comparison, fit_log_gains

CENTRES = np.arange(400.0, 701, 10)
SMOOTH = 0.3 + 0.1 * np.sin(CENTRES / 55)


def comparisons(truth: np.ndarray, count: int, *, own: float = 0.0, seed: int = 0) -> list:
    """Points whose logarithms deviate by a random shape of size `own` each."""
    rng = np.random.default_rng(seed)
    points = []
    for _ in range(count):
        estimated = rng.uniform(0.05, 0.5, len(CENTRES))
        shape = own * rng.normal() * np.cos(CENTRES / rng.uniform(30, 60))
        known = estimated * np.exp(truth + shape)
        points.append(Comparison(known, estimated, np.eye(len(CENTRES))))
    return points


@pytest.mark.parametrize("count", [5, 40])
def test_points_that_agree_give_their_common_gain(count):
    fitted, counts = fit_log_gains(comparisons(SMOOTH, count), CENTRES, 60)
    np.testing.assert_allclose(fitted, SMOOTH, atol=0.02 / count)
    assert (counts > 0.99).all()


def test_one_point_gives_the_level_and_part_of_the_shape():
    (point,) = comparisons(SMOOTH, 1)
    fitted, _ = fit_log_gains([point], CENTRES, 60)
    target, deviation = SMOOTH - SMOOTH.mean(), fitted - fitted.mean()
    assert fitted.mean() == pytest.approx(SMOOTH.mean(), abs=0.02)
    share = (deviation @ target) / (target @ target)
    assert 0.4 < share < 0.8


def test_the_more_points_disagree_the_flatter_is_the_gain():
    """The same disagreement at increasing size; the common part does not change."""
    deviations = []
    for own in (0.0, 0.3, 1.2):
        fitted, _ = fit_log_gains(comparisons(SMOOTH, 6, own=own, seed=3), CENTRES, 60)
        common = np.mean(
            [c.misfit(np.zeros(31)) for c in comparisons(SMOOTH, 6, own=own, seed=3)], 0
        )
        deviations.append(np.std(fitted) / np.std(common))
    assert deviations[0] > 0.97
    assert deviations[0] > deviations[1] > deviations[2]


@pytest.mark.parametrize("factor", [0.2, 2, 5])
def test_one_bad_point_of_five_hardly_moves_the_gain(factor):
    points = comparisons(SMOOTH, 5, own=0.03)
    clean, _ = fit_log_gains(points, CENTRES, 60)
    bad = Comparison(points[2].known * factor, points[2].estimated, points[2].mixing)
    fitted, counts = fit_log_gains([*points[:2], bad, *points[3:]], CENTRES, 60)
    assert np.abs(np.expm1(fitted - clean)).max() < 0.02
    assert counts[2] < 0.1 and (np.delete(counts, 2) > 0.8).all()


def test_two_points_that_disagree_meet_in_the_middle():
    low, high = comparisons(np.full(31, -0.3), 1) + comparisons(np.full(31, 0.5), 1)
    fitted, counts = fit_log_gains([low, high], CENTRES, 60)
    np.testing.assert_allclose(fitted, 0.1, atol=0.01)
    assert counts[0] == pytest.approx(counts[1], abs=1e-3)


def test_an_infinite_smoothing_length_gives_one_gain():
    fitted, _ = fit_log_gains(comparisons(SMOOTH, 8), CENTRES, np.inf)
    np.testing.assert_allclose(fitted, fitted[0], rtol=1e-9)
    assert fitted[0] == pytest.approx(SMOOTH.mean(), abs=0.03)


def test_the_order_of_points_does_not_matter():
    points = comparisons(SMOOTH, 7, own=0.2)
    fitted, _ = fit_log_gains(points, CENTRES, 60)
    reverse, _ = fit_log_gains(points[::-1], CENTRES, 60)
    np.testing.assert_allclose(reverse, fitted, atol=1e-9)


def test_wide_bands_determine_the_gain_within_their_response():
    """Three values for 31 bands: the gain is determined at these three only."""
    middle = np.array([450.0, 550.0, 650.0])
    mixing = np.exp(-0.5 * ((CENTRES - middle[:, None]) / 15) ** 2)
    mixing /= mixing.sum(1, keepdims=True)
    points = []
    for full in comparisons(SMOOTH, 12):
        points.append(Comparison(mixing @ full.known, full.estimated, mixing))
    fitted, _ = fit_log_gains(points, CENTRES, 60)
    for point in points:
        assert point.error(fitted) < 0.005
