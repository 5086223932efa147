"""One picture into its product, its small picture and its item."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsi_xr.conversion.how import Conversion
from hsi_xr.conversion.inspecting import Inspected
from hsi_xr.conversion.mosaic import Mosaic
from hsi_xr.pipeline import reconstruct
from hsi_xr.raster.describe import describe
from hsi_xr.raster.thumbnail import thumbnail
from hsi_xr.raster.write import Progress, write
from hsi_xr.stac.files import save

if TYPE_CHECKING:
    import xarray as xr

COLLECTION = "collection.json"


@dataclass(frozen=True, eq=False)
class Making:
    """What all products of a conversion have in common."""

    folder: Path
    how: Conversion
    collection: str
    """Its id."""
    model_item: Path | None
    """The model's STAC item; None where there are no weights to describe."""
    mosaic: Mosaic | None

    def product(self, tile: Inspected) -> Path:
        return self.folder / tile.picture.id / f"{tile.picture.id}.tif"

    def item(self, tile: Inspected) -> Path:
        return self.product(tile).with_suffix(".json")


def make(making: Making, tile: Inspected, device: str, progress: Progress) -> None:
    """Write all files of a product; one that an earlier run has begun is gone on with."""
    path = making.product(tile)
    path.parent.mkdir(exist_ok=True)
    cube = _cube(making, tile, device)
    write(cube, path, **making.how.storage, overwrite=True, resume=True, progress=progress)
    thumbnail(path)
    if making.how.stac:
        save(_item(making, tile), making.item(tile))


def _cube(making: Making, tile: Inspected, device: str) -> "xr.Dataset":
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


def _item(making: Making, tile: Inspected) -> dict[str, Any]:
    picture = tile.picture
    # the query of a signed URL is a key, and no part of a name
    origin = picture.item or picture.href.partition("?")[0]
    item = describe(
        making.product(tile), datetime=tile.taken, derived_from=origin, model=making.model_item
    ).to_dict(include_self_link=False)
    item["collection"] = making.collection
    above = {"href": f"../{COLLECTION}", "type": "application/json"}
    item["links"] += [{"rel": rel, **above} for rel in ("root", "parent", "collection")]
    return item
