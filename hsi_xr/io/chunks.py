"""The `chunks` argument of `open`, in all forms that xarray and dask accept."""

from collections.abc import Hashable, Mapping
from typing import TypeAlias

import dask.array
import numpy as np

from hsi_xr.errors import UsageError

Length: TypeAlias = int | str | tuple[int, ...] | None
"""Along one dimension: pixels, -1 or None for all, `"auto"`, `"64MiB"`, or a tuple of all sizes."""

Chunks: TypeAlias = Length | tuple[Length, ...] | Mapping[Hashable, Length]
"""One length for `y` and `x`, a tuple of (y, x) or (band, y, x), or a mapping by dimension."""

DEFAULT = 512
_DIMS = ("band", "y", "x")


def chunk_sizes(chunks: Chunks, shape: tuple[int, int, int]) -> tuple[tuple[int, ...], ...]:
    """Returns the chunk sizes along band, y and x.

    Bands stay together unless `chunks` names them, since a pixel is valid in all bands or in none.

    Args:
        chunks: Not None, which means no chunks at all.
        shape: (bands, rows, columns)

    Raises:
        UsageError: dask cannot make such chunks, or there is no such dimension.
    """
    try:
        lengths = _by_dimension(chunks)
        _check_lengths(lengths)
        return dask.array.core.normalize_chunks(lengths, shape, dtype=np.dtype("float32"))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UsageError(
            f"chunks={chunks!r} cannot be used ({error}); give a number of pixels, e.g. "
            "chunks=512, sizes by dimension, e.g. chunks={'y': 400, 'x': 400}, 'auto', -1 for one "
            "chunk, or None to read at once"
        ) from error


def _by_dimension(chunks: Chunks) -> tuple[Length, ...]:
    """Returns the lengths along band, y and x.

    Raises:
        ValueError: There is no such dimension, or the tuple does not have two or three elements.
    """
    if isinstance(chunks, Mapping):
        if unknown := [name for name in chunks if name not in _DIMS]:
            raise ValueError(f"no dimension {unknown[0]!r}; the dimensions are band, y, x")
        return chunks.get("band", -1), chunks.get("y", DEFAULT), chunks.get("x", DEFAULT)
    if not isinstance(chunks, tuple | list):
        return -1, chunks, chunks
    if len(chunks) not in (2, 3):
        raise ValueError(f"{len(chunks)} sizes, not (y, x) or (band, y, x)")
    return (-1, *chunks) if len(chunks) == 2 else tuple(chunks)


def _check_lengths(lengths: tuple[Length, ...]) -> None:
    """Rejects sizes that dask would turn into empty chunks.

    Raises:
        ValueError: A length is not positive, and not -1.
    """
    for length in lengths:
        for size in length if isinstance(length, tuple | list) else (length,):
            if _is_impossible(size):
                raise ValueError(f"{size!r} is not a positive number of pixels")


def _is_impossible(size: object) -> bool:
    if isinstance(size, int | np.integer):
        return isinstance(size, bool) or bool(size < 1 and size != -1)
    return False
