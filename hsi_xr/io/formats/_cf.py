"""Converts staging files to a CF dataset, for formats that store all variables in one file.

The values are already encoded, and are read from the staging files while they are written. So
readers decode the same values from every format.

Source: CF-1.12, sections 3 (description), 5.6 (grid mappings) and 8.1 (packed data).
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import dask.array
import numpy as np
import xarray as xr

from hsi_xr.errors import UsageError
from hsi_xr.io import tags, wavelengths
from hsi_xr.io.georef import coordinates
from hsi_xr.io.staging import StagingFile
from hsi_xr.io.variables import StoredValues, StoredVariable
from hsi_xr.output_variables import DRAW_ATTRIBUTES, SAMPLE, draw_of
from hsi_xr.times import now, utc_text

CONVENTIONS = "CF-1.12"
GRID_MAPPING = "spatial_ref"
CHUNK_SIDE = 256
"""Default side of a chunk in pixels."""
CHUNK_SIDES = range(16, 4097)
_CHUNK_BYTES = 2**20
"""Bytes of a chunk before compression: the size of HDF5's cache, and worth an HTTP request."""
_GLOBAL_ATTRIBUTES = ("title", "source", "history", "references", "institution")
"""Global attributes of CF that are kept if a cube has them."""
_RESERVED = {"band", "y", "x", "row", "column", "wavelength", "fwhm", GRID_MAPPING}
_CHUNKS = ("chunksizes", "chunks", "shards")
"""Encodings of formats that are sizes along the dimensions of a variable."""
_ENCODING = {"_FillValue", "scale_factor", "add_offset", "grid_mapping", "coordinates", "dtype"}
"""Attributes that describe how values are stored, which is decided here."""


@dataclass(frozen=True)
class BoxShape:
    """Sides of a chunk, or of a block of chunks that is written at once."""

    bands: int
    rows: int
    columns: int

    def along(self, dims: Sequence[Hashable]) -> tuple[int, ...]:
        """Returns the sides along dimensions."""
        sides: Mapping[Hashable, int] = {"band": self.bands, "y": self.rows, "x": self.columns}
        return tuple(sides[dim] for dim in dims)


