"""GeoTIFF: compressed and tiled, without overviews."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np

from hsi_xr.errors import UsageError
from hsi_xr.io.cog_layout import is_cog
from hsi_xr.io.formats._base import Format
from hsi_xr.io.formats._creation_options import CreationOptions
from hsi_xr.io.raster_dataset import rasterio_open
from hsi_xr.io.staging import TILE, StagingFile, block_shape
from hsi_xr.io.tiff_directories import release
from hsi_xr.io.variables import StoredVariable

MEDIA_TYPE: Final = "image/tiff; application=geotiff"

_COMPRESS = ("ZSTD", "DEFLATE", "LZW", "PACKBITS", "LZMA", "LERC", "LERC_ZSTD", "NONE")
"""GDAL's codecs that are lossless for all dtypes, or lossy only if MAX_Z_ERROR is set. GDAL also
accepts codecs for 8-bit images, but writes empty tiles with them."""
_BLOCK_SIDES = range(16, 4097, 16)
_NEEDS_COMPRESS = {
    "ZSTD_LEVEL": ("ZSTD", "LERC_ZSTD"),
    "ZLEVEL": ("DEFLATE",),
    "LZMA_PRESET": ("LZMA",),
    "PREDICTOR": ("ZSTD", "DEFLATE", "LZW"),
    "MAX_Z_ERROR": ("LERC", "LERC_ZSTD"),
}
"""Options that have an effect only with some codecs."""
_BIG = 3.5e9
"""Bytes above which a file is a BigTIFF; a classic TIFF is limited to 4 GiB."""


@dataclass(frozen=True, kw_only=True)
class GeoTiff(Format):
    """Creation options of GDAL's GTiff driver that change neither pixels nor metadata.

    `max_z_error` is the exception: it allows errors up to its value. None leaves an option out.
    Options are checked here, because GDAL ignores unknown ones, and detects invalid values only
    after the pixels have been computed, or never.
    """

    SUFFIXES: ClassVar = (".tif", ".tiff")
    DRIVER: ClassVar = "GTiff"

    compress: str
    interleave: str
    blockxsize: int
    blockysize: int
    num_threads: str
    bigtiff: str
    zstd_level: int | None
    zlevel: int | None
    lzma_preset: int | None
    predictor: int | None
    max_z_error: float | None

    @classmethod
    def parse(cls, variable: StoredVariable, options: Mapping[str, object]) -> Self:
        known = [field.name.upper() for field in fields(cls)]
        given = CreationOptions.read(options, known, format="GeoTIFF")
        dtype = variable.storage.dtype
        compress = given.choice("COMPRESS", _COMPRESS, "ZSTD")
        _check_codec(given, compress)
        # validators mistake a tile that is as wide as the image for a strip
        rows, columns = (256, 256) if variable.shape[1] == TILE else block_shape(variable.shape)
        size = variable.count * math.prod(variable.shape) * np.dtype(dtype).itemsize
        return cls(
            compress=compress,
            interleave=given.choice("INTERLEAVE", ("BAND", "PIXEL"), "BAND"),
            blockxsize=given.integer("BLOCKXSIZE", _BLOCK_SIDES, columns),
            blockysize=given.integer("BLOCKYSIZE", _BLOCK_SIDES, rows),
            num_threads=given.choice(
                "NUM_THREADS", ("ALL_CPUS", *map(str, range(1, 257))), "ALL_CPUS"
            ),
            bigtiff=given.choice(
                "BIGTIFF", ("YES", "IF_SAFER"), "YES" if size > _BIG else "IF_SAFER"
            ),
            # higher levels hardly shrink a real cube, and take far longer
            zstd_level=given.integer("ZSTD_LEVEL", range(1, 23), 1 if compress == "ZSTD" else None),
            zlevel=given.integer("ZLEVEL", range(1, 10), None),
            lzma_preset=given.integer("LZMA_PRESET", range(10), None),
            predictor=_predictor(given, compress, dtype),
            max_z_error=_max_z_error(given, dtype),
        )

    def write_file(self, staging_files: Sequence[StagingFile], path: Path) -> None:
        (staging_file,) = staging_files
        self._write_tiff(staging_file.path, path, overviews=None)

    @property
    def is_exact(self) -> bool:
        return not self.max_z_error

    @classmethod
    def media_type(cls, path: Path) -> str:
        return f"{MEDIA_TYPE}; profile=cloud-optimized" if is_cog(path) else MEDIA_TYPE

    def _write_tiff(self, source: Path, path: Path, *, overviews: Sequence[int] | None) -> None:
        """Compress a staging file; unless `overviews` is None, write a COG with these factors.

        This uses the GTiff driver, which writes valid COGs, because the COG driver can write
        band-interleaved files only since GDAL 3.11.
        """
        import rasterio
        import rasterio.shutil
        from rasterio._err import CPLE_BaseError  # `copy` raises it, and it has no public name
        from rasterio.enums import Resampling

        options = {"TILED": "YES", "COPY_SRC_MDD": "YES", **self._gdal_options()}
        if overviews is not None:
            options["COPY_SRC_OVERVIEWS"] = "YES"
        try:
            with rasterio.Env(**self._environment()):
                if overviews:
                    with rasterio_open(str(source), "r+") as file:
                        file.build_overviews(list(overviews), Resampling.average)
                rasterio.shutil.copy(str(source), str(path), driver=self.DRIVER, **options)
        except CPLE_BaseError as error:
            raise OSError(str(error)) from error
        release(path)

    def _gdal_options(self) -> dict[str, str]:
        return {
            name.upper(): str(value) for name, value in asdict(self).items() if value is not None
        }

    def _environment(self) -> dict[str, str]:
        """Returns GDAL's configuration, which determines the overviews instead of the options."""
        return {
            "GDAL_NUM_THREADS": self.num_threads,
            "GDAL_TIFF_OVR_BLOCKSIZE": str(self.blockxsize),
            "INTERLEAVE_OVERVIEW": self.interleave,
            "BIGTIFF_OVERVIEW": "IF_SAFER",
            "TIFF_USE_OVR": "YES",  # in a separate file: a crash must not damage the staging file
        }


def _check_codec(given: CreationOptions, compress: str) -> None:
    for name, codecs in _NEEDS_COMPRESS.items():
        if name in given.values and compress not in codecs:
            raise UsageError(
                f"creation option {name} has no effect with COMPRESS={compress}; omit it, or "
                f"choose COMPRESS={' or '.join(codecs)}"
            )


def _predictor(given: CreationOptions, compress: str, dtype: str) -> int | None:
    is_float = dtype == "float32"
    default = 3 if is_float else 2
    predictor = given.integer(
        "PREDICTOR", range(1, 4), default if compress in _NEEDS_COMPRESS["PREDICTOR"] else None
    )
    if predictor == 3 and not is_float:
        raise UsageError(f"PREDICTOR=3 requires dtype='float32'; these values are {dtype}")
    return predictor


def _max_z_error(given: CreationOptions, dtype: str) -> float | None:
    text = given.values.get("MAX_Z_ERROR")
    if text is None:
        return None
    try:
        error = float(text)
    except ValueError:
        error = math.nan
    if not 0 <= error < math.inf:
        raise UsageError(f"MAX_Z_ERROR, the largest error of a value, must be >= 0; got {text!r}")
    if dtype != "float32":  # an error could change the nodata value
        raise UsageError(
            f"MAX_Z_ERROR requires dtype='float32'; these values are {dtype}. To reduce their "
            "precision, set a larger scale (--scale)"
        )
    return error
