"""Training pairs: cubes from plots, textures and mixtures, with pictures of them."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from hsi_xr.physics import srgb_decode
from hsi_xr.training.simulate import Studio, elsewhere, mixtures
from hsi_xr.training.sources import Plot


@dataclass(frozen=True)
class Batch:
    """Cubes, pictures of them, and the gain of each picture over the reference camera."""

    cube: Tensor
    """(batch, bands, h, w) reflectance."""
    rgb: Tensor
    """(batch, 3, h, w) linear RGB as delivered."""
    gain: Tensor
    """(batch, 3)"""


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
    reference: Tensor
    """(3, bands) reference camera, rows summing to one."""

    def draw(self, rng: Generator, *, size: int = 64) -> Batch:
        """A texture and a mosaic with pictures of their own, the same simulated, four mixtures."""
        own = [self._texture(size, rng), self._mosaic(size, rng)]
        plots = torch.stack([self._texture(size, rng)[0], self._mosaic(size, rng)[0]])
        mixed = torch.stack([mixtures(self.groups, size, rng) for _ in range(4)])
        cube = torch.cat([torch.stack([c for c, _ in own]), elsewhere(plots, rng), mixed])
        cube, real = cube.clamp(1e-4, 1), torch.stack([rgb for _, rgb in own])
        rgb = torch.cat([real, self.studio.photograph(cube[2:], rng)])
        return Batch(cube, rgb, self.gain(rgb, cube))

    def scene(self, rng: Generator, *, size: int = 48) -> tuple[Tensor, Tensor]:
        """A picture of several patches under one exposure, and its gain: (1, 3, s, k s), (1, 3)."""
        count = 1 + _pick(5, rng)
        if _pick(2, rng):
            return self._plots(1 + _pick(3, rng), rng)
        makers = [self._texture, self._mosaic]
        patches = [
            mixtures(self.groups, size, rng)
            if _pick(2, rng)
            else makers[_pick(2, rng)](size, rng)[0]
            for _ in range(count)
        ]
        cube = torch.cat(patches, dim=2)[None].clamp(1e-4, 1)
        rgb = self.studio.photograph(cube, rng)
        return rgb, self.gain(rgb, cube)

    def _plots(self, count: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """Whole plots of one flight: their own fine picture, or a simulated one."""
        first = _pick(len(self.plots), rng)
        near = [self.plots[(first + i) % len(self.plots)] for i in range(count)]
        if _pick(3, rng):
            cube = torch.cat([plot.cube for plot in near], dim=2)[None]
            rgb = torch.cat([plot.rgb for plot in near], dim=2)[None]
        else:
            cube = torch.cat([plot.coarse_cube for plot in near], dim=2)[None]
            rgb = self.studio.photograph(cube, rng)
        return rgb, self.gain(rgb, cube)

    def gain(self, rgb: Tensor, cube: Tensor) -> Tensor:
        """Mean of the picture over the mean that the reference camera would have seen."""
        seen = torch.einsum("cb,nb->nc", self.reference, cube.mean((2, 3)))
        return (rgb.mean((2, 3)) / seen.clamp(min=1e-4)).clamp(0.3, 50)

    def _texture(self, size: int, rng: Generator) -> tuple[Tensor, Tensor]:
        plot = self.plots[_pick(len(self.plots), rng)]
        row, column = (_pick(plot.rgb.shape[-1] - size + 1, rng) for _ in range(2))
        window = (..., slice(row, row + size), slice(column, column + size))
        return _turn([plot.cube[window], plot.rgb[window]], rng)

    def _mosaic(self, size: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """Neighbours in the list of plots, mostly of one flight, side by side at the metre grid."""
        first = _pick(len(self.plots), rng)
        near = [self.plots[(first + i) % len(self.plots)] for i in range(16)]
        cube = _quilt([plot.coarse_cube for plot in near])
        rgb = _quilt([plot.coarse_rgb for plot in near])
        return _turn([cube[..., :size, :size], rgb[..., :size, :size]], rng)


def _quilt(tiles: list[Tensor]) -> Tensor:
    return torch.cat([torch.cat(tiles[i : i + 4], dim=2) for i in range(0, 16, 4)], dim=1)


def _turn(images: list[Tensor], rng: Generator) -> tuple[Tensor, Tensor]:
    turns, flip = _pick(4, rng), _pick(2, rng)
    first, second = (torch.rot90(image, turns, (1, 2)) for image in images)
    return (first.flip(2), second.flip(2)) if flip else (first, second)


def _pick(count: int, rng: Generator) -> int:
    return int(torch.randint(count, (1,), generator=rng))


def as_tensor(array: "np.ndarray") -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype="float32"))
