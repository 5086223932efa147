"""Training objectives, one per file, with the keys of its table and how it builds the losses.

A new objective needs a file, and its name in `AnyObjective`.
"""

from hsi_xr.training.objectives.adversarial import Adversarial
from hsi_xr.training.objectives.closed_form import ClosedForm
from hsi_xr.training.objectives.denoising import Denoising
from hsi_xr.training.objectives.regression import Regression
from hsi_xr.training.objectives.two_stage import TwoStage

AnyObjective = Regression | Denoising | Adversarial | TwoStage | ClosedForm

__all__ = ["Adversarial", "AnyObjective", "ClosedForm", "Denoising", "Regression", "TwoStage"]
