"""What all products of a conversion share, and where their files are."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hsi_xr._version import __version__
from hsi_xr.batch.bucket import Bucket
from hsi_xr.batch.config import Conversion
from hsi_xr.batch.inspect import ImageInfo
from hsi_xr.batch.manifest import Config
from hsi_xr.batch.mosaic import Mosaic
from hsi_xr.batch.names import SURVEY
from hsi_xr.checkpoints.card import Card
from hsi_xr.io.journal import journal_path
from hsi_xr.io.tags import compact_json
from hsi_xr.io.variables import companion_paths, existing_companions

_NOT_COMPARED = ("asset", "collection", "devices", "jobs", "vrt", "licence", "title", "model")
"""Settings on which products do not depend, or that a manifest states in another form."""


@dataclass(frozen=True, eq=False)
class ConversionContext:
    """What all products of a conversion share."""

    folder: Path
    """Local folder of the products. If they are uploaded, only their items stay in it."""
    bucket: Bucket | None
    """Object storage that products are uploaded to; None for a local folder."""
    config: Conversion
    collection_id: str
    model_item: Path | None = None
    """STAC item of the model; None if there are no weights to describe."""
    mosaic: Mosaic | None = None

    def product_path(self, image: ImageInfo) -> Path:
        """Returns the local path of a product's cube."""
        return self.folder / image.id / f"{image.id}.tif"

    def location(self, name: str) -> str:
        """Returns the path or URL of a finished file, named relative to the folder."""
        return f"{self.folder if self.bucket is None else self.bucket.folder}/{name}"

    def existing_names(self) -> set[str]:
        """Returns the names of all files and folders at the destination."""
        if self.bucket is not None:
            return {name.partition("/")[0] for name in self.bucket.sizes}
        return {path.name for path in self.folder.iterdir()}

    def required_names(self, image: ImageInfo) -> set[str]:
        """Returns the names of the files without which a product is not complete."""
        path = self.product_path(image)
        return {path.name, path.with_suffix(".json").name} if self.config.stac else {path.name}

    def product_exists(self, id: str) -> bool:
        return bool(self.sizes(id, [f"{id}.tif"]))

    def sizes(self, id: str, names: Iterable[str]) -> dict[str, int]:
        """Returns name -> bytes of those files of a product that exist."""
        if self.bucket is not None:
            sizes = {name: self.bucket.sizes.get(f"{id}/{name}") for name in names}
            return {name: size for name, size in sizes.items() if size is not None}
        paths = [self.folder / id / name for name in names]
        return {path.name: path.stat().st_size for path in paths if path.exists()}

    def remove(self, name: str) -> None:
        """Remove a file, named relative to the folder, if it exists."""
        (self.folder / name).unlink(missing_ok=True)
        if self.bucket is not None:
            self.bucket.remove([name])

    def discard_unfinished(self, images: Iterable[ImageInfo]) -> None:
        """Remove what an interrupted conversion left behind, so that it is not resumed."""
        (self.folder / SURVEY).unlink(missing_ok=True)
        for image in images:
            journal_path(self.product_path(image)).unlink(missing_ok=True)

    def manifest_config(self, card: Card, images: Sequence[ImageInfo]) -> Config:
        """Returns the settings that a run must share with the run that it resumes."""
        settings = asdict(self.config)
        config = {
            "version": __version__,
            "model": card.name,
            "sha256": card.sha256,
            "collection": self.collection_id,
            "devices": list(self.config.devices),
            **{key: value for key, value in settings.items() if key not in _NOT_COMPARED},
            "tiles of the mosaic": (
                sorted(image.id for image in images) if self.config.as_mosaic else None
            ),
        }
        plain: Config = json.loads(compact_json(config))  # as it is read back from a manifest
        return plain


def product_files(cube: Path) -> list[Path]:
    """Returns all files that a product may consist of, in the order in which they appear.

    The STAC item is last: it describes the others.
    """
    style, preview, item = (cube.with_suffix(suffix) for suffix in (".qml", ".png", ".json"))
    companions = companion_paths(cube) | existing_companions(cube)
    return [*companions.values(), style, cube, preview, item]
