"""One picture into its product, its small picture and its item."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsi_xr.batch.bucket import Bucket
from hsi_xr.batch.config import Conversion
from hsi_xr.batch.inputs import COLLECTION
from hsi_xr.batch.inspect import ImageInfo
from hsi_xr.batch.mosaic import Mosaic
from hsi_xr.io.preview import write_thumbnail
from hsi_xr.io.remote import is_remote
from hsi_xr.io.variables import companion_paths
from hsi_xr.io.write import Progress
from hsi_xr.pipeline.reconstruct import reconstruct
from hsi_xr.product import ItemFields, write_product

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class ConversionContext:
    """What all products of a conversion have in common."""

    folder: Path
    """Where products are made; of those that are sent on, only their items stay."""
    bucket: Bucket | None
    """Where they are sent."""
    how: Conversion
    collection: str
    """Its id."""
    model_item: Path | None = None
    """The model's STAC item; None where there are no weights to describe."""
    mosaic: Mosaic | None = None

    def product(self, tile: ImageInfo) -> Path:
        return self.folder / tile.picture.id / f"{tile.picture.id}.tif"

    def there(self) -> set[str]:
        """Names of all that lies where products go."""
        if self.bucket is not None:
            return {name.partition("/")[0] for name in self.bucket.sizes}
        return {path.name for path in self.folder.iterdir()}

    def wanted(self, tile: ImageInfo) -> set[str]:
        """Names of what is there at least when a product is."""
        path = self.product(tile)
        return {path.name, *([path.with_suffix(".json").name] if self.how.stac else [])}

    def reached(self, name: str) -> str:
        """Path or URL of a finished raster of the folder."""
        return f"{self.folder if self.bucket is None else self.bucket.there}/{name}"

    def discard(self, name: str) -> None:
        """Remove a file of the folder, if it is there."""
        (self.folder / name).unlink(missing_ok=True)
        if self.bucket is not None:
            self.bucket.remove([name])

    def holds(self, id: str) -> bool:
        """Whether a product of an earlier run is there still."""
        return bool(self.sizes(id, [f"{id}.tif"]))

    def sizes(self, id: str, names: Iterable[str]) -> dict[str, int]:
        """Those files of a product that are there, and their bytes."""
        if self.bucket is not None:
            every = {name: self.bucket.sizes.get(f"{id}/{name}") for name in names}
            return {name: size for name, size in every.items() if size is not None}
        paths = [self.folder / id / name for name in names]
        return {path.name: path.stat().st_size for path in paths if path.exists()}


def files_of(main: Path) -> list[Path]:
    """All that a product can consist of: what it cannot do without, then its item, last."""
    beside = [main.with_suffix(ending) for ending in (".qml", ".png", ".json")]
    return [*companion_paths(main).values(), beside[0], main, *beside[1:]]


def make(
    making: ConversionContext, tile: ImageInfo, device: str, progress: Progress
) -> dict[str, int]:
    """Write all files of a product; one that an earlier run has begun is gone on with.

    Returns:
        Their names and sizes.
    """
    path = making.product(tile)
    path.parent.mkdir(exist_ok=True)
    if not making.how.stac:
        path.with_suffix(".json").unlink(missing_ok=True)  # it describes an earlier product
    write_product(
        _cube(making, tile, device),
        path,
        source=_linked_source(making, tile),
        model=making.model_item,
        stac=making.how.stac,
        item_fields=_item_fields(making),
        **making.how.storage,
        overwrite=True,
        resume=True,
        progress=progress,
    )
    if not making.how.stac:
        write_thumbnail(path)
    files = [each for each in files_of(path) if each.exists()]
    sizes = {each.name: each.stat().st_size for each in files}
    if making.bucket is not None:
        _send(making.bucket, path, files)
    return sizes


def _send(bucket: Bucket, main: Path, files: Sequence[Path]) -> None:
    try:
        bucket.send(files)
        every = {each.relative_to(bucket.here).as_posix(): each for each in files_of(main)}
        bucket.remove(name for name, each in every.items() if each not in files)
    finally:
        for each in files:
            if each.suffix != ".json":
                each.unlink()


def _cube(making: ConversionContext, tile: ImageInfo, device: str) -> "xr.Dataset":
    how = making.how
    if making.mosaic is not None:
        cube = making.mosaic.cube(tile, device)
    else:
        cube = reconstruct(tile.image(how), how.model, **how.reading(tile.dtype), device=device)
    told: dict[str, Any] = {
        "hsi_xr_source": tile.name,
        "hsi_xr_source_dtype": tile.dtype,
        "hsi_xr_source_bands": ",".join(map(str, tile.bands)),
    }
    if tile.taken is not None:
        told["datetime"] = tile.taken
    return cube.assign_attrs(told)


def _linked_source(making: ConversionContext, tile: ImageInfo) -> str | None:
    """Returns the STAC item or image that a product is derived from, without a signature."""
    source = tile.picture.item or tile.picture.href.partition("?")[0]
    if making.bucket is not None and not is_remote(source):
        return None  # an item in object storage cannot link a file of this machine
    return source


def _item_fields(making: ConversionContext) -> ItemFields:
    """Returns what places an item in the collection."""
    above = {"href": f"../{COLLECTION}", "type": "application/json"}
    links = [{"rel": rel, **above} for rel in ("root", "parent", "collection")]
    return {"collection": making.collection, "links": links}
