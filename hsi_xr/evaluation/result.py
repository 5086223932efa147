"""Scores of models on data sets, with the protocol that produced them."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import StringIO

from hsi_xr.evaluation._tables import aligned, as_json, average, cells, plain
from hsi_xr.evaluation.protocol import Protocol
from hsi_xr.evaluation.scores import COLUMNS, Column, columns_of


@dataclass(frozen=True)
class Image:
    """Scores of a model on one image of a data set."""

    data: str
    model: str
    name: str
    bands: tuple[float, ...]
    """Centres of the scored bands, nm: those common to model and data set with data in the cube."""
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Mean:
    """Mean scores of a model on a data set, over the images where each score is defined."""

    data: str
    model: str
    images: int
    bands: tuple[float, ...]
    """Centres of the bands scored in any image, nm."""
    scores: Mapping[str, float]
    fewer: Mapping[str, int]
    """Number of images in the mean, for scores that are not defined for all images."""
    fewest_bands: int
    """Smallest number of bands scored in an image."""

    def lines(self) -> list[str]:
        """Returns notes on missing bands and images."""
        over = ", ".join(f"{COLUMNS[name].title} {count}" for name, count in self.fewer.items())
        subject = f"data {self.data}, model {self.model}"
        notes = [f"{subject}: means over fewer than {self.images} images: {over}"] if over else []
        if self.fewest_bands < len(self.bands):
            notes.append(f"{subject}: {self.fewest_bands} to {len(self.bands)} bands per image")
        return notes


@dataclass(frozen=True)
class Evaluation:
    """Scores of models on data sets.

    Attributes:
        protocol: Everything that the scores depend on.
        images: Scores of each model on each image.
    """

    protocol: Protocol
    images: tuple[Image, ...]

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The columns of `hsi_xr.evaluation.scores.COLUMNS` that the images have."""
        return columns_of({name for image in self.images for name in image.scores})

    @cached_property
    def means(self) -> tuple[Mean, ...]:
        """Means for every data set and model, in the order of the protocol."""
        groups = [
            [image for image in self.images if (image.data, image.model) == (d.label, m.label)]
            for d in self.protocol.data
            for m in self.protocol.models
        ]
        return tuple(_mean(group) for group in groups)

    def markdown(self) -> str:
        """Returns the table of means, followed by the protocol."""
        head = ["data", "model", "images", "bands", *(c.title for c in self.columns.values())]
        rows = [
            [
                row.data,
                row.model,
                str(row.images),
                _span(row.bands),
                *cells(row.scores, self.columns),
            ]
            for row in self.means
        ]
        table = aligned([head, *rows], left=2)
        notes = [*self.protocol.lines(), *(line for row in self.means for line in row.lines())]
        return "\n".join([*table, "", *(f"- {line}" for line in notes), ""])

    def csv(self) -> str:
        """Returns the table of means as CSV; every row repeats the protocol."""
        settings = self.protocol.as_json()
        models = {m.label: m.sha256 for m in self.protocol.models}
        data = {entry.label: entry for entry in self.protocol.data}
        shared = {key: settings[key] for key in settings if key not in ("models", "data")}
        camera = self.protocol.camera
        shared["camera"], shared["camera_sha256"] = (
            (camera.name, camera.sha256) if camera else ("", "")
        )
        text = StringIO()
        head = ("data", "model", "images", "bands", *self.columns, "fewer_images")
        last = ("model_sha256", "coding", "options")
        table = csv.DictWriter(text, [*head, *shared, *last], lineterminator="\n")
        table.writeheader()
        for row in self.means:
            opened = data[row.data]
            table.writerow(
                {"data": row.data, "model": row.model, "images": row.images}
                | {"bands": len(row.bands), **row.scores, **shared}
                | {"fewer_images": " ".join(f"{k}={v}" for k, v in row.fewer.items())}
                | {"model_sha256": models[row.model], "coding": opened.coding}
                | {"options": " ".join(f"{k}={v}" for k, v in opened.options.items())}
            )
        return text.getvalue()

    def json(self) -> str:
        """Returns protocol, score definitions, means, and the scores of every image as JSON."""
        document = {
            "protocol": self.protocol.as_json(),
            "scores": {name: column.meaning for name, column in self.columns.items()},
            "means": [
                {"data": m.data, "model": m.model, "images": m.images, "bands_nm": m.bands}
                | {**plain(m.scores), "fewer_images": m.fewer}
                for m in self.means
            ],
            "images": [
                {"data": i.data, "model": i.model, "image": i.name, "bands_nm": i.bands}
                | plain(i.scores)
                for i in self.images
            ],
        }
        return as_json(document)


def _mean(images: Sequence[Image]) -> Mean:
    first = images[0]
    bands = tuple(sorted({centre for image in images for centre in image.bands}))
    by_name = {name: [image.scores[name] for image in images] for name in columns_of(first.scores)}
    scores = {name: average(values) for name, values in by_name.items()}
    counts = {name: sum(not math.isnan(v) for v in values) for name, values in by_name.items()}
    fewer = {name: count for name, count in counts.items() if count < len(images)}
    fewest = min(len(image.bands) for image in images)
    return Mean(first.data, first.model, len(images), bands, scores, fewer, fewest)


def _span(bands: Sequence[float]) -> str:
    return f"{len(bands)}, {bands[0]:g}-{bands[-1]:g} nm"
