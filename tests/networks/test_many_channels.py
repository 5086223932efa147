"""A mixture of spectra in the colours of a sensor with any number of channels."""

import math

import pytest
import torch

from hsi_xr.networks.gaussian_mixture import SpectralMixture
from hsi_xr.networks.projected_mixture import NEAR

BANDS, COUNT = 11, 6
NOISE = torch.tensor(0.01)


def _mixture(seed=0):
    """Spectra that are ten times as bright at the long end, as those of leaves are."""
    rng = torch.Generator().manual_seed(seed)
    mixture = SpectralMixture(BANDS, COUNT)
    rise = torch.linspace(-1.2, 1.2, BANDS).sigmoid() ** 3
    shapes = rise * (0.3 * torch.randn(COUNT, BANDS, generator=rng)).exp()
    mixture.mean.data = shapes / shapes.mean(1, keepdim=True)
    factor = torch.randn(COUNT, BANDS, BANDS, generator=rng).tril()
    mixture.cholesky.data = 0.04 * mixture.mean[:, :, None] * factor
    mixture.log_weight.data = torch.rand(COUNT, generator=rng).log()
    mixture.log_level.data = 0.3 * torch.randn(COUNT, generator=rng) - 1.5
    mixture.log_level_std.data[:] = 0.4
    return mixture


def _sensor(channels, seed=1):
    curves = torch.rand(channels, BANDS, generator=torch.Generator().manual_seed(seed)) ** 3
    return curves / curves.sum(1, keepdim=True)


def _ground(mixture, rows=5, columns=9, seed=2):
    """Reflectance drawn from the Gaussians, (1, bands, rows, columns)."""
    rng = torch.Generator().manual_seed(seed)
    at = torch.randint(COUNT, (rows, columns), generator=rng)
    normal = torch.randn(rows, columns, BANDS, 1, generator=rng)
    shapes = mixture.mean[at] + (mixture.cholesky[at] @ normal)[..., 0]
    return 0.25 * shapes.clamp(min=0.01).permute(2, 0, 1)[None]


def _seen(sensor, cube):
    return torch.einsum("cb,nbhw->nchw", sensor, cube)


def _by_hand(mixture, sensor, pixel, level_std):
    """Conditions each Gaussian on a pixel (n,) by the textbook, in double precision."""
    sensor, pixel = sensor.double(), pixel.double()
    n = len(sensor)
    kept = [0, *range(2, n)]
    noise = torch.eye(n - 1) if n == 3 else torch.eye(n - 1) - 1 / n
    through, level = sensor.mean(0), pixel.mean()
    logs, means, variances, far = [], [], [], []
    for k in range(COUNT):
        shape, factor = mixture.mean[k].double(), mixture.cholesky[k].double()
        bright = shape @ through
        mean = shape / bright
        turn = (torch.eye(BANDS) - torch.outer(mean, through)) / bright
        covariance = turn @ factor @ factor.T @ turn.T
        channels = sensor[kept]
        scatter = channels @ covariance @ channels.T + float(NOISE) ** 2 * noise
        off = pixel[kept] / level - channels @ mean
        gain = covariance @ channels.T @ torch.linalg.inv(scatter)
        distance = off @ torch.linalg.inv(scatter) @ off
        brightness = torch.distributions.Normal(
            mixture.log_level[k].double() + bright.log(),
            (mixture.log_level_std[k].double() ** 2 + level_std**2).sqrt(),
        )
        logs.append(
            mixture.log_weight[k].double()
            - (distance + scatter.logdet()) / 2
            + brightness.log_prob(level.log())
        )
        means.append(mean + gain @ off)
        variances.append((covariance - gain @ channels @ covariance).diagonal())
        far.append(distance)
    share = torch.stack(logs).softmax(0)
    each = torch.stack(means)
    mean = share @ each
    variance = share @ (torch.stack(variances) + each.square()) - mean.square()
    if n > 3:
        variance = variance * (share @ torch.stack(far) / (n - 1)).clamp(min=1)
    beyond = torch.exp(-((share * torch.stack(far))[1:].sum() - NEAR**2).clamp(min=0) / 2)
    return (
        mean.clamp(min=0.01) * level,
        variance.clamp(min=0).sqrt() * level,
        1 - (1 - share[0]) * beyond,
    )


