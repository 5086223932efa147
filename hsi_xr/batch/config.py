"""What is asked of a conversion, and which pictures it is about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hsi_xr.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """How pictures become products; the same for all of them."""

    model: str = "default"
    """As `reconstruct` takes it."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Others of `reconstruct`: camera, seed, samples, tile, ..."""
    radiometry: str | Mapping[str, str] | None = None
    """What numbers mean; by data type where pictures differ in that."""
    rgb: tuple[int, ...] | None = None
    """Band numbers of red, green and blue; None asks the items, then the files' own colours."""
    input_scale: float | Mapping[str, float] | None = None
    """Factor from stored numbers to [0, 1]; by data type where pictures differ in that."""
    nodata: float | None = None
    """Stored number of what is no pixel, in place of the files' own."""
    asset: str | None = None
    """Of STAC items; None takes the one that is a picture."""
    datetime: str | None = None
    """ISO 8601 (`START/END` of a range), of pictures that do not tell when they were taken."""
    storage: Mapping[str, Any] = field(default_factory=dict)
    """Of `write`: dtype, scale, format (cog or geotiff), creation_options."""
    as_mosaic: bool = False
    """Pictures are tiles of one: they share survey and context, so that borders show no seam."""
    vrt: bool = False
    """Write `mosaic.vrt` over all products."""
    stac: bool = True
    """Write items, that of the model among them, and their collection."""
    licence: str | None = None
    """Of the products, as SPDX."""
    collection: str | None = None
    """Id of the collection; None takes the folder's name."""
    title: str | None = None
    devices: tuple[str, ...] = ("auto",)
    """Pictures take turns on them, always in the same way."""
    jobs: int = 2
    """Pictures at once on each device: while one is computed, others are read and written."""

    def __post_init__(self) -> None:
        if self.jobs < 1 or not self.devices:
            raise UsageError(
                f"a conversion needs a job and a device; got {self.jobs} and {self.devices!r}"
            )
        if (kind := self.storage.get("format")) not in (None, "cog", "geotiff"):
            raise UsageError(
                f"conversions make GeoTIFFs (cog or geotiff), not {kind}; `write` makes others of "
                "a product"
            )
        if own := {"rgb", "radiometry", "scale", "device", "survey"} & self.options.keys():
            raise UsageError(
                f"{', '.join(sorted(own))} is no option of `Conversion`; it has rgb=, radiometry=, "
                "input_scale= and devices=, and makes its surveys itself"
            )
        for told in (self.radiometry, self.input_scale):
            _check_types(told)

    def meaning(self, dtype: str) -> dict[str, Any]:
        """Radiometry and scale of pictures of a data type."""
        told = {"radiometry": self.radiometry, "scale": self.input_scale}
        return {
            name: each.get(dtype) if isinstance(each, Mapping) else each
            for name, each in told.items()
        }

    def reading(self, dtype: str) -> dict[str, Any]:
        """Arguments of `reconstruct` for a picture of a data type, but model and device."""
        return {**self.options, **self.meaning(dtype)}


@dataclass(frozen=True, kw_only=True)
class InputImage:
    """One RGB image that is to become one product."""

    id: str
    """Name of its product and item, fit for a file."""
    href: str
    """Path or URL, as GDAL takes it."""
    item: str | None = None
    """Path or URL of the STAC item that it came from."""
    acquired: str | None = None
    """As that item tells it: an instant, or two with `/` between."""
    rgb: tuple[int, ...] | None = None
    """Its bands of red, green and blue, as that item tells them."""


@dataclass(frozen=True)
class Failure:
    """A picture that has become nothing, and why."""

    id: str
    reason: str


def _check_types(told: object) -> None:
    """Refuse what is told of numbers of a type that there is not."""
    for dtype in told if isinstance(told, Mapping) else ():
        try:
            known = np.dtype(dtype).name == dtype
        except TypeError:
            known = False
        if not known:
            raise UsageError(f"no data type is called {dtype!r}; give e.g. uint8, uint16, float32")
