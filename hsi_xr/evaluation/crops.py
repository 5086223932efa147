"""The part of an image that is scored, by the name of its protocol."""

from collections.abc import Callable, Mapping
from typing import Final

from hsi_xr.errors import InvalidData, UnknownName

Crop = Callable[[int, int], tuple[slice, slice]]
"""(rows, columns) of an image -> the rows and columns that are scored."""

NTIRE_MARGIN: Final = 128


def whole(rows: int, columns: int) -> tuple[slice, slice]:
    return slice(0, rows), slice(0, columns)


def ntire(rows: int, columns: int) -> tuple[slice, slice]:
    """All but 128 pixels at every side; 226 x 256 of the challenge's 482 x 512.

    Raises:
        InvalidData: Nothing would be left.

    Source: Arad et al. 2022, NTIRE challenge on spectral recovery.
    """
    if min(rows, columns) <= 2 * NTIRE_MARGIN:
        raise InvalidData(
            f"the crop ntire leaves nothing of {rows} x {columns} px: it takes {NTIRE_MARGIN} px "
            "off every side; score whole images (crop='none', --crop none)"
        )
    return tuple(slice(NTIRE_MARGIN, size - NTIRE_MARGIN) for size in (rows, columns))  # type: ignore[return-value]


CROPS: Final[Mapping[str, Crop]] = {"none": whole, "ntire": ntire}


def crop_of(name: str) -> Crop:
    """The crop of that name.

    Raises:
        UnknownName: There is none.
    """
    if name not in CROPS:
        raise UnknownName(f"no crop is called {name!r}; known: {', '.join(CROPS)}")
    return CROPS[name]
