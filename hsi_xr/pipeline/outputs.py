"""The output variables of a job, by name; needs no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from hsi_xr.output_variables import (
    COMPANIONS,
    OutputVariable,
    output_variable,
    probability_of,
    quantile_name,
)


@dataclass(frozen=True)
class Outputs:
    """The variables that a job computes, stacked along the first axis of its blocks.

    Attributes:
        bands: Number of bands of the estimate.
        names: Names of the variables: those of `OUTPUT_VARIABLES`, in that order, then quantiles.
        sensed: Number of channels of the image.
        draws: Number of joint draws that the reflectance consists of; 0 for the estimate itself.
    """

    bands: int
    names: tuple[str, ...] = ("reflectance",)
    sensed: int = 3
    draws: int = 0

    @classmethod
    def of(
        cls,
        bands: int,
        sensed: int = 3,
        *,
        draws: int = 0,
        quantiles: Sequence[float] = (),
        **companions: bool,
    ) -> "Outputs":
        """Returns the reflectance with the companions that are True, and with quantiles.

        Args:
            bands: Number of bands of the estimate.
            sensed: Number of channels of the image.
            draws: Number of joint draws of the reflectance; 0 for the estimate itself.
            quantiles: Probabilities.
            companions: Whether each companion is wanted, by name.

        Raises:
            TypeError: There is no such companion.
        """
        if unknown := companions.keys() - COMPANIONS.keys():
            raise TypeError(f"unknown output variables: {', '.join(sorted(unknown))}")
        wanted = [name for name in COMPANIONS if companions.get(name)]
        names = ("reflectance", *wanted, *map(quantile_name, sorted(quantiles)))
        return cls(bands, names, sensed, draws)

    @property
    def variables(self) -> tuple[OutputVariable, ...]:
        return tuple(found for name in self.names if (found := output_variable(name)))

    @property
    def quantiles(self) -> dict[str, float]:
        """Name -> probability of the quantiles, in ascending order."""
        return {name: p for name in self.names if (p := probability_of(name)) is not None}

    @property
    def channels(self) -> int:
        """Number of values that are computed per pixel."""
        return sum(map(self._channels, self.variables))

    @property
    def values(self) -> int:
        """Number of values per pixel of the finished Dataset."""
        return sum(map(self.values_of, self.variables))

    @property
    def slices(self) -> dict[str, slice]:
        """Name -> its channels in a stack of all."""
        slices, start = {}, 0
        for variable in self.variables:
            stop = start + self._channels(variable)
            slices[variable.name] = slice(start, stop)
            start = stop
        return slices

    def values_of(self, variable: OutputVariable) -> int:
        """Returns the number of values per pixel of a variable of the finished Dataset."""
        return variable.values_per_pixel(self.bands) * self._repeats(variable)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def _channels(self, variable: OutputVariable) -> int:
        if variable.per_channel:
            return self.sensed
        return self.values_of(variable)

    def _repeats(self, variable: OutputVariable) -> int:
        return self.draws if self.draws and variable.name == "reflectance" else 1
