"""The reward for spread makes the draws of a generator as wide as the posterior."""

import math

import torch

from examples.picture_model.objectives import DRAWS, draw_loss


def test_the_loss_of_draws_is_least_at_the_width_of_a_normal_posterior():
    rng = torch.Generator().manual_seed(0)
    truth = torch.randn(400_000, generator=rng)
    noise = torch.randn(DRAWS, 400_000, generator=rng)
    noise = noise / noise.std()
    widths = [0.6, 0.8, 1.0, 1.2, 1.4]
    losses = [float(draw_loss(width * noise, truth)["total"]) for width in widths]
    assert min(losses) == losses[2]


def test_the_loss_of_draws_grows_with_their_error_alone():
    truth = torch.randn(7, 9, generator=torch.Generator().manual_seed(1))
    parts = draw_loss(torch.stack([truth, truth]) + 0.5, truth)
    assert math.isclose(parts["l1"], 0.5, rel_tol=1e-5) and abs(parts["spread"]) < 1e-6
    torch.testing.assert_close(parts["total"], parts["l1"])
