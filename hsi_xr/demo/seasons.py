"""The seasons of the demo scene: what grows instead of the crops of late summer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Season:
    """What a season changes.

    Attributes:
        materials: Material of late summer -> the material in its place.
        places: Name of a place in `render.PLACES` -> its name in this season.
    """

    materials: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)


SEASONS: Final[Mapping[str, Season]] = {
    "summer": Season(),
    "autumn": Season(
        {
            "maize": "dry grass",
            "oak": "yellowing crown",
            "birch": "yellowing crown",
            "ripe wheat": "brown soil",
            "sunflower": "brown soil",
            "lavender": "dry grass",
        },
        {"maize": "ripe maize", "sunflowers": "harvested sunflowers"},
    ),
    "spring": Season(
        {
            "maize": "loess",
            "ripe wheat": "grass",
            "dry grass": "lawn",
            "oak": "birch",
            "sunflower": "wet soil",
            "lavender": "grass",
        },
        {"maize": "seed bed", "sunflowers": "bare soil"},
    ),
}
