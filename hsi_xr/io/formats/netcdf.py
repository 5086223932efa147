"""NetCDF-4 files in compressed chunks that follow the CF conventions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from hsi_xr.io.disk import check_free_space
from hsi_xr.io.formats import _cf
from hsi_xr.io.formats._base import Format
from hsi_xr.io.formats._creation_options import CreationOptions
from hsi_xr.io.staging import StagingFile
from hsi_xr.io.variables import StoredVariable

_WRITTEN_AT_ONCE = _cf.BoxShape(32, 1024, 1024)


@dataclass(frozen=True, kw_only=True)
class Netcdf(Format):
    """Creation options of NetCDF files."""

    SUFFIXES: ClassVar = (".nc", ".nc4")
    DRIVER: ClassVar = "netCDF"
    MULTI_VARIABLE: ClassVar = True

    chunk: int
    """Side of a chunk in pixels."""
    zlevel: int
    """Level of compression, 0 for none."""

    @classmethod
    def parse(cls, variable: StoredVariable, options: Mapping[str, object]) -> Self:
        _cf.require_package("h5netcdf", "netcdf")
        _cf.check_name(variable)
        given = CreationOptions.read(options, ["CHUNK", "ZLEVEL"], format="NetCDF")
        return cls(
            chunk=given.integer("CHUNK", _cf.CHUNK_SIDES, _cf.CHUNK_SIDE),
            zlevel=given.integer("ZLEVEL", range(10), 4),
        )

    def write_file(self, staging_files: Sequence[StagingFile], path: Path) -> None:
        variables = [staging_file.variable for staging_file in staging_files]
        chunks = [_cf.chunk_shape(variable, self.chunk) for variable in variables]
        blocks = [
            _cf.whole_chunks(variable, chunk, _WRITTEN_AT_ONCE)
            for variable, chunk in zip(variables, chunks)
        ]
        dataset = _cf.dataset(staging_files, blocks, scale_type=np.float32)
        # if HDF5 finds the disk full when it closes a file, the process crashes later
        check_free_space(path, sum(map(_largest_size, variables, chunks)))
        try:
            writing = dataset.to_netcdf(
                path,
                engine="h5netcdf",
                format="NETCDF4",
                encoding=_cf.encodings(
                    variables,
                    [self._encoding(*pair) for pair in zip(variables, chunks)],
                ),
                compute=False,
            )
            writing.compute(scheduler="synchronous")
        except RuntimeError as error:  # HDF5 reports a full disk in this way
            raise OSError(str(error)) from error

    @classmethod
    def media_type(cls, path: Path) -> str:
        return "application/netcdf"

    def _encoding(self, variable: StoredVariable, chunk: _cf.BoxShape) -> dict[str, object]:
        encoding = {
            "chunksizes": chunk.along(variable.array.dims),
            "zlib": self.zlevel > 0,
            "complevel": self.zlevel,
            "shuffle": True,
        }
        return _cf.with_grid_mapping(encoding, variable)


def _largest_size(variable: StoredVariable, chunk: _cf.BoxShape) -> int:
    """Returns an upper bound of the size in bytes: uncompressed whole chunks, and metadata."""
    sides = zip((variable.count, *variable.shape), (chunk.bands, chunk.rows, chunk.columns))
    values = math.prod(-(-length // side) * side for length, side in sides)
    return int(1.01 * values * np.dtype(variable.storage.dtype).itemsize) + 2**20
