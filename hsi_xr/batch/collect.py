"""The collection of all products, and the mosaic of them."""

import json
import warnings
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hsi_xr.batch.context import ConversionContext, product_files
from hsi_xr.batch.names import COLLECTION, MOSAIC, MOSAIC_STYLE
from hsi_xr.batch.vrt import BandSource, Domains, MosaicBand, MosaicFile, write_vrt
from hsi_xr.io.finalize import remove_sidecars
from hsi_xr.io.preview import Overview
from hsi_xr.io.raster_dataset import rasterio_open
from hsi_xr.io.tags import product_domains, provenance_attributes
from hsi_xr.io.upload import stage_file
from hsi_xr.io.wavelengths import default_bands, read_wavelengths
from hsi_xr.stac.collection import collection
from hsi_xr.stac.files import save
from hsi_xr.times import now

if TYPE_CHECKING:
    from hsi_xr.io.raster_dataset import RasterDataset

_COLOURS = {"red": "Red", "green": "Green", "blue": "Blue"}


def write_collection_and_mosaic(
    context: ConversionContext, ids: Sequence[str], *, changed: bool
) -> tuple[Path | None, Path | None]:
    """Write the collection and the mosaic of all products, if the settings request them.

    Args:
        context: What the products share.
        ids: Ids of all products, including those of earlier runs.
        changed: True if products were added or removed, so that a collection or a mosaic that is
            not written again is outdated; it is removed.

    Returns:
        Their paths; None for what was not written.
    """
    config = context.config
    mosaic = _write_mosaic(context, ids) if config.vrt and ids else None
    if changed and mosaic is None:
        _remove_outdated(context, MOSAIC, MOSAIC_STYLE)
    collection_path = _write_collection(context, ids) if config.stac else None
    if changed and collection_path is None:
        _remove_outdated(context, COLLECTION)
    return collection_path, mosaic


def remove_products(context: ConversionContext, ids: Sequence[str]) -> None:
    """Remove the files of products, and their folders if these are then empty."""
    for id in ids:
        folder = context.folder / id
        for path in product_files(folder / f"{id}.tif"):
            context.remove(f"{id}/{path.name}")
            remove_sidecars(path)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _remove_outdated(context: ConversionContext, name: str, *companions: str) -> None:
    if name not in context.existing_names():
        return
    for outdated in (name, *companions):
        context.remove(outdated)
    warnings.warn(f"removed {name!r}, which no longer covers all products", stacklevel=4)


def _write_collection(context: ConversionContext, ids: Sequence[str]) -> Path | None:
    """Write the collection of all products that have an item; None if none has."""
    items = {}
    for id in ids:
        name = f"{id}/{id}.json"
        if context.bucket is not None:
            context.bucket.download(name)  # another machine may have uploaded it
        path = context.folder / name
        if path.exists():
            items[f"./{name}"] = json.loads(path.read_text("utf-8"))
    if not items:
        return None
    config = context.config
    stac = collection(items, id=context.collection_id, title=config.title, licence=config.licence)
    return _publish(context, save(stac, context.folder / COLLECTION))


def _write_mosaic(context: ConversionContext, ids: Sequence[str]) -> Path:
    """Write a virtual raster of the products, with the metadata of their bands, and its style.

    With the style, QGIS shows the whole mosaic with one stretch, in natural colour if it has the
    bands for it.
    """
    names = [f"{id}/{id}.tif" for id in ids]
    files, provenance = [], []
    for name in names:
        with rasterio_open(context.location(name)) as raster:
            href = str(context.folder / name)
            files.append(MosaicFile(href=href, shape=raster.shape, transform=raster.transform))
            provenance.append(provenance_attributes(raster.tags(ns="HSI_XR")))
    with rasterio_open(context.location(names[0])) as raster:
        bands = [_mosaic_band(raster, band, len(files)) for band in raster.indexes]
        tags = {**_common_tags(provenance), "ENVI": raster.tags(ns="ENVI")}
        crs, scale = raster.crs, raster.scales[0]
        rgb = default_bands(read_wavelengths(raster, raster.indexes)[0] or [])
    path = context.folder / MOSAIC
    mosaic = _publish(context, write_vrt(path, files, bands, crs=crs, tags=tags))
    if rgb is not None:
        with stage_file(context.folder / MOSAIC_STYLE) as staging:
            staging.write_text(Overview.read(mosaic, rgb).qgis_style(scale), encoding="utf-8")
        _publish(context, context.folder / MOSAIC_STYLE)
    return mosaic


def _publish(context: ConversionContext, path: Path) -> Path:
    """Upload a finished file if there is a bucket. Returns its final path."""
    if context.bucket is None:
        return path
    context.bucket.upload([path])
    return context.bucket.folder / path.name


def _mosaic_band(raster: "RasterDataset", band: int, files: int) -> MosaicBand:
    at = band - 1
    dtype = raster.dtypes[at]
    return MosaicBand(
        dtype=dtype,
        sources=[BandSource(band=band, dtype=dtype)] * files,
        nodata=raster.nodatavals[at],
        scale=raster.scales[at],
        offset=raster.offsets[at],
        unit=raster.units[at],
        description=raster.descriptions[at],
        colour=_COLOURS.get(raster.colorinterp[at].name),
        tags={domain: raster.tags(band, ns=domain) for domain in ("", "IMAGERY")},
    )


def _common_tags(provenance: Sequence[Mapping[str, object]]) -> Domains:
    """Returns tags of the provenance that all products have in common."""
    common: dict[Hashable, object] = dict(provenance[0].items())
    for other in provenance[1:]:
        common = {key: value for key, value in common.items() if other.get(str(key)) == value}
    return product_domains(common, variable="reflectance", variable_attrs={}, written=now())
