"""The radiometry of a scene, that is what its stored values mean; resolved while planning."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import MissingFact, UnknownName

Array = NDArray[np.float32]

KINDS = ("srgb", "linear", "reflectance")


@dataclass(frozen=True)
class Radiometry:
    """Converts stored values to linear RGB, in the same way for every pixel of a scene.

    Attributes:
        kind: `srgb` is display-referred (encoded by IEC 61966-2-1, with a brightness chosen by the
            camera), `linear` is proportional to light with unknown exposure, `reflectance` is 1
            for a white reflector.
        scale: Factor that brings stored values to [0, 1].
    """

    kind: str
    scale: float

    @property
    def level_known(self) -> bool:
        """True if brightness is a property of the ground, and not the choice of the camera."""
        return self.kind == "reflectance"

    def linear(self, values: Array) -> Array:
        """Converts stored values to linear RGB; NaN stays NaN, negative values become 0."""
        scaled = np.maximum(values * np.float32(self.scale), np.float32(0))
        return _srgb_decode(scaled) if self.kind == "srgb" else scaled


def resolve_radiometry(
    dtype: str, *, radiometry: str | None, scale: float | None, stated: str | None = None
) -> Radiometry:
    """Returns the radiometry of a scene: as the caller states it, otherwise as the file does.

    Args:
        dtype: Data type of the stored values, such as "uint8".
        radiometry: One of `KINDS`, or None.
        scale: Factor that brings stored values to [0, 1], or None.
        stated: The radiometry in the metadata of the file, or None.

    Raises:
        UnknownName: There is no such radiometry.
        MissingFact: It is neither given, nor stated, nor safe to assume; or the scale is not
            positive.
    """
    if radiometry is not None and radiometry not in KINDS:
        raise UnknownName(
            f"no radiometry is called {radiometry!r}; choose one of {', '.join(KINDS)}"
        )
    if scale is not None and not (np.isfinite(scale) and scale > 0):
        raise MissingFact(f"the scale must be a positive number; got {scale!r}")
    kind = radiometry or stated or ("srgb" if dtype == "uint8" else None)
    if kind is None:
        raise MissingFact(
            f"the meaning of {dtype} values is unknown; give radiometry='srgb', 'linear' or "
            "'reflectance' (--radiometry), and the scale that brings them to [0, 1], e.g. "
            "scale=1e-4 (--input-scale 1e-4)"
        )
    return Radiometry(kind, float(scale) if scale is not None else _scale(dtype, kind, stated))


def _scale(dtype: str, kind: str, stated: str | None) -> float:
    if stated or dtype.startswith("float"):
        return 1.0
    if dtype == "uint8" and kind != "reflectance":
        return 1 / 255
    raise MissingFact(
        f"{kind} values stored as {dtype} need the scale that brings them to [0, 1]; give e.g. "
        "scale=1e-4 (--input-scale 1e-4) for reflectance times 10,000, or 1/65535 for full-range "
        "16 bit"
    )


def _srgb_decode(coded: Array) -> Array:
    bright = ((np.maximum(coded, np.float32(0.04045)) + np.float32(0.055)) / np.float32(1.055)) ** (
        np.float32(2.4)
    )
    return np.where(coded <= 0.04045, coded / np.float32(12.92), bright)
