"""The variables that a reconstruction can produce: one entry each.

The pipeline computes them in this order, `hsi_xr.io` names and stores them, a calibration scales
them, and STAC items describe them. To add a variable, add an entry here, compute it in
`hsi_xr.pipeline.inference` and request it in `hsi_xr.pipeline.plan`. Quantiles have a variable
each, named after their probability: `reflectance_q05` is the 5 % quantile. So have joint draws in
files that contain one variable: `reflectance_draw01` is the first.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def root_mean_square(channels: Array) -> Array:
    """Returns the root mean square over channels: (channels, y, x) -> (y, x)."""
    return np.sqrt(np.square(channels).mean(axis=0), dtype="float32")


@dataclass(frozen=True, kw_only=True, eq=False)
class OutputVariable:
    """A variable of a product.

    Attributes:
        name: Name in the Dataset and in files.
        per_band: True for one value per band and pixel, (band, y, x); False for (y, x).
        per_channel: True if a model run yields one value per channel of the image and pixel.
        reduce: Reduces those values, (channels, y, x), to (y, x).
        is_reflectance: True if the values are in the unit of reflectance: they share its standard
            name, and a calibration multiplies them by its gains.
        survives_calibration: False if the values describe the estimate before calibration.
        attributes: CF attributes.
        attributes_of_samples: Attributes that replace some of these where the values are
            statistics of drawn samples, not the model's own estimate of its uncertainty.
        integer: Data type of the variable in products that store integers; None for a variable
            whose values are too small for that, which is always stored as float32.
        suffix: Appended to the stem of a product's file name to name the file of this variable.
        asset: Key and role of its asset in a STAC item.
        title: Title of that asset.
    """

    name: str
    per_band: bool = False
    per_channel: bool = False
    reduce: Callable[[Array], Array] | None = None
    is_reflectance: bool = False
    survives_calibration: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict)
    attributes_of_samples: Mapping[str, str] = field(default_factory=dict)
    integer: Literal["int16", "uint16"] | None = None
    suffix: str = ""
    asset: str
    title: str = ""

    @property
    def dims(self) -> tuple[str, ...]:
        return ("band", "y", "x") if self.per_band else ("y", "x")

    def values_per_pixel(self, bands: int) -> int:
        return bands if self.per_band else 1


_DEVIATION = {
    "long_name": "standard deviation of the reflectance estimate",
    "comment": "estimated by the model for the stated level of the scene; calibrated so that the "
    "estimate plus or minus 1.645 standard deviations contains 90 % of the true values on the "
    "ground of its training data; the model's card states the coverage on each held-out data set",
}
CALIBRATED_FOR_SENSORS = (
    "estimated by the model for the stated level of the scene; for sensors of more than three "
    "channels calibrated so that the estimate plus or minus 1.645 standard deviations contains "
    "90 % of the true values on kinds of ground that were left out of the training data in turn"
)
"""Comment on deviations from more than three channels."""

_DEVIATION_OF_SAMPLES = {
    "long_name": "standard deviation of sampled reflectance",
    "cell_methods": "realization: standard_deviation",
    "comment": "spread of the samples, not calibrated",
}

OUTPUT_VARIABLES = {
    variable.name: variable
    for variable in (
        OutputVariable(
            name="reflectance",
            per_band=True,
            is_reflectance=True,
            integer="int16",
            asset="reflectance",
        ),
        OutputVariable(
            name="reflectance_std",
            per_band=True,
            is_reflectance=True,
            attributes=_DEVIATION,
            attributes_of_samples=_DEVIATION_OF_SAMPLES,
            integer="uint16",  # never negative
            suffix="_std",
            asset="uncertainty",
            title="Standard deviation of the estimate, per band",
        ),
        OutputVariable(
            name="rgb_residual",
            per_channel=True,
            reduce=root_mean_square,
            survives_calibration=False,
            attributes={
                "long_name": "root mean square over the channels of the estimate as the camera "
                "would record it, minus the image"
            },
            suffix="_residual",
            asset="residual",
            title="The estimate as the camera would record it, minus the image: root mean square "
            "over the channels of the image",
        ),
        OutputVariable(
            name="out_of_domain",
            attributes={
                "long_name": "dissimilarity of the colour to all training spectra of the model; "
                "do not trust the estimate where it is 1"
            },
            suffix="_domain",
            asset="quality",
            title="Dissimilarity of the colour to all training spectra of the model, from 0 to 1",
        ),
    )
}
"""Name -> variable; the first is the estimate itself, the others are its companions."""

COMPANIONS = {name: variable for name, variable in OUTPUT_VARIABLES.items() if variable.suffix}
"""The variables that accompany the reflectance, in the same file or in files of their own."""

SAMPLE = "sample"
"""Dimension of joint draws, which are counted from 1."""

DRAW_ATTRIBUTES = {"standard_name": "realization", "long_name": "number of the draw"}
"""CF attributes of its coordinate."""

_DRAW = re.compile(r"reflectance_draw(\d{2,4})")
_QUANTILE = re.compile(r"reflectance_q(\d{2,3})")


def quantile_name(probability: float) -> str:
    """Returns the name of the variable of a quantile: `reflectance_q05` for 0.05."""
    return f"reflectance_q{_digits(probability)}"


def probability_of(name: str) -> float | None:
    """Returns the probability of the quantile that a variable contains; None for others."""
    found = _QUANTILE.fullmatch(name)
    return float(f"0.{found[1]}") if found else None


def draw_name(number: int) -> str:
    """Returns the name of the variable of one draw: `reflectance_draw01` for the first."""
    return f"reflectance_draw{number:02d}"


def draw_of(name: str) -> int | None:
    """Returns the number of the draw that a variable contains; None for others."""
    found = _DRAW.fullmatch(name)
    return int(found[1]) if found else None


def output_variable(name: str) -> OutputVariable | None:
    """Returns the variable of a name, which may be that of a quantile or draw, or None."""
    if name in OUTPUT_VARIABLES:
        return OUTPUT_VARIABLES[name]
    if (number := draw_of(name)) is not None:
        return replace(
            OUTPUT_VARIABLES["reflectance"],
            name=name,
            suffix=f"_draw{number:02d}",
            asset=f"draw-{number:02d}",
            title=f"Draw {number} from the posterior of the model, per band",
        )
    probability = probability_of(name)
    if probability is None:
        return None
    digits = _digits(probability)
    return OutputVariable(
        name=name,
        per_band=True,
        is_reflectance=True,
        attributes={
            "long_name": f"{100 * probability:g} % quantile of reflectance",
            "comment": "estimated by the model for the stated level of the scene",
        },
        integer="uint16",  # never negative
        suffix=f"_q{digits}",
        asset=f"quantile-{digits}",
        title=f"{100 * probability:g} % quantile of reflectance, per band",
    )


def companion_names(provenance: Mapping[str, Any]) -> list[str]:
    """Returns the names of all companions that a product may have.

    Args:
        provenance: Its provenance, without the prefix `hsi_xr_`; `quantiles` lists its quantiles,
            and `draws` is their number.
    """
    draws = map(draw_name, range(1, int(provenance.get("draws", 0)) + 1))
    listed = str(provenance.get("quantiles", "")).split(",")
    return [*draws, *COMPANIONS, *(quantile_name(float(text)) for text in listed if text)]


def companions_among(names: Iterable[object]) -> list[str]:
    """Returns the names that are companions: draws first, quantiles last."""
    given = sorted({str(name) for name in names})
    draws = sorted((n, name) for name in given if (n := draw_of(name)) is not None)
    quantiles = [name for name in given if probability_of(name) is not None]
    known = [name for name in COMPANIONS if name in given]
    return [*(name for _, name in draws), *known, *quantiles]


def _digits(probability: float) -> str:
    return f"{probability:.3f}"[2:].removesuffix("0")
