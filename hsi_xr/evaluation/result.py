"""Scores of models on data sets, as a table and in full, never without their protocol."""

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
    """A model on an image of a data set, by their labels."""

    data: str
    model: str
    name: str
    bands: tuple[float, ...]
    """Centres in nm that were scored: those that model and data set share and the cube knows."""
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Mean:
    """A model on a data set: plain means over those images that have the score."""

    data: str
    model: str
    images: int
    bands: tuple[float, ...]
    """Centres in nm that were scored in some image."""
    scores: Mapping[str, float]
    fewer: Mapping[str, int]
    """How many images a mean is over, of those scores that some image does not have."""
    fewest_bands: int
    """That were scored in an image."""

    def lines(self) -> list[str]:
        """For people, what sets it apart from a mean of all bands over all images."""
        over = ", ".join(f"{COLUMNS[name].title} {count}" for name, count in self.fewer.items())
        here = f"data {self.data}, model {self.model}"
        found = [f"{here}: means over fewer than {self.images} images: {over}"] if over else []
        if self.fewest_bands < len(self.bands):
            found.append(f"{here}: {self.fewest_bands} to {len(self.bands)} bands by image")
        return found


@dataclass(frozen=True)
class Evaluation:
    protocol: Protocol
    images: tuple[Image, ...]

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """Those of `evaluation.scores.COLUMNS` that the images have."""
        return columns_of({name for image in self.images for name in image.scores})

    @cached_property
    def means(self) -> tuple[Mean, ...]:
        """A row for every data set and model, in the order of the protocol."""
        groups = [
            [image for image in self.images if (image.data, image.model) == (d.label, m.label)]
            for d in self.protocol.data
            for m in self.protocol.models
        ]
        return tuple(_mean(group) for group in groups)

    def markdown(self) -> str:
        """The table, and below it the protocol."""
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
        about = [*self.protocol.lines(), *(line for row in self.means for line in row.lines())]
        return "\n".join([*table, "", *(f"- {line}" for line in about), ""])

    def csv(self) -> str:
        """The table for programs: every row has its protocol beside its numbers."""
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
        about = ("model_sha256", "coding", "options")
        table = csv.DictWriter(text, [*head, *shared, *about], lineterminator="\n")
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
        """Protocol, definitions, means, and the scores of every image."""
        whole = {
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
        return as_json(whole)


def _mean(images: Sequence[Image]) -> Mean:
    first = images[0]
    bands = tuple(sorted({centre for image in images for centre in image.bands}))
    found = {name: [image.scores[name] for image in images] for name in columns_of(first.scores)}
    scores = {name: average(values) for name, values in found.items()}
    counts = {name: sum(not math.isnan(v) for v in values) for name, values in found.items()}
    fewer = {name: count for name, count in counts.items() if count < len(images)}
    fewest = min(len(image.bands) for image in images)
    return Mean(first.data, first.model, len(images), bands, scores, fewer, fewest)


def _span(bands: Sequence[float]) -> str:
    return f"{len(bands)}, {bands[0]:g}-{bands[-1]:g} nm"
