"""ENVI: raw values and a text header (.img, .hdr), which ENVI and Spectral Python read.

GDAL keeps what a header cannot express in a third file (.img.aux.xml).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from hsi_xr.errors import UsageError
from hsi_xr.io import tags
from hsi_xr.io.formats._base import Format
from hsi_xr.io.formats._creation_options import CreationOptions
from hsi_xr.io.raster_dataset import rasterio_open
from hsi_xr.io.staging import StagingFile
from hsi_xr.io.variables import StoredVariable
from hsi_xr.times import utc_text

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

_TOLERANCE = 1e-6
"""Pixels by which the rotation angle in a header may move a corner."""
_DESCRIPTION = re.compile(r"^description = \{[^}]*\}", re.MULTILINE)
_MAP_INFO = re.compile(r"^(map info = \{[^,}]*, 1, 1)(?:, [^,}]*){4}", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Envi(Format):
    """Creation options of ENVI files."""

    SUFFIXES: ClassVar = (".img",)
    DRIVER: ClassVar = "ENVI"

    interleave: str

    @classmethod
    def parse(cls, variable: StoredVariable, options: Mapping[str, object]) -> Self:
        given = CreationOptions.read(options, ["INTERLEAVE"], format="ENVI")
        interleave = given.choice("INTERLEAVE", ("BIL", "BSQ", "BIP"), "BIL")
        _check_georeference(variable)
        return cls(interleave=interleave)

    def write_file(self, staging_files: Sequence[StagingFile], path: Path) -> None:
        (staging_file,) = staging_files
        variable, (rows, columns) = staging_file.variable, staging_file.variable.shape
        georeference = {"crs": variable.crs, "transform": variable.transform}
        with rasterio_open(
            str(path),
            "w",
            driver=self.DRIVER,
            dtype=variable.storage.dtype,
            nodata=variable.storage.nodata,
            count=variable.count,
            height=rows,
            width=columns,
            INTERLEAVE=self.interleave,
            **{key: value for key, value in georeference.items() if value is not None},
        ) as file:
            tags.write_tags(file, variable)
            file.update_tags(ns="ENVI", **_header_fields(variable))
            for strip, values in staging_file.strips():
                file.write(values, window=((strip.start, strip.stop), (0, columns)))
        header = self.sidecars(path)["header"]
        header.write_text(_edit_header(header.read_text("utf-8"), variable), encoding="utf-8")

    @classmethod
    def sidecars(cls, path: Path) -> dict[str, Path]:
        return {
            "header": path.with_suffix(".hdr"),
            "labels": path.with_name(f"{path.name}.aux.xml"),
        }

    @classmethod
    def media_type(cls, path: Path) -> None:
        return None  # odc-stac then decides by the role of an asset


class _Georeference(NamedTuple):
    crs: "CRS | None"
    transform: "Affine"


def _check_georeference(variable: StoredVariable) -> None:
    """Raise an error if a header would change the grid or the CRS."""
    if variable.transform is not None and not _fits_header(variable):
        raise UsageError(
            "an ENVI header cannot express this grid: its pixels are mirrored, or rotated and not "
            "square. Write another format, or resample it to north up first, e.g. "
            "`cube.rio.reproject(cube.rio.crs)`"
        )
    if variable.crs is not None and _read_back(variable.crs, None).crs != variable.crs:
        raise UsageError(
            f"an ENVI header cannot express the CRS {variable.crs.to_string()[:60]!r} without "
            "loss; write another format, or reproject the cube first"
        )


def _fits_header(variable: StoredVariable) -> bool:
    """True if GDAL and ENVI both locate the pixels correctly from the header.

    They disagree about a grid that is rotated by 180 degrees: GDAL reads it as one whose rows run
    north.
    """
    transform = variable.transform
    if variable.crs is None or transform is None:
        return transform is None or _is_north_up(transform)
    if transform.determinant > 0:
        return False
    found = _read_back(variable.crs, transform).transform
    corners = [(x, y) for x in (0, variable.shape[1]) for y in (0, variable.shape[0])]
    distances = (math.dist(found @ corner, transform @ corner) for corner in corners)
    return max(distances) <= _TOLERANCE * math.sqrt(-transform.determinant)


def _is_north_up(transform: "Affine") -> bool:
    return bool(transform.b == transform.d == 0 and transform.a > 0)


def _read_back(crs: "CRS", transform: "Affine | None") -> _Georeference:
    """Returns the georeference that GDAL reads from a header that it wrote."""
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "probe.img")
        size = {"count": 1, "height": 1, "width": 1, "dtype": "uint8"}
        grid = {} if transform is None else {"transform": transform}
        with rasterio_open(path, "w", driver=Envi.DRIVER, crs=crs, **grid, **size):
            pass
        with rasterio_open(path) as file:
            return _Georeference(file.crs, file.transform)


def _header_fields(variable: StoredVariable) -> dict[str, str]:
    """Returns the fields of the header that `write_tags` does not write.

    With them a header alone identifies a product.

    Source: the fields of ENVI header files as documented with ENVI; `hsi_xr_...` are our own.
    """
    fields = {
        "hsi_xr_variable": variable.name,
        "hsi_xr_config": tags.compact_json(tags.provenance_of(variable.attrs)),
    }
    if variable.storage.scale != 1:
        fields["reflectance_scale_factor"] = f"{1 / variable.storage.scale:.12g}"
    if acquired := variable.attrs.get("datetime"):
        fields["acquisition_time"] = utc_text(acquired)
    return fields


def _edit_header(header: str, variable: StoredVariable) -> str:
    """Edit a header: describe the variable, not the temporary file, and write all digits."""
    attrs = variable.array.attrs
    text = str(attrs.get("comment") or attrs.get("long_name") or variable.name)
    description = re.sub(r"[{}\s]+", " ", text).strip()
    header = _DESCRIPTION.sub(lambda _: f"description = {{{description}}}", header)
    if variable.transform is None:
        return header
    a, b, x, d, e, y = tuple(variable.transform)[:6]
    sides = math.hypot(a, d), math.hypot(b, e)
    values = ", ".join(repr(float(value)) for value in (x, y, *sides))
    return _MAP_INFO.sub(lambda found: f"{found[1]}, {values}", header)
