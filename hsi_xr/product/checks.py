"""Checks whether a product may be written, before any pixel is computed."""

import os
import warnings
from dataclasses import dataclass
from datetime import datetime as Datetime
from pathlib import Path

import xarray as xr

from hsi_xr.errors import DestinationExists, MissingFact, UsageError
from hsi_xr.io import formats
from hsi_xr.io.location import Location, location_of
from hsi_xr.io.remote import file_of, is_remote, store_access, url_of
from hsi_xr.io.variables import companion_paths
from hsi_xr.stac.footprint import warn_without_geometry
from hsi_xr.times import utc_text

_TIME = "datetime= (--datetime), e.g. 2026-01-02T10:30:00Z"
_NO_ITEM = "stac=False (--no-stac)"


@dataclass(frozen=True, kw_only=True)
class ProductPlan:
    """A product that may be written, and what its STAC item needs to know."""

    path: Path
    source: str | None
    """Path or URL of the scene."""
    acquired: str | None
    """Acquisition time of the scene, ISO 8601 in UTC."""
    stac: bool | None
    """As in `write_product`."""
    shape: tuple[int, int]
    """Rows, columns."""
    location: Location

    @property
    def has_item(self) -> bool:
        return self.stac is not False and self.acquired is not None

    @property
    def item(self) -> Path:
        return self.path.with_suffix(".json")

    @property
    def preview(self) -> Path:
        return self.path.with_suffix(".png")

    @property
    def scene_name(self) -> str:
        """The scene, for messages."""
        return "the scene" if self.source is None else repr(self.source)

    def warn_about_item(self) -> None:
        """Warn, before hours of work, if the item will be missing, old or without a geometry."""
        transform, crs = self.location.transform, self.location.crs
        if self.has_item:
            # whoever requires an item, as conversions do, knows what it will lack
            if self.stac is None and transform is not None and crs is not None:
                warn_without_geometry(transform, self.shape, crs.to_wkt())
            return
        if self.stac is None:
            warnings.warn(
                f"no STAC item will be written, because the acquisition time of {self.scene_name} "
                f"is unknown; give {_TIME}, or {_NO_ITEM}",
                stacklevel=3,
            )
        if self.item.exists():
            warnings.warn(
                f"{str(self.item)!r} is kept, but does not describe the new {self.path.name!r}; "
                "remove it",
                stacklevel=3,
            )


def check_product(
    obj: xr.Dataset | xr.DataArray,
    path: str | os.PathLike[str],
    *,
    datetime: Datetime | str | None = None,
    source: str | os.PathLike[str] | None = None,
    format: str | None = None,
    stac: bool | None = None,
    overwrite: bool = False,
    resume: bool = False,
) -> ProductPlan:
    """Check that `write_product` may write a product.

    Args:
        obj: The cube, or the scene from which it will be reconstructed.
        path, datetime, source, format, stac, overwrite, resume: As in `write_product`.

    Raises:
        HsiError: As `write_product`, except for what `hsi_xr.write` checks.
    """
    formats.resolve(path, format)
    time = datetime or obj.attrs.get("datetime")
    origin = source if source is not None else _opened_from(obj)
    plan = ProductPlan(
        path=file_of(path),
        source=None if origin is None else str(origin),
        acquired=utc_text(time) if time else None,
        stac=stac,
        shape=(obj.sizes.get("y", 1), obj.sizes.get("x", 1)),
        location=location_of(obj),
    )
    _refuse_replacing_source(plan)
    if stac and plan.acquired is None:
        raise MissingFact(
            f"the acquisition time of {plan.scene_name} is unknown, and a STAC item requires it; "
            f"give {_TIME}"
        )
    if plan.has_item:
        _refuse_existing(plan, replace=overwrite or resume)
    return plan


def _opened_from(obj: xr.Dataset | xr.DataArray) -> str | None:
    """Returns the file that a cube was opened from, which xarray keeps in its encoding."""
    main = obj["reflectance"] if isinstance(obj, xr.Dataset) and "reflectance" in obj else obj
    return obj.encoding.get("source") or main.encoding.get("source")


def _refuse_replacing_source(plan: ProductPlan) -> None:
    """Refuse a product whose files, which are named after it, would replace the file being read."""
    if plan.source is None:
        return
    read, written = _comparable(plan.source), _comparable(str(plan.path))
    for file in (written, *companion_paths(written).values()):
        if file == read or (read.exists() and file.exists() and file.samefile(read)):
            name = repr(str(plan.path)) if file == written else f"its companion {file.name!r}"
            raise UsageError(f"{name} is the file that is being read; choose another name")
    if read.with_suffix("") == written.with_suffix(""):
        raise UsageError(
            f"{str(plan.path)!r} and the file that is being read, {read.name!r}, differ only in "
            "their suffix and would share preview, style and STAC item; choose another name"
        )


def _comparable(path: str) -> Path:
    """Returns a canonical path; that of an object in storage is only for comparison."""
    return Path(url_of(path)) if is_remote(path) else Path(path).resolve()


def _refuse_existing(plan: ProductPlan, *, replace: bool) -> None:
    with store_access(plan.path, "access"):
        existing = [path for path in (plan.item, plan.preview) if path.exists()]
        others = [path for path in formats.same_stem_paths(plan.path) if path.exists()]
    if others:
        raise DestinationExists(
            f"{others[0].name!r} exists and would share {plan.item.name!r} with "
            f"{plan.path.name!r}; choose another name, or write no item with {_NO_ITEM}"
        )
    if existing and not replace:
        raise DestinationExists(
            f"{str(existing[0])!r} exists; replace it with overwrite=True (--overwrite), choose "
            f"another name, or write no item with {_NO_ITEM}"
        )
