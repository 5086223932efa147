"""What the numbers of a scene mean; decided once per scene, while planning."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import MissingFact, UnknownName

Array = NDArray[np.float32]

KINDS = ("srgb", "linear", "reflectance")


@dataclass(frozen=True)
class Radiometry:
    """From stored numbers to linear RGB, the same for every pixel of the scene.

    Attributes:
        kind: `srgb` is display-referred (IEC 61966-2-1 coding, brightness as the camera chose
            it), `linear` is proportional to light with unknown exposure, `reflectance` is 1 for
            a white reflector.
        scale: Factor that brings stored numbers to [0, 1].
    """

    kind: str
    scale: float

    @property
    def level_known(self) -> bool:
        """Whether brightness is that of the ground and not the camera's choice."""
        return self.kind == "reflectance"

    def linear(self, values: Array) -> Array:
        """Stored numbers -> linear RGB; NaN stays NaN, negatives become 0 (there is no less)."""
        scaled = np.maximum(values * np.float32(self.scale), np.float32(0))
        return _srgb_decode(scaled) if self.kind == "srgb" else scaled


def resolve_radiometry(
    dtype: str, *, radiometry: str | None, scale: float | None, stated: str | None = None
) -> Radiometry:
    """The radiometry of a scene from what the user says, else from what the file states.

    Args:
        dtype: Data type of the stored numbers, such as "uint8".
        radiometry: One of `KINDS`, or None.
        scale: Factor to [0, 1], or None.
        stated: What the file's own metadata says, or None.

    Raises:
        UnknownName: Another radiometry.
        MissingFact: Neither said nor stated nor safe to assume.
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
