"""The level of a scene as stated by the caller: as a number or by a white reflector's value."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hsi_xr.checkpoints.card import Card
from hsi_xr.errors import MissingFact, UsageError
from hsi_xr.pipeline.radiometry import Radiometry
from hsi_xr.pipeline.scene import Scene
from hsi_xr.reconstructors._level import Level

LevelKind = Literal["stated", "from reference"]

_OPTIONS = {
    "level": "level= (--level)",
    "white": "white= (--white)",
    "level_from": "level_from= (--level-from)",
}


@dataclass(frozen=True)
class StatedLevel:
    """A level that is not estimated from the colours of the scene.

    Attributes:
        level: Its value.
        kind: Value of the attribute `hsi_xr_level` of products.
        origin: Its source, as text.
    """

    level: Level
    kind: LevelKind
    origin: str

    def __str__(self) -> str:
        return f"{self.level} ({self.origin})"


def check_level_options(scene: Scene, card: Card, **options: object) -> None:
    """Raises a UsageError if a level cannot be stated for a scene, or is stated twice.

    Args:
        scene: The scene.
        card: Card of the model.
        options: `level`, `white` and `level_from`; None where they are not given.
    """
    given = [text for name, text in _OPTIONS.items() if options[name] is not None]
    if not given:
        return
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} are alternatives; pass only one of them")
    if scene.radiometry.level_known:
        raise UsageError(
            "the level of a reflectance image is always 1; omit "
            f"{given[0]}, or pass radiometry='linear' or 'srgb' (--radiometry) if the values are "
            "not reflectance"
        )
    if not card.level_aware:
        raise UsageError(
            f"{card.name} cannot use the level of an image, because it was trained without levels; "
            f"omit {given[0]}, or choose another model, such as model='default' (--model)"
        )


def level_of(
    radiometry: Radiometry, dtype: str, *, level: float | None, white: float | None
) -> StatedLevel | None:
    """Returns the level that is stated as a number, or None.

    Args:
        radiometry: What the values of the scene mean.
        dtype: Data type of its stored values.
        level: Linear value of a reflector of reflectance 1.
        white: Stored value of a reflector of reflectance 1.

    Raises:
        MissingFact: The number is not a possible level.
    """
    if level is not None:
        if not (np.isfinite(level) and level > 0):
            raise MissingFact(
                "level= (--level) is the linear value of a white reflector, a positive number; "
                f"got {level!r}"
            )
        return StatedLevel(Level(float(level)), "stated", "as given")
    if white is None:
        return None
    gain = _linear(white, radiometry, dtype)
    return StatedLevel(Level(gain), "stated", f"a white reflector reads {white:g}")


def _linear(white: float, radiometry: Radiometry, dtype: str) -> float:
    """Returns the linear value of a stored one."""
    scale, offset = radiometry.stored_scale, radiometry.stored_offset
    if isinstance(scale, str) or isinstance(offset, str):
        raise MissingFact(
            "white= (--white) is one stored value, but the scale differs from band to band; pass "
            "the linear value level= (--level) instead"
        )
    stored = np.dtype(dtype)
    highest = np.iinfo(stored).max if stored.kind in "iu" else np.inf
    coded = white * scale + offset
    if not (np.isfinite(white) and white <= highest and coded > 0):
        limit = f" of at most {highest:g}" if np.isfinite(highest) else ""
        black = 0.0 - offset / scale
        raise MissingFact(
            f"white= (--white) is the stored value{limit} of a white reflector, brighter than "
            f"{black:g}, which is black; got {white!r}. If a white reflector would be overexposed, "
            "pass its linear value, level= (--level)"
        )
    return float(radiometry.linear_of_scaled(np.array([coded], np.float32))[0])
