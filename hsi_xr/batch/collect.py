"""What lies above the products: their collection, and a mosaic of them."""

import json
import warnings
from collections.abc import Hashable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from hsi_xr.batch.inputs import COLLECTION, MOSAIC, STYLE
from hsi_xr.batch.make import ConversionContext, files_of
from hsi_xr.batch.vrt import From, Layer, Part, write_vrt
from hsi_xr.io.finalize import remove_sidecars
from hsi_xr.io.preview import Overview
from hsi_xr.io.raster_dataset import rasterio_open
from hsi_xr.io.tags import product_domains, provenance_attributes
from hsi_xr.io.upload import stage_file
from hsi_xr.io.wavelengths import default_bands, read_wavelengths
from hsi_xr.stac.collection import collection
from hsi_xr.stac.files import save
from hsi_xr.times import now

_COLOURS = {"red": "Red", "green": "Green", "blue": "Blue"}


def collect(
    making: ConversionContext, ids: Sequence[str], *, changed: bool
) -> tuple[Path | None, Path | None]:
    """The collection and the mosaic over all products, those that are asked for.

    Args:
        making: What the products have in common.
        ids: Of all products, also of earlier runs with other pictures.
        changed: Whether some are new, so that what lies above them is right no more.
    """
    how = making.how
    mosaic = _write_mosaic(making, ids) if how.vrt and ids else None
    above = _write_collection(making, ids) if how.stac else None
    for path, name, beside in (mosaic, MOSAIC, STYLE), (above, COLLECTION, None):
        if changed and path is None and name in making.there():
            making.discard(name)
            if beside is not None:
                making.discard(beside)
            warnings.warn(f"{name!r} is not about all products any more: removed", stacklevel=3)
    return above, mosaic


def _write_collection(making: ConversionContext, ids: Sequence[str]) -> Path | None:
    """Over all products that have an item; None where none has."""
    found = {}
    for id in ids:
        name = f"{id}/{id}.json"
        if making.bucket is not None:
            making.bucket.fetch(name)  # of an earlier run, maybe of another machine
        path = making.folder / name
        if path.exists():
            found[f"./{name}"] = json.loads(path.read_text("utf-8"))
    if not found:
        return None
    how = making.how
    about = collection(found, id=making.collection, title=how.title, licence=how.licence)
    return _placed(making, save(about, making.folder / COLLECTION))


def _write_mosaic(making: ConversionContext, ids: Sequence[str]) -> Path:
    """A virtual raster over products of one CRS and resolution, with all that their bands say.

    A style beside it has QGIS show all of it on one scale, in natural colour if it has those bands.
    """
    products = [f"{id}/{id}.tif" for id in ids]
    parts, made = [], []
    for name in products:
        with rasterio_open(making.reached(name)) as src:
            here = str(making.folder / name)
            parts.append(Part(href=here, shape=src.shape, transform=src.transform))
            made.append(provenance_attributes(src.tags(ns="HSI_XR")))
    with rasterio_open(making.reached(products[0])) as src:
        layers = [_layer(src, band, len(parts)) for band in src.indexes]
        tags = {**_common_tags(made), "ENVI": src.tags(ns="ENVI")}
        crs, scale = src.crs, src.scales[0]
        shown = default_bands(read_wavelengths(src, src.indexes)[0] or [])
    mosaic = making.folder / MOSAIC
    placed = _placed(making, write_vrt(mosaic, parts, layers, crs=crs, tags=tags))
    if shown is not None:
        with stage_file(making.folder / STYLE) as part:
            part.write_text(Overview.read(placed, shown).qgis_style(scale), encoding="utf-8")
        _placed(making, making.folder / STYLE)
    return placed


def _placed(making: ConversionContext, path: Path) -> Path:
    """Where a finished file of the folder is in the end."""
    if making.bucket is None:
        return path
    making.bucket.send([path])
    return making.bucket.there / path.name


def _layer(src: Any, band: int, count: int) -> Layer:
    at = band - 1
    return Layer(
        dtype=src.dtypes[at],
        sources=[From(band, src.dtypes[at])] * count,
        nodata=src.nodatavals[at],
        scale=src.scales[at],
        offset=src.offsets[at],
        unit=src.units[at],
        description=src.descriptions[at],
        colour=_COLOURS.get(src.colorinterp[at].name),
        tags={domain: src.tags(band, ns=domain) for domain in ("", "IMAGERY")},
    )


def _common_tags(made: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, str]]:
    """How all products came about, as far as that is one way."""
    alike = reduce(lambda a, b: {k: v for k, v in a.items() if b.get(k) == v}, made)
    attrs: Mapping[Hashable, Any] = dict(alike.items())
    return product_domains(attrs, variable="reflectance", variable_attrs={}, written=now())


def remove(making: ConversionContext, ids: Sequence[str]) -> None:
    """Products of a conversion that was replaced and that this one does not make."""
    for id in ids:
        for path in files_of(making.folder / id / f"{id}.tif"):
            making.discard(f"{id}/{path.name}")
            remove_sidecars(path)
        folder = making.folder / id
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
