"""Zarr 3: a folder of shards, each of many chunks, and one file with all metadata at its root.

The georeference is stated twice, by a CF grid mapping and by the `proj:` and `spatial:`
conventions.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from hsi_xr.errors import UsageError
from hsi_xr.io import grid
from hsi_xr.io.formats import _cf
from hsi_xr.io.formats._base import Format
from hsi_xr.io.formats._creation_options import CreationOptions
from hsi_xr.io.georef import authority_code
from hsi_xr.io.staging import StagingFile
from hsi_xr.io.variables import StoredVariable

_SHARD_SIDE = 1024
_SHARD_BANDS = 32
"""Largest number of bands in a shard: 1024 x 1024 pixels of float32 then take 128 MiB."""
_PROJ = {
    "schema_url": "https://raw.githubusercontent.com/zarr-conventions/geo-proj/refs/tags/v1/schema.json",
    "spec_url": "https://github.com/zarr-conventions/geo-proj/blob/v1/README.md",
    "uuid": "f17cb550-5864-4468-aeb7-f3180cfb622f",
    "name": "proj:",
    "description": "Coordinate reference system information for geospatial data",
}
_SPATIAL = {
    "schema_url": "https://raw.githubusercontent.com/zarr-conventions/spatial/refs/tags/v1/schema.json",
    "spec_url": "https://github.com/zarr-conventions/spatial/blob/v1/README.md",
    "uuid": "689b58e2-cf7b-45e0-9fff-9cfc0883d6b4",
    "name": "spatial",
    "description": "Spatial coordinate information",
}


@dataclass(frozen=True, kw_only=True)
class Zarr(Format):
    """Creation options of Zarr stores."""

    SUFFIXES: ClassVar = (".zarr",)
    DRIVER: ClassVar = "Zarr"
    MULTI_VARIABLE: ClassVar = True

    chunk: int
    """Side of a chunk in pixels."""
    shard: int
    """Side of a shard in pixels, a multiple of `chunk`."""

    @classmethod
    def parse(cls, variable: StoredVariable, options: Mapping[str, object]) -> Self:
        _cf.require_package("zarr", "zarr")
        _cf.check_name(variable)
        given = CreationOptions.read(options, ["CHUNK", "SHARD"], format="Zarr")
        chunk = given.integer("CHUNK", _cf.CHUNK_SIDES, _cf.CHUNK_SIDE)
        shard = given.integer("SHARD", _cf.CHUNK_SIDES, max(_SHARD_SIDE, chunk))
        if shard % chunk:
            fitting = chunk * max(1, shard // chunk)
            raise UsageError(
                f"creation option SHARD must be a multiple of CHUNK, which is {chunk} pixels; got "
                f"{shard}. Give e.g. SHARD={fitting}"
            )
        return cls(chunk=chunk, shard=shard)

    def write_file(self, staging_files: Sequence[StagingFile], path: Path) -> None:
        variables = [staging_file.variable for staging_file in staging_files]
        largest = _cf.BoxShape(_SHARD_BANDS, self.shard, self.shard)
        chunks = [_cf.chunk_shape(variable, self.chunk) for variable in variables]
        shards = [
            _cf.whole_chunks(variable, chunk, largest) for variable, chunk in zip(variables, chunks)
        ]
        dataset = _cf.dataset(staging_files, shards).assign_attrs(_conventions(variables[0]))
        each = [_encoding(*group) for group in zip(variables, chunks, shards)]
        encoding = _cf.encodings(variables, each)
        with warnings.catch_warnings():
            # Zarr 3 does not specify consolidated metadata yet, but its readers support it
            warnings.filterwarnings("ignore", "Consolidated metadata")
            writing = dataset.to_zarr(
                path, mode="w", zarr_format=3, consolidated=True, encoding=encoding, compute=False
            )
            writing.compute(scheduler="synchronous")

    @classmethod
    def media_type(cls, path: Path) -> str:
        return "application/vnd.zarr; version=3"


def _encoding(
    variable: StoredVariable, chunk: _cf.BoxShape, shard: _cf.BoxShape
) -> dict[str, object]:
    from zarr.codecs import BloscCodec

    dims = variable.array.dims
    encoding = {
        "chunks": chunk.along(dims),
        "shards": shard.along(dims),
        "compressors": (BloscCodec(cname="zstd", clevel=5, shuffle="shuffle"),),
        "fill_value": variable.storage.nodata,  # chunks of nodata are not stored
    }
    return _cf.with_grid_mapping(encoding, variable)


def _conventions(variable: StoredVariable) -> dict[str, object]:
    """Returns the georeference as attributes of the conventions `proj:` and `spatial:`."""
    transform, shape = variable.transform, variable.shape
    if transform is None:
        return {}
    spatial = {
        "spatial:dimensions": ["y", "x"],
        "spatial:shape": list(shape),
        "spatial:transform": list(transform)[:6],
        "spatial:bbox": list(grid.bounds(transform, shape)),
        "spatial:registration": "pixel",
    }
    if variable.crs is None:
        return {"zarr_conventions": [_SPATIAL], **spatial}
    return {"zarr_conventions": [_PROJ, _SPATIAL], **_projection(variable.crs.to_wkt()), **spatial}


def _projection(wkt: str) -> dict[str, str]:
    from pyproj import CRS

    crs = CRS.from_wkt(wkt)
    code = authority_code(crs)
    return {"proj:wkt2": crs.to_wkt()} if code is None else {"proj:code": code}
