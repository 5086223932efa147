"""What lies above the products: their collection, and a mosaic of them."""

import json
from collections.abc import Hashable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from hsi_xr.conversion.product import COLLECTION, Making
from hsi_xr.conversion.vrt import From, Layer, Part, write_vrt
from hsi_xr.raster import labels
from hsi_xr.raster.image import sibling_paths
from hsi_xr.raster.publish import remove_sidecars
from hsi_xr.raster.source import open_raster
from hsi_xr.raster.style import qgis_style
from hsi_xr.raster.upload import appearing
from hsi_xr.raster.wavelengths import default_bands, spectrum_in
from hsi_xr.stac.collection import collection
from hsi_xr.stac.files import save

MOSAIC = "mosaic.vrt"

_COLOURS = {"red": "Red", "green": "Green", "blue": "Blue"}


def collect(making: Making, ids: Sequence[str]) -> Path | None:
    """The collection over all products that have an item; None where none has."""
    found = {}
    for id in sorted(ids):
        href = f"./{id}/{id}.json"
        path = making.folder / href
        if path.exists():
            found[href] = json.loads(path.read_text("utf-8"))
    if not found:
        return None
    how = making.how
    about = collection(found, id=making.collection, title=how.title, licence=how.licence)
    return save(about, making.folder / COLLECTION)


def write_mosaic(making: Making, ids: Sequence[str]) -> Path:
    """A virtual raster over products of one CRS and resolution, with all that their bands say.

    A style beside it has QGIS show all of it on one scale, in natural colour if it has those bands.
    """
    products = [making.folder / id / f"{id}.tif" for id in sorted(ids)]
    parts, made = [], []
    for path in products:
        with open_raster(str(path)) as src:
            parts.append(Part(href=str(path), shape=src.shape, transform=src.transform))
            made.append(labels.provenance(src.tags(ns="HSI_XR")))
    with open_raster(str(products[0])) as src:
        layers = [_layer(src, band, len(parts)) for band in src.indexes]
        tags = {**_common_tags(made), "ENVI": src.tags(ns="ENVI")}
        crs, scale = src.crs, src.scales[0]
        shown = default_bands(spectrum_in(src, src.indexes)[0] or [])
    path = write_vrt(making.folder / MOSAIC, parts, layers, crs=crs, tags=tags)
    if shown is not None:
        with appearing(path.with_suffix(".qml")) as part:
            part.write_text(qgis_style(path, shown, scale), encoding="utf-8")
    return path


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
    return labels.scene_domains(
        attrs, variable="reflectance", variable_attrs={}, written=labels.now()
    )


def remove(making: Making, ids: Sequence[str]) -> None:
    """Products of a conversion that was replaced and that this one does not make."""
    for id in ids:
        main = making.folder / id / f"{id}.tif"
        beside = (main.with_suffix(ending) for ending in (".qml", ".png", ".json"))
        for path in (main, *sibling_paths(main).values()):
            path.unlink(missing_ok=True)
            remove_sidecars(path)
        for path in beside:
            path.unlink(missing_ok=True)
        if main.parent.is_dir() and not any(main.parent.iterdir()):
            main.parent.rmdir()
