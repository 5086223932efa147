"""The base of objectives, as tables of a run's TOML file."""

from typing import Any

from torch import nn

from hsi_xr.band_grid import Bands
from hsi_xr.errors import UsageError
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._feedforward import InputAdapter
from hsi_xr.training.patches import PatchBatch
from hsi_xr.training.tables import Table
from hsi_xr.training.updates import Objective


class ObjectiveSettings(Table, frozen=True, kw_only=True, tag_field="kind"):
    """The table `objective`; its key `kind` selects the class by its tag."""

    def build(
        self, model: Reconstructor, bands: Bands, *, steps: int, patch: int
    ) -> Objective[PatchBatch]:
        """Returns the objective of a run.

        Args:
            model: What is trained.
            bands: Bands of the data set, and of the model.
            steps: Steps of the run.
            patch: Side of a training patch, in pixels.

        Raises:
            UsageError: The model cannot be trained by this objective.
            UnreadableFile: The file of a camera is missing.
            InvalidData: The camera's response does not cover all bands.
        """
        raise NotImplementedError


def feedforward_parts(model: Reconstructor, kind: str) -> tuple[InputAdapter, Any]:
    """Returns the input adapter of a system, and the network that runs on its output.

    Raises:
        UsageError: The system has no such parts.
    """
    adapter, network = (getattr(model, name, None) for name in ("adapter", "network"))
    if not isinstance(adapter, InputAdapter) or not isinstance(network, nn.Module):
        raise UsageError(
            f"objective.kind = {kind!r} trains systems that have an input adapter `adapter` and a "
            f"`network`; {type(model).__name__} does not"
        )
    return adapter, network
