"""Learning rates at both ends of a stage, and between."""

import pytest

from hsi_xr.training.optimiser import SCHEDULES, Optimiser

KEYS = {"poly": {"power": 1.5}, "step": {"every": 5, "factor": 0.1}}


def rates(schedule, steps=12, warm_up=2):
    optimiser = Optimiser(
        rate=1.0, floor=0.02, warm_up=warm_up, schedule=schedule, **KEYS.get(schedule, {})
    )
    return [optimiser.learning_rate(step, steps) for step in range(steps + 1)]


ENDS = {"cosine": (0.51, 0.02), "poly": (0.02 + 0.98 * 0.5**1.5, 0.02), "step": (0.1, 0.02)}
ENDS["constant"] = (1.0, 1.0)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_rate_rises_over_the_warm_up_then_falls_as_scheduled(schedule):
    found = rates(schedule)
    assert found[:3] == [0.5, 1.0, 1.0]
    assert (found[7], found[12]) == pytest.approx(ENDS[schedule])
    assert found[2:] == sorted(found[2:], reverse=True)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_warm_up_delays_what_follows(schedule):
    assert rates(schedule)[2:] == rates(schedule, steps=10, warm_up=0)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_stage_of_one_step_begins_at_the_rate(schedule):
    assert rates(schedule, steps=1, warm_up=0)[0] == 1.0


def test_a_rate_halves_at_equal_distances():
    """As that of MST does every 50 epochs."""
    optimiser = Optimiser(rate=0.8, schedule="step", every=3, factor=0.5)
    assert [optimiser.learning_rate(step, 9) for step in (0, 2, 3, 5, 6)] == [
        0.8,
        0.8,
        0.4,
        0.4,
        0.2,
    ]


def test_poly_with_power_one_is_linear():
    optimiser = Optimiser(rate=1.0, floor=0.0, schedule="poly", power=1.0)
    assert [optimiser.learning_rate(step, 4) for step in range(5)] == [1.0, 0.75, 0.5, 0.25, 0.0]
