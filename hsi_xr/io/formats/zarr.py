"""Zarr v3: a folder of shards, each of many chunks, with all metadata in one file at its root.

Where it lies is told twice, by a CF grid mapping and by the `proj:` and `spatial:` conventions.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hsi_xr.errors import UsageError
from hsi_xr.io import grid
from hsi_xr.io.formats import _cf
from hsi_xr.io.georef import authority_code
from hsi_xr.io.staging import StagingFile
from hsi_xr.io.variables import StoredVariable

SUFFIXES = (".zarr",)
DRIVER = "Zarr"
MULTI_VARIABLE = True
_KNOWN = "Known are CHUNK (pixels, 256 by default) and SHARD (pixels, 1024, a multiple of CHUNK)"
_BANDS = 32
"""Bands of a shard, at most: with 1024 pixels a side and float32, 128 MiB are in hand at once."""
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


def creation_options(image: StoredVariable, given: Mapping[str, Any]) -> dict[str, str]:
    _cf.need("zarr", "zarr")
    _cf.check_name(image)
    options = _cf.one_side(given, "CHUNK", 256, known=_KNOWN)
    options = _cf.one_side(options, "SHARD", max(1024, int(options["CHUNK"])), known=_KNOWN)
    if options.keys() != {"CHUNK", "SHARD"} or int(options["SHARD"]) % int(options["CHUNK"]):
        raise UsageError(
            f"creation options {', '.join(f'{key}={value}' for key, value in given.items())} are "
            f"none of Zarr. {_KNOWN}"
        )
    return options


def write_file(drafts: Sequence[StagingFile], path: Path, options: Mapping[str, str]) -> None:
    from zarr.codecs import BloscCodec

    chunk_side, shard_side = int(options["CHUNK"]), int(options["SHARD"])
    most = _cf.Shape(_BANDS, shard_side, shard_side)
    chunks = [_cf.chunk_of(draft.image, chunk_side) for draft in drafts]
    shards = [_cf.block_of(draft.image, chunk, most) for draft, chunk in zip(drafts, chunks)]
    found = _cf.dataset(drafts, shards).assign_attrs(_conventions(drafts[0].image))
    encoding = {}
    for draft, chunk, shard in zip(drafts, chunks, shards):
        image, dims = draft.image, draft.image.array.dims
        laid_out = {
            "chunks": chunk.along(dims),
            "shards": shard.along(dims),
            "compressors": (BloscCodec(cname="zstd", clevel=5, shuffle="shuffle"),),
            "fill_value": image.storage.nodata,  # a chunk without pixels is not stored
        }
        encoding[image.name] = _cf.with_mapping(laid_out, image)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata")  # no part of v3 yet, and known
        writing = found.to_zarr(
            path, mode="w", zarr_format=3, consolidated=True, encoding=encoding, compute=False
        )
        writing.compute(scheduler="synchronous")


def is_exact(options: Mapping[str, str]) -> bool:
    return True


def sidecars(path: Path) -> dict[str, Path]:
    return {}


def media_type(path: Path) -> str:
    return "application/vnd.zarr; version=3"


def _conventions(image: StoredVariable) -> dict[str, Any]:
    """Where the arrays of the group lie, as of the Zarr conventions `proj:` and `spatial:`."""
    transform, shape = image.transform, image.shape
    if transform is None:
        return {}
    spatial = {
        "spatial:dimensions": ["y", "x"],
        "spatial:shape": list(shape),
        "spatial:transform": list(transform)[:6],
        "spatial:bbox": list(grid.bounds(transform, shape)),
        "spatial:registration": "pixel",
    }
    if image.crs is None:
        return {"zarr_conventions": [_SPATIAL], **spatial}
    return {"zarr_conventions": [_PROJ, _SPATIAL], **_projection(image), **spatial}


def _projection(image: StoredVariable) -> dict[str, str]:
    from pyproj import CRS

    crs = CRS.from_wkt(image.crs.to_wkt()) if image.crs is not None else None
    code = authority_code(crs)
    if code is not None or crs is None:
        return {"proj:code": code} if code else {}
    return {"proj:wkt2": crs.to_wkt()}