def chunk_shape(variable: StoredVariable, side: int) -> BoxShape:
    """Returns a chunk of some of the bands, so that reading one band or one spectrum is cheap."""
    rows, columns = (min(side, length) for length in variable.shape)
    size = np.dtype(variable.storage.dtype).itemsize
    bands = max(1, _CHUNK_BYTES // (side * side * size))
    return BoxShape(min(bands, variable.count), rows, columns)


def whole_chunks(variable: StoredVariable, chunk: BoxShape, largest: BoxShape) -> BoxShape:
    """Returns the largest block of whole chunks within `largest`, and no larger than the variable.

    A block has at least one chunk.
    """

    def side(length: int, unit: int, limit: int) -> int:
        return unit * min(-(-length // unit), max(1, limit // unit))

    rows, columns = variable.shape
    return BoxShape(
        side(variable.count, chunk.bands, largest.bands),
        side(rows, chunk.rows, largest.rows),
        side(columns, chunk.columns, largest.columns),
    )


def dataset(
    staging_files: Sequence[StagingFile],
    blocks: Sequence[BoxShape],
    *,
    scale_type: type[float] | type[np.float32] = float,
) -> xr.Dataset:
    """Returns all variables, lazily, with coordinates and global attributes.

    Args:
        staging_files: The variables, reflectance first.
        blocks: Dask chunks of each.
        scale_type: Type of the scale; readers decode values to it. Use float32 for formats whose
            attributes are typed.
    """
    main = staging_files[0].variable
    variables = {
        staging_file.variable.name: _variable(staging_file, block, scale_type)
        for staging_file, block in zip(staging_files, blocks)
    }
    draws = [variables.pop(name) for name in [*variables] if draw_of(name) is not None]
    if draws:
        joined = xr.Variable.concat(draws, SAMPLE, combine_attrs="override")
        variables = {"reflectance": joined, **variables}
    found = xr.Dataset(variables, _coordinates(main, len(draws)), _attributes(main))
    if main.crs is not None and "y" in found.coords:
        found = found.rio.write_coordinate_system()
    for coordinate in found.coords.values():
        coordinate.encoding["_FillValue"] = None  # CF: coordinates have no missing values
    return found


def with_grid_mapping(
    encoding: Mapping[str, object], variable: StoredVariable
) -> dict[str, object]:
    """Returns an encoding with the grid mapping, which xarray drops if an encoding is given."""
    return {**encoding, "grid_mapping": GRID_MAPPING} if variable.transform else dict(encoding)


def check_name(variable: StoredVariable) -> None:
    """Raise an error if a name has another meaning in a store.

    Raises:
        UsageError: The variable cannot have that name.
    """
    if "/" in variable.name or variable.name in _RESERVED:
        raise UsageError(
            f"a variable of a store cannot be called {variable.name!r}; rename the array, e.g. "
            "`cube.rename('reflectance')`"
        )


def require_package(package: str, extra: str) -> None:
    """Raise an error before any work if the package of a format is missing.

    Raises:
        UsageError: The package is not installed.
    """
    if find_spec(package) is None:
        raise UsageError(
            f"the format {extra} needs the package {package}, which is not installed; "
            f"run `pip install 'hsi-xr[{extra}]'`"
        )


class _StagedArray:
    """The stored values of a staging file, with the interface that dask needs to slice them."""

    def __init__(self, staging_file: StagingFile) -> None:
        variable = staging_file.variable
        self._file = staging_file
        self._has_bands = "band" in variable.array.dims
        self.shape = (variable.count, *variable.shape) if self._has_bands else variable.shape
        self.dtype = np.dtype(variable.storage.dtype)
        self.ndim = len(self.shape)

    def __getitem__(self, key: tuple[slice, ...]) -> StoredValues:
        if not self._has_bands:
            return self._file.read(*key)[0]
        bands, rows, columns = key
        return self._file.read(rows, columns, bands)


def _variable(
    staging_file: StagingFile, block: BoxShape, scale_type: type[float] | type[np.float32]
) -> xr.Variable:
    variable = staging_file.variable
    dims, storage = variable.array.dims, variable.storage
    # dask orders tasks by name, so a path in the name would determine the order of chunks in a file
    values = dask.array.from_array(
        _StagedArray(staging_file),
        chunks=block.along(dims),
        name=f"staged-{variable.name}",
        asarray=False,
    )
    attrs: dict[str, object] = {
        str(key): _attribute(value)
        for key, value in variable.array.attrs.items()
        if key not in _ENCODING and not str(key).startswith("hsi_xr_")
    }
    attrs["_FillValue"] = np.dtype(storage.dtype).type(storage.nodata)
    if storage.scale != 1:
        attrs["scale_factor"] = scale_type(storage.scale)
    return xr.Variable(dims, values, attrs)


def encodings(
    variables: Sequence[StoredVariable], each: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Returns the encoding of each variable of `dataset`, given those of the staged ones.

    Chunks of joint draws contain a single draw.
    """
    found: dict[str, dict[str, Any]] = {}
    for variable, encoding in zip(variables, each):
        if draw_of(variable.name) is None:
            found[variable.name] = dict(encoding)
            continue
        sizes = {key: (1, *encoding[key]) for key in _CHUNKS if key in encoding}
        found["reflectance"] = {**encoding, **sizes}
    return found


def _coordinates(variable: StoredVariable, draws: int) -> dict[str, xr.Variable]:
    found: dict[str, xr.Variable] = {}
    if draws:
        found[SAMPLE] = xr.Variable(SAMPLE, np.arange(1, draws + 1), DRAW_ATTRIBUTES)
    if variable.transform is not None:
        found |= coordinates(variable.transform, variable.crs, variable.shape)
    if "band" in variable.array.dims:
        numbers = np.arange(1, variable.count + 1)
        found["band"] = xr.Variable("band", numbers, {"long_name": "band number"})
    for name, lengths in (("wavelength", variable.wavelengths), ("fwhm", variable.fwhm)):
        if lengths is not None:
            attrs = wavelengths.COORDINATE_ATTRS[name]
            found[name] = xr.Variable("band", np.array(lengths, np.float64), attrs)
    return found


def _attributes(variable: StoredVariable) -> dict[str, object]:
    """Returns global attributes: those of CF, and provenance both as attributes and as JSON."""
    provenance = tags.provenance_of(variable.attrs)
    kept = {key: variable.attrs[key] for key in _GLOBAL_ATTRIBUTES if key in variable.attrs}
    found: dict[str, object] = {
        "Conventions": CONVENTIONS,
        **{key: _attribute(value) for key, value in kept.items()},
        "date_created": f"{now():%Y-%m-%dT%H:%M:%SZ}",
        **{f"hsi_xr_{key}": _attribute(value) for key, value in provenance.items()},
        "hsi_xr_config": tags.compact_json(provenance),
    }
    if acquired := variable.attrs.get("datetime"):
        found["datetime"] = utc_text(acquired)
    return found


def _attribute(value: object) -> str | int | float:
    """Returns a text or a number, which every store has a type for; other values as JSON."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    return tags.compact_json(value)
