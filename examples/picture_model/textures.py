"""Clean RGB textures: simulated ground through cameras, reduced photographs, rendered scenes.

Batches are crops of them in random exposures, damaged.
"""

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from examples.default_model import sources
from examples.default_model.batches import TrainingData
from examples.default_model.simulate_ground import chance, pick, simulate_scene
from examples.default_model.training_data import BANDS, as_tensor, is_held_out
from examples.picture_model.degrade import degrade, random_damage
from hsi_xr.camera.srgb import srgb_decode
from hsi_xr.demo.render import render
from hsi_xr.demo.seasons import SEASONS

REDUCED = 3
"""Factor by which photographs are reduced, which removes their noise and compression."""

MARGIN = 8
"""Images are damaged with a margin and cropped, so that blocks of JPEG start anywhere."""


@dataclass(frozen=True)
class PictureBatch:
    """Damaged and clean images. See `hsi_xr.training.updates.Batch`.

    Attributes:
        picture: (batch, 3, rows, columns) linear RGB as delivered.
        clean: Linear RGB without damage, of the same shape.
        names: Empty: the images have no names.
    """

    picture: Tensor
    clean: Tensor
    names: tuple[str, ...] = ()

    def to(self, device: str) -> "PictureBatch":
        return replace(self, picture=self.picture.to(device), clean=self.clean.to(device))

    def is_finite(self) -> bool:
        return all(bool(each.isfinite().all()) for each in (self.picture, self.clean))


@dataclass(frozen=True)
class Textures:
    """Clean images by origin, each in linear RGB, (3, rows, columns)."""

    groups: list[list[Tensor]]

    def draw(self, rng: Generator, *, count: int, side: int) -> PictureBatch:
        """Draws damaged crops; every origin is equally likely."""
        pairs = [self._pair(rng, side) for _ in range(count)]
        pictures, clean = (torch.stack(each) for each in zip(*pairs))
        return PictureBatch(pictures, clean)

    def _pair(self, rng: Generator, side: int) -> tuple[Tensor, Tensor]:
        group = self.groups[pick(len(self.groups), rng)]
        clean = crop(group[pick(len(group), rng)], side + MARGIN, rng)
        clean = vary(clean, rng)
        picture, clean = degrade(clean, random_damage(rng), rng)
        row, column = pick(MARGIN, rng), pick(MARGIN, rng)
        window = (..., slice(row, row + side), slice(column, column + side))
        return picture[window], clean[window]


def crop(image: Tensor, side: int, rng: Generator) -> Tensor:
    """Returns a square of an image, turned and mirrored at random."""
    rows, columns = image.shape[1:]
    row, column = pick(rows - side + 1, rng), pick(columns - side + 1, rng)
    square = image[:, row : row + side, column : column + side]
    square = torch.rot90(square, pick(4, rng), (1, 2))
    return square.flip(2) if chance(rng) < 0.5 else square


def vary(image: Tensor, rng: Generator) -> Tensor:
    """Draws exposure and white balance: a mean from deep forest on the scale of reflectance, .03,
    to an image for display, .35.
    """
    mean = 0.03 * (0.35 / 0.03) ** chance(rng)
    balance = (0.08 * torch.randn(3, 1, 1, generator=rng)).exp()
    return image * balance * (mean / image.mean().clamp(min=1e-3))


def load_textures(folder: Path, data: TrainingData, rng: Generator) -> Textures:
    """Loads and renders textures from data that are not held out.

    Args:
        folder: The data; see the README of the default model.
        data: The training data of the default model, read from it.
        rng: Draws simulated ground and cameras.
    """
    return Textures(
        [
            simulated_ground(data, rng, count=320, side=72),
            mosaics(data, rng, count=160),
            photographs(folder),
            rendered_scenes(data, rng, seeds=range(1, 4)),
        ]
    )


def simulated_ground(data: TrainingData, rng: Generator, *, count: int, side: int) -> list[Tensor]:
    """Draws simulated scenes as cameras record them."""
    return [_photograph(simulate_scene(data.groups, side, rng), data, rng) for _ in range(count)]


def mosaics(data: TrainingData, rng: Generator, *, count: int) -> list[Tensor]:
    """Draws plots of imaging spectrometers, sixteen side by side, as cameras record them."""
    images = []
    for _ in range(count):
        plots = [data.plots[pick(len(data.plots), rng)].coarse_cube for _ in range(16)]
        rows = [torch.cat(plots[i : i + 4], dim=2) for i in range(0, 16, 4)]
        images.append(_photograph(torch.cat(rows, dim=1), data, rng))
    return images


def photographs(folder: Path) -> list[Tensor]:
    """Returns the RGB images of training plots, and a larger one, reduced in linear light."""
    import rasterio

    plots = sources.paired_plots(folder, BANDS)
    images = [as_tensor(plot.rgb) for plot in plots if not is_held_out(plot.name)]
    with rasterio.open(folder / "scenes_rgb" / "BART_2019_rgb_crop.tif") as file:
        images += 3 * [as_tensor(file.read() / 255)]  # as large as many plots
    return [F.avg_pool2d(srgb_decode(image), REDUCED) for image in images]


def rendered_scenes(data: TrainingData, rng: Generator, *, seeds: range) -> list[Tensor]:
    """Renders the demo's landscape in every season, from far and near, as cameras record it."""
    images = []
    for seed, season in product(seeds, SEASONS):
        for size, pixel in (((192, 256), 0.4), ((384, 512), 0.1)):
            truth = torch.from_numpy(render(*size, seed=seed, season=season, pixel=pixel).truth)
            images += [_photograph(truth, data, rng) for _ in range(2)]
    return images


def _photograph(cube: Tensor, data: TrainingData, rng: Generator) -> Tensor:
    simulator = data.simulator
    return simulator.colours(cube, simulator.random_camera(rng), rng)
