"""Filled files become the product: finished, checked, and named, the main one last."""

from pathlib import Path

from hsi_xr.raster import geotiff, labels
from hsi_xr.raster.disk import sync, writing
from hsi_xr.raster.image import Image, sibling_paths
from hsi_xr.raster.ledger import Ledger
from hsi_xr.raster.run import Run, discard
from hsi_xr.raster.source import open_raster
from hsi_xr.raster.style import qgis_style

_SIDECARS = (".aux.xml", ".ovr", ".msk")
"""What GDAL would still read beside a file that is not the one they were made for."""


def publish(run: Run, ledger: Ledger, *, overwrite: bool) -> None:
    """Finish all files under passing names, then give them their own.

    Raises:
        DestinationUnwritable: The disk is full.
    """
    whole = [image.beside("whole.part.tif") for image in run.images]
    for at, (part, image, options) in enumerate(zip(run.parts, run.images, run.options)):
        with writing(image.path):
            geotiff.finish(part, whole[at], image, cog=run.cog, options=options)
            geotiff.check(whole[at], run.blocks, [block[at] for block in ledger.done], options)
            sync(whole[at])
    main = run.images[0]
    with writing(main.path):
        for image, path in reversed(list(zip(run.images, whole))):
            _remove_sidecars(image.path)
            path.replace(image.path)
        if overwrite:
            _remove_stale(run)
        _put_style(main)
        sync(main.path.parent)
        discard(run.images)


def _put_style(main: Image) -> None:
    if main.shown is not None:
        part = main.beside("part.qml")
        part.write_text(qgis_style(main.shown), encoding="utf-8")
        part.replace(main.style)


def _remove_stale(run: Run) -> None:
    """What the cube that was replaced had beside it, and this one has not."""
    main = run.images[0]
    if main.shown is None:
        main.style.unlink(missing_ok=True)
    for variable, path in sibling_paths(main.path).items():
        if variable not in {image.name for image in run.images} and _holds(path, variable):
            _remove_sidecars(path)
            path.unlink()


def _holds(path: Path, variable: str) -> bool:
    """Whether a file says that it is this variable of a product: a name alone says nothing."""
    from rasterio.errors import RasterioIOError

    try:
        with open_raster(str(path)) as file:
            ours = labels.is_product(file.tags(ns="HSI_XR"))
            return bool(ours and file.tags(ns="XARRAY").get("NAME") == variable)
    except RasterioIOError:
        return False


def _remove_sidecars(path: Path) -> None:
    for ending in _SIDECARS:
        path.with_name(path.name + ending).unlink(missing_ok=True)
