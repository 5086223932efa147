"""Training batches: cubes from plots, textures and simulated scenes, with RGB images of them."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from examples.default_model.simulate_ground import add_metamer, pick, simulate_scene, vary_smoothly
from examples.default_model.simulate_images import ImageSimulator, RGBImage
from examples.default_model.sources import Plot
from hsi_xr.camera.srgb import srgb_decode

REAL = 2
"""Number of cubes at the start of a batch that have a real RGB image of their plot."""


@dataclass(frozen=True)
class SimulatedBatch:
    """Cubes, and an image of each. See `hsi_xr.training.updates.Batch`.

    Attributes:
        cube: (batch, bands, rows, columns) reflectance.
        images: An image of each cube.
        names: Empty: the cubes have no names.
    """

    cube: Tensor
    images: list[RGBImage]
    names: tuple[str, ...] = ()

    def to(self, device: str) -> "SimulatedBatch":
        images = [image.to(device) for image in self.images]
        return replace(self, cube=self.cube.to(device), images=images)

    def is_finite(self) -> bool:
        tensors = (self.cube, *(image.rgb for image in self.images))
        return all(bool(tensor.isfinite().all()) for tensor in tensors)


@dataclass(frozen=True)
class TexturedPlot:
    """A plot whose spectra are distributed over its 0.1 m image by colour, for fine detail.

    Attributes:
        cube: (bands, rows, columns) at the pixels of the image.
        rgb: (3, rows, columns) linear image.
        coarse_cube: The measured cube, at 1 m.
        coarse_rgb: The image averaged to 1 m.
        site: The site of the plot.
    """

    cube: Tensor
    rgb: Tensor
    coarse_cube: Tensor
    coarse_rgb: Tensor
    site: str


def add_texture(plot: Plot) -> TexturedPlot:
    """Gives each fine pixel the mean spectrum of the coarse pixels of a similar colour."""
    spectra, image = torch.from_numpy(plot.cube), srgb_decode(torch.from_numpy(plot.rgb))
    k = image.shape[-1] // spectra.shape[-1]
    coarse = F.avg_pool2d(image, k)
    colours, coarse_colours = _colour(image), _colour(coarse)
    distance = torch.cdist(colours.flatten(1).T, coarse_colours.flatten(1).T)
    share = (-distance.square() / (2 * 0.06**2)).softmax(1)
    light = image.mean(0).flatten() / (share @ coarse.mean(0).flatten()).clamp(min=1e-3)
    fine = (share @ spectra.flatten(1).T) * light[:, None]
    cube = fine.T.reshape(len(spectra), *image.shape[1:])
    level = spectra.mean() / cube.mean()
    return TexturedPlot(cube * level, image, spectra, coarse, plot.name.split("_")[0])


def _colour(rgb: Tensor) -> Tensor:
    """Returns log chromaticity, and log brightness with a lower weight."""
    log = (rgb + 0.01).log()
    return torch.stack([log[0] - log[1], log[2] - log[1], 0.3 * log.mean(0)])


@dataclass(frozen=True)
class TrainingData:
    """Everything that batches are drawn from.

    Attributes:
        plots: Paired plots.
        groups: Spectra by origin, (count, bands) each, as ground.
        library: Those of laboratories, (count, bands) each, as measured.
        other_ground: Further spectra by origin, (count, bands) each, which show how bright kinds of
            ground are for their colours; no batch contains them.
        simulator: Simulates the images.
    """

    plots: list[TexturedPlot]
    groups: list[Tensor]
    library: list[Tensor]
    other_ground: list[Tensor]
    simulator: ImageSimulator

    def draw(self, rng: Generator, *, side: int) -> SimulatedBatch:
        """Draws a batch of eight cubes: two textures, two mosaics of plots, four simulated scenes.

        One texture and one mosaic come with their own images, those of the others are simulated.
        Some of these are varied, and some replaced by metamers.
        """
        fine = [self._texture(side, rng) for _ in range(2)]
        coarse = [self._mosaic(side, rng) for _ in range(2)]
        real_images = [_vary_exposure(rgb, rng) for _, rgb in (fine[0], coarse[0])]
        cubes = [fine[1][0], coarse[1][0]]
        cubes = [vary_smoothly(cube, rng, strength=0.06) for cube in cubes]
        cubes += [simulate_scene(self.groups, side, rng) for _ in range(4)]
        varied, images = [], []
        for cube in cubes:
            if pick(4, rng) == 0:
                camera = self.simulator.random_camera(rng)
                cube = add_metamer(cube, camera, rng, strength=0.1)
            varied.append(cube.clamp(1e-4, 1))
            images.append(self.simulator.photograph(varied[-1], rng))
        real = [cube.clamp(1e-4, 1) for cube, _ in (fine[0], coarse[0])]
        return SimulatedBatch(torch.stack([*real, *varied]), [*real_images, *images])

    def _texture(self, side: int, rng: Generator) -> tuple[Tensor, Tensor]:
        plot = self.plots[pick(len(self.plots), rng)]
        row, column = (pick(plot.rgb.shape[-1] - side + 1, rng) for _ in range(2))
        window = (..., slice(row, row + side), slice(column, column + side))
        return _rotate(plot.cube[window], plot.rgb[window], rng)

    def _mosaic(self, side: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """Returns sixteen neighbouring plots side by side, at 1 m."""
        first = pick(len(self.plots), rng)  # neighbours in the list are mostly from one flight
        near = [self.plots[(first + i) % len(self.plots)] for i in range(16)]
        cube = _tile([plot.coarse_cube for plot in near])
        rgb = _tile([plot.coarse_rgb for plot in near])
        return _rotate(cube[..., :side, :side], rgb[..., :side, :side], rng)


def _vary_exposure(rgb: Tensor, rng: Generator) -> RGBImage:
    """Varies exposure and white balance, which differ little within a flight."""
    exposure = 0.2 * torch.randn(1, 1, 1, generator=rng)
    balance = 0.04 * torch.randn(3, 1, 1, generator=rng)
    return RGBImage((rgb * (exposure + balance).exp()).clamp(max=1), None, level_known=False)


def _tile(images: list[Tensor]) -> Tensor:
    """Arranges sixteen images in four rows."""
    return torch.cat([torch.cat(images[i : i + 4], dim=2) for i in range(0, 16, 4)], dim=1)


def _rotate(cube: Tensor, rgb: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
    """Rotates and flips cube and image alike."""
    turns, flip = pick(4, rng), pick(2, rng)
    cube, rgb = (torch.rot90(image, turns, (1, 2)) for image in (cube, rgb))
    return (cube.flip(2), rgb.flip(2)) if flip else (cube, rgb)
