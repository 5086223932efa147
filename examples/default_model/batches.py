"""Training pairs: cubes from plots, textures and mixtures, with pictures of them."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from examples.default_model.simulate import Shot, Studio, elsewhere, metamers, mixtures
from examples.default_model.sources import Plot
from hsi_xr.camera.srgb import srgb_decode

OWN = 2
"""Of the images of a batch, those with the pictures that were really taken of them."""


@dataclass(frozen=True)
class Batch:
    """Cubes, and a picture of each."""

    cube: Tensor
    """(batch, bands, h, w) reflectance."""
    shots: list[Shot]


@dataclass(frozen=True)
class Textured:
    """A plot's spectra spread over its 0.1 m picture by colour: fine detail, measured spectra."""

    cube: Tensor
    rgb: Tensor
    coarse_cube: Tensor
    coarse_rgb: Tensor


def texture(plot: Plot) -> Textured:
    """Gives each fine pixel the mean spectrum of the metre pixels of its colour."""
    spectra, picture = torch.from_numpy(plot.cube), srgb_decode(torch.from_numpy(plot.rgb))
    k = picture.shape[-1] // spectra.shape[-1]
    coarse = F.avg_pool2d(picture, k)
    wanted, known = _colour(picture), _colour(coarse)
    share = (
        -torch.cdist(wanted.flatten(1).T, known.flatten(1).T).square() / (2 * 0.06**2)
    ).softmax(1)
    light = picture.mean(0).flatten() / (share @ coarse.mean(0).flatten()).clamp(min=1e-3)
    fine = (share @ spectra.flatten(1).T) * light[:, None]
    cube = fine.T.reshape(len(spectra), *picture.shape[1:])
    level = spectra.mean() / cube.mean()
    return Textured(cube * level, picture, spectra, coarse)


def _colour(rgb: Tensor) -> Tensor:
    """Chromaticity, and a little of the brightness."""
    log = (rgb + 0.01).log()
    return torch.stack([log[0] - log[1], log[2] - log[1], 0.3 * log.mean(0)])


@dataclass(frozen=True)
class Source:
    """Everything a batch is drawn from."""

    plots: list[Textured]
    groups: list[Tensor]
    studio: Studio

    def draw(self, rng: Generator, *, size: int) -> Batch:
        """Two plots with their own pictures, a texture, a mosaic of plots, four mixtures.

        Of those whose picture is simulated some are elsewhere, and some show other ground in the
        same colours.
        """
        fine = [self._texture(size, rng) for _ in range(2)]
        coarse = [self._mosaic(size, rng) for _ in range(2)]
        own = [self._developed_again(rgb, rng) for _, rgb in (fine[0], coarse[0])]
        cubes = [fine[1][0], coarse[1][0]]
        cubes = [elsewhere(cube, rng, strength=0.06) for cube in cubes]
        cubes += [mixtures(self.groups, size, rng) for _ in range(4)]
        shots, shown = [], []
        for cube in cubes:
            if _pick(4, rng) == 0:
                camera = self.studio.any_camera(rng)
                cube = metamers(cube, camera, rng, strength=0.1)
            shown.append(cube.clamp(1e-4, 1))
            shots.append(self.studio.photograph(shown[-1], rng))
        real = [cube.clamp(1e-4, 1) for cube, _ in (fine[0], coarse[0])]
        return Batch(torch.stack([*real, *shown]), [*own, *shots])

    @staticmethod
    def _developed_again(rgb: Tensor, rng: Generator) -> Shot:
        """A picture in another exposure and white balance: a flight has few of either."""
        exposure = 0.2 * torch.randn(1, 1, 1, generator=rng)
        balance = 0.04 * torch.randn(3, 1, 1, generator=rng)
        return Shot((rgb * (exposure + balance).exp()).clamp(max=1), None, level_known=False)

    def _near(self, count: int, rng: Generator) -> list[Textured]:
        """Neighbours in the list of plots, mostly of one flight."""
        first = _pick(len(self.plots), rng)
        return [self.plots[(first + i) % len(self.plots)] for i in range(count)]

    def _texture(self, size: int, rng: Generator) -> tuple[Tensor, Tensor]:
        plot = self.plots[_pick(len(self.plots), rng)]
        row, column = (_pick(plot.rgb.shape[-1] - size + 1, rng) for _ in range(2))
        window = (..., slice(row, row + size), slice(column, column + size))
        return _turn([plot.cube[window], plot.rgb[window]], rng)

    def _mosaic(self, size: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """Sixteen neighbours side by side at the metre grid."""
        near = self._near(16, rng)
        cube = _tile([plot.coarse_cube for plot in near])
        rgb = _tile([plot.coarse_rgb for plot in near])
        return _turn([cube[..., :size, :size], rgb[..., :size, :size]], rng)


def _tile(tiles: list[Tensor]) -> Tensor:
    return torch.cat([torch.cat(tiles[i : i + 4], dim=2) for i in range(0, 16, 4)], dim=1)


def _turn(images: list[Tensor], rng: Generator) -> tuple[Tensor, Tensor]:
    turns, flip = _pick(4, rng), _pick(2, rng)
    first, second = (torch.rot90(image, turns, (1, 2)) for image in images)
    return (first.flip(2), second.flip(2)) if flip else (first, second)


def _pick(count: int, rng: Generator) -> int:
    return int(torch.randint(count, (1,), generator=rng))


def as_tensor(array: "np.ndarray") -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype="float32"))
