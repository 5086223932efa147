"""What a run has collected as one dataset by the CF conventions, for stores that hold all of it.

Its numbers are those that are stored, read from the drafts when they are written; so nothing is
encoded twice, and what readers decode are the very steps of the other formats.

Source: CF-1.12, sections 3 (description), 5.6 (grid mappings) and 8.1 (packed data).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from numbers import Number
from typing import Any

import dask.array
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.errors import UsageError
from hsi_xr.io import tags, wavelengths
from hsi_xr.io.georef import coordinates
from hsi_xr.io.staging import StagingFile
from hsi_xr.io.variables import StoredVariable
from hsi_xr.times import now, utc_text

CONVENTIONS = "CF-1.12"
GRID_MAPPING = "spatial_ref"
CHUNK_BYTES = 2**20
"""Of a chunk before compression: what HDF5 keeps at hand, and a request over a network is worth."""
_ABOUT = ("title", "source", "history", "references", "institution")
"""Global attributes of CF that are kept where a cube has them."""
_TAKEN = {"band", "y", "x", "row", "column", "wavelength", "fwhm", GRID_MAPPING}
_PACKING = {"_FillValue", "scale_factor", "add_offset", "grid_mapping", "coordinates", "dtype"}
"""Attributes that say how numbers are stored, and are ours to say."""


@dataclass(frozen=True)
class Shape:
    """Sides of a chunk, or of what is written at once: bands, rows, columns."""

    bands: int
    rows: int
    columns: int

    def along(self, dims: Sequence[Any]) -> tuple[int, ...]:
        return tuple({"band": self.bands, "y": self.rows, "x": self.columns}[dim] for dim in dims)


def chunk_of(image: StoredVariable, side: int) -> Shape:
    """A chunk of some bands, `side` pixels a side: neither a band nor a spectrum costs all."""
    rows, columns = (min(side, length) for length in image.shape)
    size = np.dtype(image.storage.dtype).itemsize
    bands = max(1, CHUNK_BYTES // (side * side * size))
    return Shape(min(bands, image.count), rows, columns)


def block_of(image: StoredVariable, chunk: Shape, most: Shape) -> Shape:
    """Whole chunks that are written at once, up to `most` a side."""

    def sides(length: int, unit: int, limit: int) -> int:
        return unit * min(-(-length // unit), max(1, limit // unit))

    rows, columns = image.shape
    return Shape(
        sides(image.count, chunk.bands, most.bands),
        sides(rows, chunk.rows, most.rows),
        sides(columns, chunk.columns, most.columns),
    )


def dataset(
    drafts: Sequence[StagingFile], blocks: Sequence[Shape], *, scale_type: type = float
) -> xr.Dataset:
    """All variables, lazily, in dask chunks of `blocks`, with coordinates and global attributes.

    Numbers are decoded to the type of their scale, so it is float32 where a store has types for
    attributes.
    """
    main = drafts[0].image
    found = xr.Dataset(
        {
            draft.image.name: _variable(draft, block, scale_type)
            for draft, block in zip(drafts, blocks)
        },
        _coordinates(main),
        _attributes(main),
    )
    if main.crs is not None and "y" in found.coords:
        found = found.rio.write_coordinate_system()
    for coordinate in found.coords.values():
        coordinate.encoding["_FillValue"] = None  # CF: of a coordinate nothing is missing
    return found


def with_mapping(encoding: Mapping[str, Any], image: StoredVariable) -> dict[str, Any]:
    """Encoding for xarray, which forgets the link to the CRS where it is given any."""
    return {**encoding, "grid_mapping": GRID_MAPPING} if image.transform else dict(encoding)


def one_side(given: Mapping[str, Any], name: str, default: int, *, known: str) -> dict[str, str]:
    """Creation options with `name`, the side of a chunk in pixels, among them.

    Raises:
        UsageError: It is no such number.
    """
    options = {name: str(default)} | {key.upper(): str(value) for key, value in given.items()}
    text = options[name]
    if not text.isdecimal() or not 16 <= int(text) <= 4096:
        raise UsageError(f"creation option {name} is 16 to 4096 pixels; got {text!r}. {known}")
    return options


def check_name(image: StoredVariable) -> None:
    """Refuse what a store would take for something else.

    Raises:
        UsageError: The array cannot be called so.
    """
    if "/" in image.name or image.name in _TAKEN:
        raise UsageError(
            f"a variable of a store cannot be called {image.name!r}; rename the array, e.g. "
            "`cube.rename('reflectance')`"
        )


def need(package: str, extra: str) -> None:
    """Refuse now what could not be written in the end.

    Raises:
        UsageError: The package is not installed.
    """
    if find_spec(package) is None:
        raise UsageError(
            f"the format {extra} needs the package {package}, which is not installed; "
            f"run `pip install 'hsi-xr[{extra}]'`"
        )


class _Numbers:
    """The stored numbers of a draft, as dask slices arrays."""

    def __init__(self, draft: StagingFile) -> None:
        image = draft.image
        self._draft = draft
        self._flat = "band" not in image.array.dims
        self.shape = image.shape if self._flat else (image.count, *image.shape)
        self.dtype = np.dtype(image.storage.dtype)
        self.ndim = len(self.shape)

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[Any]:
        if self._flat:
            return self._draft.stored(*key)[0]
        bands, rows, columns = key
        return self._draft.stored(rows, columns, bands)


def _variable(draft: StagingFile, block: Shape, scale_type: type) -> xr.Variable:
    image = draft.image
    dims, storage = image.array.dims, image.storage
    # no path in the name: dask orders by names, and the chunks of a file would lie in that order
    numbers = dask.array.from_array(
        _Numbers(draft), chunks=block.along(dims), name=f"draft-{image.name}", asarray=False
    )
    attrs: dict[str, Any] = {
        str(key): _storable(value)
        for key, value in image.array.attrs.items()
        if key not in _PACKING and not str(key).startswith("hsi_xr_")
    }
    attrs["_FillValue"] = np.dtype(storage.dtype).type(storage.nodata)
    if storage.scale != 1:
        attrs["scale_factor"] = scale_type(storage.scale)
    return xr.Variable(dims, numbers, attrs)


def _coordinates(image: StoredVariable) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if image.transform is not None:
        found |= coordinates(image.transform, image.crs, image.shape)
    if "band" in image.array.dims:
        numbers = np.arange(1, image.count + 1)
        found["band"] = xr.Variable("band", numbers, {"long_name": "band number"})
    for name, lengths in (("wavelength", image.wavelengths), ("fwhm", image.fwhm)):
        if lengths is not None:
            attrs = wavelengths.COORDINATE_ATTRS[name]
            found[name] = xr.Variable("band", np.array(lengths, np.float64), attrs)
    return found


def _attributes(image: StoredVariable) -> dict[str, Any]:
    """Global attributes: what CF has, who made it by what, and the same as JSON with its types."""
    stated = tags.provenance_of(image.attrs)
    found = {
        "Conventions": CONVENTIONS,
        **{key: _storable(image.attrs[key]) for key in _ABOUT if key in image.attrs},
        "date_created": utc_text(now()),
        **{f"hsi_xr_{key}": _storable(value) for key, value in stated.items()},
        "hsi_xr_config": tags.compact_json(stated),
    }
    if taken := image.attrs.get("datetime"):
        found["datetime"] = utc_text(taken)
    return found


def _storable(value: Any) -> str | Number:
    """A text or a number, which all stores can hold as an attribute; anything else as JSON."""
    if isinstance(value, np.generic):
        value = value.item()
    is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return value if is_plain else tags.compact_json(value)