@pytest.mark.parametrize("channels", [3, 4, 7, 10])
@pytest.mark.parametrize("level_std", [0.0, 0.3])
def test_every_pixel_is_conditioned_as_the_textbook_does(channels, level_std):
    mixture, sensor = _mixture(), _sensor(channels)
    image = _seen(sensor, _ground(mixture))
    found = mixture.project(sensor, noise=NOISE).posterior(image, torch.tensor(level_std))
    for row, column in ((0, 0), (1, 8), (4, 3)):
        mean, std, novelty = _by_hand(mixture, sensor, image[0, :, row, column], level_std)
        pixel = (0, slice(None), row, column)
        # single precision limits likelihoods to a few parts in 10,000
        torch.testing.assert_close(found.mean[pixel].double(), mean, rtol=2e-4, atol=1e-6)
        torch.testing.assert_close(found.std[pixel].double(), std, rtol=2e-3, atol=2e-5)
        assert math.isclose(found.novelty[pixel], novelty, rel_tol=1e-3, abs_tol=1e-3)


def test_a_sensor_of_all_bands_measures_the_spectrum():
    mixture = _mixture()
    cube = _ground(mixture)
    quiet = mixture.project(torch.eye(BANDS), noise=torch.tensor(1e-3))
    found = quiet.posterior(cube, torch.tensor(0.0))
    level = cube.mean(1, keepdim=True)
    assert float(((found.mean - cube) / level).abs().max()) < 3e-3
    assert float((found.std / level).max()) < 3e-3


def test_the_order_of_channels_does_not_matter():
    mixture, sensor = _mixture(), _sensor(6)
    image = _seen(sensor, _ground(mixture))
    order = torch.tensor([4, 2, 0, 5, 1, 3])
    one = mixture.project(sensor, noise=NOISE).posterior(image, torch.tensor(0.0))
    other = mixture.project(sensor[order], noise=NOISE).posterior(
        image[:, order], torch.tensor(0.0)
    )
    torch.testing.assert_close(one.mean, other.mean, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(one.std, other.std, rtol=1e-2, atol=1e-4)
    torch.testing.assert_close(one.novelty, other.novelty, rtol=1e-2, atol=1e-2)


def test_more_channels_leave_less_uncertainty():
    mixture, sensor = _mixture(), _sensor(8)
    cube = _ground(mixture)
    few, many = (
        mixture.project(part, noise=NOISE).posterior(_seen(part, cube), torch.tensor(0.0))
        for part in (sensor[:3], sensor)
    )
    assert float(many.std.mean()) < float(few.std.mean())
    assert float((many.mean - cube).abs().mean()) < float((few.mean - cube).abs().mean())


def test_colours_unlike_the_mixture_widen_the_deviation_and_keep_the_mean():
    mixture, sensor = _mixture(), _sensor(6)
    cube = _ground(mixture)
    unlike = cube * torch.linspace(1.6, 0.6, BANDS)[None, :, None, None]
    seen = mixture.project(sensor, noise=NOISE)
    relative = []
    for each in (cube, unlike):
        image = _seen(sensor, each)
        found = seen.posterior(image, torch.tensor(0.0))
        mean = seen.posterior_mean(image, torch.tensor(0.0))
        torch.testing.assert_close(found.mean, mean, rtol=1e-5, atol=1e-6)
        relative.append((found.std / image.mean(1, keepdim=True)).mean())
    assert relative[1] > 2 * relative[0]


def test_strips_do_not_change_the_result(monkeypatch):
    mixture, sensor = _mixture(), _sensor(9)
    image = _seen(sensor, _ground(mixture, rows=13, columns=6))
    seen = mixture.project(sensor, noise=NOISE)
    whole = seen.posterior(image, torch.tensor(0.0))
    monkeypatch.setattr("hsi_xr.networks.projected_mixture.STRIP", 100)
    strips = seen.posterior(image, torch.tensor(0.0))
    torch.testing.assert_close(strips.mean, whole.mean, rtol=1e-4, atol=1e-5)
