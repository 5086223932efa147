"""Chains obey the laws of the process that they reverse."""

import pytest
import torch

from hsi_xr.diffusion import samplers, schedules


def test_the_linear_schedule_is_the_published_one():
    keep = schedules.linear(5, 0.1, 0.99)
    wanted = torch.tensor([1, 0.9, 0.609750, 0.277436, 0.064504, 0.000645], dtype=torch.float64)
    torch.testing.assert_close(keep, wanted, atol=1e-6, rtol=0)


def _noise(seed, shape):
    rng = torch.Generator().manual_seed(seed)
    return lambda t: torch.randn(shape, generator=rng)


def test_a_denoiser_that_knows_the_answer_is_believed():
    answer = torch.linspace(-1.5, 1.5, 5 * 7).reshape(1, 5, 7, 1)
    found = samplers.ancestral(
        lambda x, t: answer,
        _noise(0, answer.shape),
        schedules.linear(5, 0.1, 0.99),
        stochastic=False,
        limit=2.0,
    )
    torch.testing.assert_close(found, answer, atol=1e-6, rtol=0)


def test_clean_estimates_stay_within_the_limit():
    found = samplers.ancestral(
        lambda x, t: torch.full_like(x, 9.0),
        _noise(0, (3, 4)),
        schedules.linear(5, 0.1, 0.99),
        stochastic=True,
        limit=2.0,
    )
    torch.testing.assert_close(found, torch.full((3, 4), 2.0))


@pytest.mark.parametrize(
    "keep", [schedules.linear(5, 0.1, 0.99), schedules.linear(1000, 1e-4, 0.02)]
)
def test_with_the_exact_denoiser_of_a_gaussian_samples_are_gaussian(keep):
    """Data N(0, 1/4): the clean estimate is linear in x, so the chain's law can be worked out.

    A few large steps lose spread, because the posterior of a step is wider than the one that
    knows x_0; many small ones give the data's own back.
    """
    s2 = 0.25

    def exact(x, t):
        share = keep[t].item()
        return x * share**0.5 * s2 / (share * s2 + 1 - share)

    found = samplers.ancestral(exact, _noise(1, (40_000,)), keep, stochastic=True, limit=9.0)
    assert abs(found.mean()) < 0.02
    assert found.var().item() == pytest.approx(_law(keep, s2), rel=0.03)
    if len(keep) > 1000:
        assert found.var().item() == pytest.approx(s2, rel=0.05)


def _law(keep, s2):
    """Variance of the chain's end by propagating it through the linear steps."""
    variance = 1.0
    for t in range(len(keep) - 1, 0, -1):
        now, before = keep[t].item(), keep[t - 1].item()
        stays = now / before
        gain = now**0.5 * s2 / (now * s2 + 1 - now)
        a = before**0.5 * (1 - stays) / (1 - now) * gain + stays**0.5 * (1 - before) / (1 - now)
        variance = a * a * variance
        if t > 1:
            variance += (1 - stays) * (1 - before) / (1 - now)
    return variance
