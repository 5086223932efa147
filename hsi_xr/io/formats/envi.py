"""ENVI: raw numbers beside a header in words (.img, .hdr), read by ENVI and Spectral Python.

What the header has no words for, GDAL keeps in a third file (.img.aux.xml).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hsi_xr.errors import UsageError
from hsi_xr.io import tags
from hsi_xr.io.raster_dataset import rasterio_open
from hsi_xr.io.staging import StagingFile
from hsi_xr.io.variables import StoredVariable
from hsi_xr.times import utc_text

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

SUFFIXES = (".img",)
DRIVER = "ENVI"
MULTI_VARIABLE = False
_INTERLEAVES = ("BIL", "BSQ", "BIP")
_DESCRIPTION = re.compile(r"^description = \{[^}]*\}", re.MULTILINE)
_NEAR = 1e-6
"""Pixels by which the angle of a header may move a corner."""
_PLACE = re.compile(r"^(map info = \{[^,}]*, 1, 1)(?:, [^,}]*){4}", re.MULTILINE)


def creation_options(image: StoredVariable, given: Mapping[str, Any]) -> dict[str, str]:
    options = {"INTERLEAVE": "BIL"} | {
        key.upper(): str(value).upper() for key, value in given.items()
    }
    if options.keys() != {"INTERLEAVE"} or options["INTERLEAVE"] not in _INTERLEAVES:
        raise UsageError(
            f"the only creation option of ENVI is INTERLEAVE, one of {', '.join(_INTERLEAVES)}; "
            f"got {', '.join(f'{key}={value}' for key, value in given.items())}"
        )
    if image.transform is not None and not _is_placed(image):
        raise UsageError(
            "an ENVI header cannot place this grid: its pixels are mirrored, or turned and not "
            "square. Write another format, or bring it north up first, e.g. "
            "`cube.rio.reproject(cube.rio.crs)`"
        )
    if image.crs is not None and _read_back(image.crs, None).crs != image.crs:
        raise UsageError(
            f"an ENVI header cannot tell the CRS {image.crs.to_string()[:60]!r} without loss; "
            "write another format, or reproject the cube first"
        )
    return options


def write_file(drafts: Sequence[StagingFile], path: Path, options: Mapping[str, str]) -> None:
    (draft,) = drafts
    image, (rows, columns) = draft.image, draft.image.shape
    place = {"crs": image.crs, "transform": image.transform}
    with rasterio_open(
        str(path),
        "w",
        driver=DRIVER,
        dtype=image.storage.dtype,
        nodata=image.storage.nodata,
        count=image.count,
        height=rows,
        width=columns,
        INTERLEAVE=options["INTERLEAVE"],
        **{key: value for key, value in place.items() if value is not None},
    ) as file:
        tags.write_tags(file, image)
        file.update_tags(ns="ENVI", **_header_tags(image))
        for strip, numbers in draft.strips():
            file.write(numbers, window=((strip.start, strip.stop), (0, columns)))
    header = sidecars(path)["header"]
    header.write_text(_mended(header.read_text("utf-8"), image), encoding="utf-8")


def is_exact(options: Mapping[str, str]) -> bool:
    return True


def sidecars(path: Path) -> dict[str, Path]:
    return {
        "header": path.with_suffix(".hdr"),
        "labels": path.with_name(f"{path.name}.aux.xml"),
    }


def media_type(path: Path) -> None:
    return None  # none is registered; of untold ones odc-stac goes by the role


@dataclass(frozen=True)
class _Place:
    crs: "CRS | None"
    transform: "Affine"


def _is_placed(image: StoredVariable) -> bool:
    """Whether a header tells where the pixels lie, as GDAL and ENVI understand it.

    To GDAL a grid turned by 180 degrees is one whose rows run north, to ENVI it is not.
    """
    transform = image.transform
    if image.crs is None or transform is None:
        return transform is None or _is_upright(transform)
    if transform.determinant > 0:
        return False
    found = _read_back(image.crs, transform).transform
    corners = [(x, y) for x in (0, image.shape[1]) for y in (0, image.shape[0])]
    away = (math.dist(found @ corner, transform @ corner) for corner in corners)
    return max(away) <= _NEAR * math.sqrt(-transform.determinant)


def _is_upright(transform: "Affine") -> bool:
    return bool(transform.b == transform.d == 0 and transform.a > 0)


def _read_back(crs: "CRS", transform: "Affine | None") -> _Place:
    """What GDAL understands of a place from the header that it writes."""
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "probe.img")
        size = {"count": 1, "height": 1, "width": 1, "dtype": "uint8"}
        place = {} if transform is None else {"transform": transform}
        with rasterio_open(path, "w", driver=DRIVER, crs=crs, **place, **size):
            pass
        with rasterio_open(path) as file:
            return _Place(file.crs, file.transform)


def _header_tags(image: StoredVariable) -> dict[str, str]:
    """Lines of the header besides those of `write_tags`; theirs is also what makes it a product.

    Source: the fields of ENVI header files as documented with ENVI; `hsi_xr_...` are ours.
    """
    fields = {
        "hsi_xr_variable": image.name,
        "hsi_xr_config": tags.compact_json(tags.provenance_of(image.attrs)),
    }
    if image.storage.scale != 1:
        fields["reflectance_scale_factor"] = f"{1 / image.storage.scale:.12g}"
    if taken := image.attrs.get("datetime"):
        fields["acquisition_time"] = utc_text(taken)
    return fields


def _mended(header: str, image: StoredVariable) -> str:
    """A header without the path of the passing file, and with its place to the last digit."""
    about = str(
        image.array.attrs.get("comment") or image.array.attrs.get("long_name") or image.name
    )
    words = re.sub(r"[{}\s]+", " ", about).strip()
    header = _DESCRIPTION.sub(lambda _: f"description = {{{words}}}", header)
    if image.transform is None:
        return header
    right, _, x, turned, down, y = tuple(image.transform)[:6]
    sides = math.hypot(right, turned), math.hypot(image.transform.b, down)
    numbers = ", ".join(repr(float(value)) for value in (x, y, *sides))
    return _PLACE.sub(lambda found: f"{found[1]}, {numbers}", header)
