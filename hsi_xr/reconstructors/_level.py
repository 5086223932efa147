"""The level of an image, as far as it is known and need not be estimated. Does not import torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """The gain of an image over reflectance, as it is known from elsewhere.

    Attributes:
        gain: Linear value of a reflector of reflectance 1: reflectance is linear RGB over it.
        log_std: Standard deviation of its logarithm; 0 if it is exact.
    """

    gain: float
    log_std: float = 0.0

    def __str__(self) -> str:
        uncertainty = f", log std {self.log_std:.2g}" if self.log_std else ""
        return f"{self.gain:.9g}{uncertainty}"
