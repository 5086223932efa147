"""Adapts a network that is guided by an image to the samplers of diffusion chains."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hsi_xr.diffusion.samplers import Denoise
from hsi_xr.networks.attention import StepStatistics


def guided_denoiser(
    network: nn.Module,
    image: Tensor,
    *,
    attention: StepStatistics | None = None,
    guide: Sequence[Tensor] | None = None,
) -> Denoise:
    """Returns a function that runs a network on the chain at a step, guided by an image.

    Args:
        network: Called as `network(x, image, steps)` with (batch,) steps, and with `attention=` and
            `guide=` if these are given.
        image: (batch, channels, rows, columns).
        attention: Statistics of each step; None for a network without channel attention.
        guide: Features of the image that all steps share.
    """
    shared = {} if guide is None else {"guide": guide}

    def denoise(x: Tensor, step: int) -> Tensor:
        steps = torch.full((len(x),), step, device=x.device)
        by_step = {} if attention is None else {"attention": attention.of_step(step)}
        predicted: Tensor = network(x, image, steps, **shared, **by_step)
        return predicted

    return denoise
