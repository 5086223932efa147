"""Crops of images for scoring, named after the protocols that define them."""

from collections.abc import Callable, Mapping
from typing import Final

from hsi_xr.errors import InvalidData
from hsi_xr.suggestions import unknown_name

Crop = Callable[[int, int], tuple[slice, slice]]
"""(rows, columns) of an image -> rows and columns to score."""

NTIRE_MARGIN: Final = 128


def entire(rows: int, columns: int) -> tuple[slice, slice]:
    """Selects the entire image."""
    return slice(0, rows), slice(0, columns)


def ntire(rows: int, columns: int) -> tuple[slice, slice]:
    """Selects all but 128 pixels on each side: 226 x 256 of the challenge's 482 x 512.

    Raises:
        InvalidData: The image is too small.

    Source: Arad et al. 2022, NTIRE challenge on spectral recovery.
    """
    if min(rows, columns) <= 2 * NTIRE_MARGIN:
        raise InvalidData(
            f"the crop 'ntire' removes {NTIRE_MARGIN} px on each side, which leaves nothing of "
            f"{rows} x {columns} px; score entire images (crop='none', --crop none)"
        )
    return tuple(slice(NTIRE_MARGIN, size - NTIRE_MARGIN) for size in (rows, columns))  # type: ignore[return-value]


CROPS: Final[Mapping[str, Crop]] = {"none": entire, "ntire": ntire}


def crop_of(name: str) -> Crop:
    """Returns a crop by name.

    Raises:
        UnknownName: There is no crop of that name.
    """
    if name not in CROPS:
        raise unknown_name("crop", name, CROPS)
    return CROPS[name]
