"""Band grids: which wavelengths a cube has. All wavelengths are nanometres."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from statistics import median

from hsi_xr.errors import InvalidData


@dataclass(frozen=True)
class Bands:
    """Centres, and where known full widths at half maximum, in nm, ascending."""

    centres: tuple[float, ...]
    widths: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.centres:
            raise InvalidData("there is no band; give one at least")
        if any(b <= a for a, b in zip(self.centres, self.centres[1:])) or min(self.centres) <= 0:
            raise InvalidData(f"band centres must be positive and ascending; got {self.centres}")
        if self.widths is not None and len(self.widths) != len(self.centres):
            raise InvalidData(
                f"{len(self.centres)} band centres need as many widths; got {len(self.widths)}"
            )

    def __len__(self) -> int:
        return len(self.centres)

    @classmethod
    def regular(cls, first: float, last: float, step: float) -> "Bands":
        """Evenly spaced bands as wide as their step: `Bands.regular(400, 700, 10)` has 31."""
        count = round((last - first) / step) + 1
        return cls(tuple(first + step * i for i in range(count)), (float(step),) * count)

    @property
    def step(self) -> float:
        """From one band to the next, usually, in nm; infinite for one band."""
        return median(b - a for a, b in pairwise(self.centres)) if len(self) > 1 else inf

    @property
    def extent(self) -> tuple[float, float]:
        """From the lower half maximum of the first band to the upper one of the last, in nm."""
        widths = self.widths or (0.0,) * len(self)
        return self.centres[0] - widths[0] / 2, self.centres[-1] + widths[-1] / 2

    def nearest(self, wavelength: float) -> int:
        """Index of the band whose centre is nearest to a wavelength in nm."""
        return nearest(self.centres, wavelength)


def nearest(centres: Sequence[float], wavelength: float) -> int:
    return min(range(len(centres)), key=lambda i: abs(centres[i] - wavelength))
