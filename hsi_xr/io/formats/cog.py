"""Cloud-optimised GeoTIFF: overviews, and a layout for reading parts over a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hsi_xr.io.formats.geotiff import GeoTiff
from hsi_xr.io.staging import TILE, StagingFile


@dataclass(frozen=True, kw_only=True)
class Cog(GeoTiff):
    """The creation options of a GeoTIFF, which apply to its overviews as well."""

    def write_file(self, staging_files: Sequence[StagingFile], path: Path) -> None:
        (staging_file,) = staging_files
        source = staging_file.path
        source.with_name(f"{source.name}.ovr").unlink(missing_ok=True)  # of an interrupted run
        self._write_tiff(source, path, overviews=_factors(staging_file.variable.shape))


def _factors(shape: tuple[int, int]) -> list[int]:
    """Returns powers of 2 until an overview fits into one tile.

    An image of one column has none: readers do not find overviews that are as wide as the image.
    """
    if max(shape) <= TILE or shape[1] == 1:
        return []
    factors = [2]
    while max(shape) > TILE * factors[-1]:
        factors.append(2 * factors[-1])
    return factors
