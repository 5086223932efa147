"""Closed form: everything is fitted before the first step, without gradient descent."""

from hsi_xr.band_grid import Bands
from hsi_xr.errors import UsageError
from hsi_xr.reconstructors._base import FittedReconstructor, Reconstructor
from hsi_xr.training.objectives._base import ObjectiveSettings
from hsi_xr.training.patches import PatchBatch
from hsi_xr.training.updates import Objective, trainable


class ClosedForm(ObjectiveSettings, frozen=True, kw_only=True, tag="closed-form"):
    """Fits the system on patches of the first batches; see `setup.fit_closed_form`."""

    def build(
        self, model: Reconstructor, bands: Bands, *, steps: int, patch: int
    ) -> Objective[PatchBatch]:
        if not isinstance(model, FittedReconstructor) or trainable(model):
            raise UsageError(
                "objective.kind = 'closed-form' fits closed-form systems without trainable "
                f"parameters; {type(model).__name__} is not one"
            )
        if steps != 1:
            raise UsageError(f"a fit in closed form is one step; got schedule.steps = {steps}")
        return Objective(())
