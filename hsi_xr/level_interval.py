"""The level of a scene: the gain of its image relative to reflectance, with a 90 % interval."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import exp, isfinite
from typing import Any, Self

LEVEL_VARIABLES = {
    "level_gain": "gain of the image over reflectance",
    "level_factor_low": "lower end of the 90 % interval of the common factor of all reflectance",
    "level_factor_high": "upper end of the 90 % interval of the common factor of all reflectance",
}
"""Name -> long name of the scalars of a Dataset that state its level; files store them as
attributes with the prefix `hsi_xr_`."""

LEVEL_FACTOR = "level_factor"
"""Name of the variable of draws, by sample, that states the level of each."""
LEVEL_FACTOR_ATTRIBUTES = {
    "long_name": "factor of all reflectance in a draw of the level",
    "comment": "the draws hold for the stated level of the scene; their product with this factor "
    "includes its uncertainty",
    "units": "1",
}

_PREFIX = "hsi_xr_"
_ASSUMED = ("known", "calibrated")
"""Kinds of level that leave nothing to say: that of reflectance, and that of known spectra."""
_NORMAL_90 = 1.645
"""Standard deviations on either side of the mean that contain 90 % of a normal distribution."""


@dataclass(frozen=True)
class LevelInterval:
    """The gain of an image relative to reflectance, and its uncertainty.

    Attributes:
        gain: The gain that was applied: the linear value of a white reflector (reflectance 1).
        low: Lower end of its 90 % interval.
        high: Upper end.
    """

    gain: float
    low: float
    high: float

    @classmethod
    def of(cls, gain: float, log_std: float) -> Self:
        """Returns the interval of a gain whose logarithm is normally distributed."""
        spread = exp(_NORMAL_90 * log_std)
        return cls(gain, gain / spread, gain * spread)

    @classmethod
    def from_scalars(cls, values: Mapping[str, Any]) -> Self | None:
        """Returns the interval that scalars named as in `LEVEL_VARIABLES` state, or None."""
        if not LEVEL_VARIABLES.keys() <= values.keys():
            return None
        gain, low, high = (float(values[name]) for name in LEVEL_VARIABLES)
        if not (isfinite(gain) and low > 0 and high > 0):
            return None
        return cls(gain, gain / high, gain / low)

    @classmethod
    def from_attributes(cls, attrs: Mapping[Hashable, Any]) -> Self | None:
        """Returns the interval that the attributes of a product state, or None."""
        return cls.from_scalars(
            {str(key).removeprefix(_PREFIX): value for key, value in attrs.items()}
        )

    @property
    def factor(self) -> tuple[float, float]:
        """The 90 % interval of true over estimated reflectance, which all pixels share."""
        return self.gain / self.high, self.gain / self.low

    @property
    def scalars(self) -> dict[str, float]:
        """The values of `LEVEL_VARIABLES`."""
        return dict(zip(LEVEL_VARIABLES, (self.gain, *self.factor)))

    @property
    def attributes(self) -> dict[str, float]:
        """The attributes of a product, rounded to four digits, more than the estimate warrants."""
        return {f"{_PREFIX}{name}": float(f"{x:.4g}") for name, x in self.scalars.items()}

    def __str__(self) -> str:
        low, high = self.factor
        return (
            f"reflectance values may be off by a common factor of {low:.2g} to {high:.2g} "
            "(90 % interval)"
        )


def level_text(provenance: Mapping[str, Any]) -> str:
    """Returns where the level of a product comes from, and by how much it may be off.

    Args:
        provenance: Its provenance, without the prefix `hsi_xr_`.

    Returns:
        Text without a full stop; "" for reflectance, calibrated cubes, and what is no product.
    """
    kind = str(provenance.get("level", _ASSUMED[0]))
    if kind in _ASSUMED:
        return ""
    origin, gain = provenance.get("level_origin"), provenance.get("level_gain")
    found = f"{kind} ({origin})" if origin else kind
    if gain is None:
        return f"{found} by the model, with unknown uncertainty"
    found = f"{found} from the colours of the image" if kind == "estimated" else found
    found += f", gain {float(gain):.3g} over reflectance"
    interval = LevelInterval.from_scalars(provenance)
    return found if interval is None else f"{found}; {interval}"
