"""The running average of a model's weights."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def running_average(model: nn.Module, *, decay: float) -> AveragedModel:
    """Returns a copy of a model that follows it, by an exponential moving average.

    It follows faster in the first steps, since the model starts at random weights.
    """

    def follow(averages: Sequence[Tensor], currents: Sequence[Tensor], count: Tensor | int) -> None:
        keep = min(decay, int(count) / (9 + int(count)))
        for average, current in zip(averages, currents):
            if average.is_floating_point():
                average.lerp_(current, 1 - keep)
            else:
                average.copy_(current)

    average = AveragedModel(model, multi_avg_fn=follow, use_buffers=True)
    average.update_parameters(model)  # the first call copies
    return average
