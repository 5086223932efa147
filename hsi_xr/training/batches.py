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
        """Three textures (one with its own picture), three mixtures, two mosaics of plots."""
        fine = [self._texture(size, rng) for _ in range(3)]
        coarse = [self._mosaic(size, rng) for _ in range(2)]
        mixed = torch.stack([mixtures(self.groups, size, rng) for _ in range(3)])
        real = torch.stack([fine[0][1], coarse[0][1]])
        cube = torch.cat([torch.stack([c for c, _ in (*fine, *coarse)]), mixed])
        order = [0, 3, 1, 2, 4, 5, 6, 7]  # the two with pictures of their own come first
        cube = cube[order].clamp(1e-4, 1)
        rgb = torch.cat([real, self.studio.photograph(cube[2:], rng)])
        return Batch(cube, rgb, self.gain(rgb, cube))

    def scene(self, rng: Generator) -> tuple[Tensor, Tensor]:
        """Pixels of a picture under one exposure, and its gain: (1, 3, 1, pixels), (1, 3)."""
        kind = _pick(10, rng)
        make = self._own_pictures if kind < 3 else self._plots if kind < 7 else self._land
        rgb, cube = make(rng)
        return rgb, self.gain(rgb, cube)

    def _own_pictures(self, rng: Generator) -> tuple[Tensor, Tensor]:
        """The pictures of neighbouring plots, or of parts of them, some developed again."""
        parts = [_part(plot, rng) for plot in self._near(1 + _pick(3, rng), rng)]
        rgb, cube = _pixels([rgb for rgb, _ in parts]), _pixels([cube for _, cube in parts])
        if _pick(2, rng):
            exposure = 0.2 * torch.randn(1, 1, 1, 1, generator=rng)
            balance = 0.05 * torch.randn(1, 3, 1, 1, generator=rng)
            rgb = (rgb * (exposure + balance).exp()).clamp(max=1)
        return rgb, cube

    def _plots(self, rng: Generator) -> tuple[Tensor, Tensor]:
        """Simulated pictures of such plots elsewhere, some with other ground between."""
        near = self._near(1 + _pick(4, rng), rng)
        cube = _pixels([_part(plot, rng)[1] for plot in near])
        level = (0.15 * torch.randn(1, generator=rng)).exp()
        cube = elsewhere(cube * level, rng, strength=0.12)
        if _pick(4, rng) == 0:
            cube = torch.cat([cube, _pixels([mixtures(self.groups, 16, rng)])], dim=3)
        cube = cube.clamp(1e-4, 1)
        return self.studio.photograph(cube, rng), cube

    def _land(self, rng: Generator) -> tuple[Tensor, Tensor]:
        """Simulated pictures of mixtures, some with plots between."""
        parts = [
            mixtures(self.groups, 24, rng) if _pick(3, rng) else self._mosaic(24, rng)[0]
            for _ in range(1 + _pick(5, rng))
        ]
        # samples in a laboratory are dry, smooth and fully lit; ground is darker
        weather = (0.4 * torch.randn(1, generator=rng) - 0.5).exp()
        cube = elsewhere(weather * _pixels(parts), rng, strength=0.08).clamp(1e-4, 1)
        return self.studio.photograph(cube, rng), cube

    def _near(self, count: int, rng: Generator) -> list[Textured]:
        """Neighbours in the list of plots, mostly of one flight."""
        first = _pick(len(self.plots), rng)
        return [self.plots[(first + i) % len(self.plots)] for i in range(count)]

    def gain(self, rgb: Tensor, cube: Tensor) -> Tensor:
        """Mean of the picture over the mean that the reference camera would have seen."""
        return (rgb / self._seen(cube).clamp(min=1e-4)).mean((2, 3)).clamp(0.3, 50)

    def _seen(self, cube: Tensor) -> Tensor:
        """Mean colour to the reference camera, (batch, 3, 1, 1)."""
        return torch.einsum("cb,nb->nc", self.reference, cube.mean((2, 3)))[..., None, None]

    def _texture(self, size: int, rng: Generator) -> tuple[Tensor, Tensor]:
        plot = self.plots[_pick(len(self.plots), rng)]
        row, column = (_pick(plot.rgb.shape[-1] - size + 1, rng) for _ in range(2))
        window = (..., slice(row, row + size), slice(column, column + size))
        return _turn([plot.cube[window], plot.rgb[window]], rng)

    def _mosaic(self, size: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """Sixteen neighbours side by side at the metre grid."""
        near = self._near(16, rng)
        cube = _quilt([plot.coarse_cube for plot in near])
        rgb = _quilt([plot.coarse_rgb for plot in near])
        return _turn([cube[..., :size, :size], rgb[..., :size, :size]], rng)


def _part(plot: Textured, rng: Generator) -> tuple[Tensor, Tensor]:
    """The picture and the spectra of a part of a plot, at least 6 m wide."""
    rows, columns = plot.coarse_cube.shape[1:]
    k = plot.rgb.shape[-1] // columns
    height, width = 6 + _pick(rows - 5, rng), 6 + _pick(columns - 5, rng)
    top, left = _pick(rows - height + 1, rng), _pick(columns - width + 1, rng)
    fine = (slice(k * top, k * (top + height)), slice(k * left, k * (left + width)))
    return plot.rgb[:, *fine], plot.coarse_cube[:, top : top + height, left : left + width]


def _pixels(images: list[Tensor]) -> Tensor:
    """All pixels of images as one line, (1, channels, 1, pixels)."""
    return torch.cat([image.flatten(1) for image in images], dim=1)[None, :, None]


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
