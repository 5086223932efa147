"""Samplers obey the laws of the process that they reverse."""

import pytest
import torch

from hsi_xr.diffusion import samplers, schedules


def test_the_linear_schedule_is_the_published_one():
    keep = schedules.linear(5, 0.1, 0.99)
    expected = torch.tensor([1, 0.9, 0.609750, 0.277436, 0.064504, 0.000645], dtype=torch.float64)
    torch.testing.assert_close(keep, expected, atol=1e-6, rtol=0)


def _noise(seed, shape):
    rng = torch.Generator().manual_seed(seed)
    return lambda t: torch.randn(shape, generator=rng)


def test_the_chain_ends_at_the_estimate_of_an_oracle():
    clean = torch.linspace(-1.5, 1.5, 5 * 7).reshape(1, 5, 7, 1)
    found = samplers.ancestral(
        lambda x, t: clean,
        _noise(0, clean.shape),
        schedules.linear(5, 0.1, 0.99),
        stochastic=False,
        limit=2.0,
    )
    torch.testing.assert_close(found, clean, atol=1e-6, rtol=0)


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
def test_the_exact_denoiser_of_a_gaussian_samples_that_gaussian(keep):
    """For data N(0, 1/4), the clean estimate is linear in x, so that the result is known exactly.

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
    """Returns the variance of the result by propagating it through the linear steps."""
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


PUBLISHED = schedules.linear(1000, 1e-4, 0.02)
"""Ho et al. 2020."""


def test_the_long_schedule_ends_in_almost_pure_noise():
    """4.04e-5 of the signal's variance is left after 1000 steps."""
    assert len(PUBLISHED) == 1001
    assert PUBLISHED[-1].item() == pytest.approx(4.0358e-5, rel=1e-4)


@pytest.mark.parametrize(("steps", "of"), [(50, 1000), (7, 1000), (5, 5), (1, 9)])
def test_a_spaced_chain_starts_at_the_last_step_and_repeats_none(steps, of):
    visited = schedules.spaced(steps, of)
    assert len(visited) == steps and visited[0] == of and visited[-1] >= 1
    gaps = {a - b for a, b in zip(visited, [*visited[1:], 0])}
    assert gaps <= {of // steps, -(-of // steps)}


@pytest.mark.parametrize("steps", [0, 6])
def test_more_steps_than_trained_ones_are_refused(steps):
    with pytest.raises(ValueError, match="1 to 5"):
        schedules.spaced(steps, 5)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim_ends_at_the_estimate_of_an_oracle(eta):
    clean = torch.linspace(-1, 1, 35).reshape(1, 5, 7, 1)
    found = samplers.ddim(
        lambda x, t: clean, _noise(0, clean.shape), PUBLISHED, steps=10, limit=1.0, eta=eta
    )
    torch.testing.assert_close(found, clean)


def _noise_predictor(clean):
    """Returns an oracle that predicts the noise in x_t."""

    def predict(x, t):
        share = PUBLISHED[t].item()
        return (x - share**0.5 * clean) / (1 - share) ** 0.5

    return predict


def test_a_predictor_of_the_noise_is_a_denoiser():
    """In float64, since the first step divides by the square root of the share, 1/157."""
    clean = torch.linspace(-0.9, 0.9, 35, dtype=torch.float64).reshape(5, 7)
    rng = torch.Generator().manual_seed(4)

    def noise(t):
        return torch.randn(clean.shape, generator=rng, dtype=torch.float64)

    denoise = samplers.from_noise_prediction(_noise_predictor(clean), PUBLISHED)
    for t in (1, 500, 1000):
        torch.testing.assert_close(denoise(noise(t), t), clean)
    for found in (
        samplers.ancestral(denoise, noise, PUBLISHED, stochastic=True, limit=1.0),
        samplers.ddim(denoise, noise, PUBLISHED, steps=50, limit=1.0),
    ):
        torch.testing.assert_close(found, clean)


def _gaussian(keep, s2):
    """The exact denoiser of data N(0, s2)."""

    def exact(x, t):
        share = keep[t].item()
        return x * share**0.5 * s2 / (share * s2 + 1 - share)

    return exact


@pytest.mark.parametrize("keep", [schedules.linear(5, 0.1, 0.99), PUBLISHED])
def test_ddim_with_every_step_and_posterior_noise_is_the_ancestral_chain(keep):
    """Not only in distribution: the values are equal for equal noise."""
    exact = _gaussian(keep, 0.25)
    chain = samplers.ancestral(exact, _noise(2, (2000,)), keep, stochastic=True, limit=9.0)
    ddim = samplers.ddim(exact, _noise(2, (2000,)), keep, steps=len(keep) - 1, limit=9.0, eta=1.0)
    torch.testing.assert_close(ddim, chain, atol=1e-4, rtol=1e-4)


def test_ddim_approaches_the_data_with_more_steps():
    """For data N(0, 1/4), the chain is linear: its result for a start of 1 describes it fully.

    Few steps lose spread. Between 200 and 1000 the rest falls by five, as a first-order method's.
    """
    exact = _gaussian(PUBLISHED, 0.25)
    missing = [
        0.25
        - samplers.ddim(
            exact, lambda t: torch.ones(1).double(), PUBLISHED, steps=steps, limit=9.0
        ).item()
        ** 2
        for steps in (10, 50, 200, 1000)
    ]
    assert missing == sorted(missing, reverse=True)
    assert 0 < missing[-1] < 0.002
    assert missing[-2] / missing[-1] == pytest.approx(5, rel=0.1)


def test_ddim_with_fresh_noise_samples_the_data():
    """Data N(0, 1/4), 500 steps, 40,000 values: the standard error of the variance is 1 %."""
    exact = _gaussian(PUBLISHED, 0.25)
    found = samplers.ddim(exact, _noise(3, (40_000,)), PUBLISHED, steps=500, limit=9.0, eta=1.0)
    assert abs(found.mean()) < 0.01
    assert found.var().item() == pytest.approx(0.25, rel=0.06)


def test_without_eta_a_sample_is_a_function_of_its_start():
    requested = []

    def noise(t):
        requested.append(t)
        return torch.ones(3)

    samplers.ddim(_gaussian(PUBLISHED, 0.25), noise, PUBLISHED, steps=20, limit=9.0)
    assert requested == [1000]


def test_noise_is_requested_by_the_step_that_it_leads_to():
    """So that a chain with fewer steps uses no noise twice."""
    requested = []

    def noise(t):
        requested.append(t)
        return torch.ones(3)

    samplers.ddim(_gaussian(PUBLISHED, 0.25), noise, PUBLISHED, steps=4, limit=9.0, eta=1.0)
    assert requested == [1000, 750, 500, 250]
