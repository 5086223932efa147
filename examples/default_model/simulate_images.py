"""Simulates RGB images of cubes: camera, light, exposure, haze, sensor, tone curve, JPEG."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from examples.default_model import jpeg
from examples.default_model.simulate_ground import chance, pick
from hsi_xr.camera.srgb import srgb_decode, srgb_encode
from hsi_xr.networks.root_polynomial import least_squares

TO_SRGB = torch.tensor(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)
"""CIE XYZ to linear sRGB (IEC 61966-2-1)."""

WHITE = torch.tensor([0.9505, 1.0, 1.089])
"""CIE XYZ of the white of sRGB, D65."""

LINEAR = 0.15
"""Share of images on the scale of reflectance, where a network can add little to the mixture."""


def display_response(observer: Tensor) -> Tensor:
    """Returns the response that yields linear sRGB, with rows that sum to 1.

    Parts of it are negative, as in no camera, but a colour matrix can approximate it.

    Args:
        observer: (3, bands) colour matching functions, CIE 1931.
    """
    observed = observer / observer.sum(-1, keepdim=True)
    curves = (TO_SRGB * WHITE) @ observed
    return curves / curves.sum(1, keepdim=True)


@dataclass(frozen=True)
class RGBImage:
    """An RGB image of a cube, and what is known about it.

    Attributes:
        rgb: (3, rows, columns) linear RGB, as read back from a file.
        response: (3, bands) spectral response of the camera; None if unknown.
        level_known: True if a white reflector is 1.
    """

    rgb: Tensor
    response: Tensor | None
    level_known: bool

    def to(self, device: str) -> "RGBImage":
        response = None if self.response is None else self.response.to(device)
        return replace(self, rgb=self.rgb.to(device), response=response)


@dataclass(frozen=True)
class ImageSimulator:
    """Simulates images of cubes as random cameras might have produced them.

    Attributes:
        cameras: (count, 3, bands) spectral responses with rows that sum to 1.
        display: (3, bands); see `display_response`.
        palette: (count, bands) spectra to which the colour matrix of each camera is fitted.
    """

    cameras: Tensor
    display: Tensor
    palette: Tensor

    def photograph(self, cube: Tensor, rng: Generator) -> RGBImage:
        """Draws an image of a cube, (bands, rows, columns): linear reflectance, or for display."""
        camera = self.random_camera(rng)
        if chance(rng) < LINEAR:
            return record_linear(cube, camera, rng, camera_known=chance(rng) < 0.6)
        return RGBImage(self.render(cube, camera, rng), None, level_known=False)

    def random_camera(self, rng: Generator) -> Tensor:
        """Draws one of the cameras, (3, bands), under light of a random colour."""
        camera = self.cameras[pick(len(self.cameras), rng)]
        tilt = torch.linspace(-1, 1, camera.shape[-1]) * 0.05 * torch.randn(1, generator=rng)
        camera = camera * tilt.exp()
        return camera / camera.sum(-1, keepdim=True)

    def render(self, cube: Tensor, camera: Tensor, rng: Generator) -> Tensor:
        """Draws an image for display, decoded to linear RGB, (3, rows, columns).

        Args:
            cube: (bands, rows, columns).
            camera: (3, bands) spectral response.
            rng: Source of randomness.
        """
        rgb = torch.einsum("cb,bhw->chw", camera, cube)
        if chance(rng) < 0.65:
            matrix = colour_matrix(camera, self.display, self.palette)
            matrix = torch.lerp(torch.eye(3), matrix, 1.1 * chance(rng))
            rgb = torch.einsum("cd,dhw->chw", matrix, rgb)
        rgb = rgb.clamp(min=0) * (0.06 * torch.randn(3, 1, 1, generator=rng)).exp()
        rgb = rgb * _exposure(rgb, rng)
        if chance(rng) < 0.3:  # bluish haze
            share = 0.15 * chance(rng)
            rgb = (1 - share) * rgb + share * torch.tensor([0.25, 0.28, 0.33])[:, None, None]
        if chance(rng) < 0.4:
            rgb = bayer_sensor(rgb, noise=0.01 * chance(rng), rng=rng)
        return _encode_and_decode(rgb, rng)


def record_linear(
    cube: Tensor, response: Tensor, rng: Generator, *, camera_known: bool
) -> RGBImage:
    """Projects a cube, (bands, rows, columns), to linear RGB on its scale, with a little noise."""
    rgb = torch.einsum("cb,bhw->chw", response, cube)
    noise = 0.004 * chance(rng) * torch.randn(rgb.shape, generator=rng)
    return RGBImage(rgb * (1 + noise), response if camera_known else None, level_known=True)


def colour_matrix(camera: Tensor, target: Tensor, palette: Tensor) -> Tensor:
    """Fits the matrix from white-balanced camera RGB towards another response.

    Args:
        camera: (3, bands).
        target: (3, bands).
        palette: (count, bands) spectra to fit.

    Returns:
        (3, 3).
    """
    weight = 1 / palette.mean(1, keepdim=True)
    matrix = least_squares(weight * (palette @ camera.T), weight * (palette @ target.T)).T
    return matrix / matrix.sum(1, keepdim=True)  # white stays white


def bayer_sensor(rgb: Tensor, *, noise: float, rng: Generator) -> Tensor:
    """Records one colour per pixel (RGGB) with shot noise, and interpolates the others."""
    rows, columns = (torch.arange(n) % 2 for n in rgb.shape[1:])
    red, blue = (1 - rows)[:, None] * (1 - columns), rows[:, None] * columns
    masks = torch.stack([red, 1 - red - blue, blue]).to(rgb)
    recorded = (rgb + noise * rgb.sqrt() * torch.randn(rgb.shape, generator=rng)) * masks
    kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]).repeat(3, 1, 1, 1)
    padded = (F.pad(each[None], (1, 1, 1, 1), mode="reflect") for each in (recorded, masks))
    sums, counts = (F.conv2d(each, kernel, groups=3)[0] for each in padded)
    return (sums / counts).clamp(min=0)


def _exposure(rgb: Tensor, rng: Generator) -> float:
    """A third of the images keep their brightness; others get a mean near 0.22, as for display."""
    if chance(rng) < 0.33:
        return 1.0
    mean = 0.22 * float(torch.randn(1, generator=rng) * 0.4 + 1)
    return max(0.05, mean) / max(1e-3, float(rgb.mean()))


def _encode_and_decode(rgb: Tensor, rng: Generator) -> Tensor:
    """Tone curve, noise, 8 bits and perhaps JPEG; back to linear RGB."""
    tone = (0.07 * torch.randn(1, generator=rng)).exp()
    coded = srgb_encode(rgb.clamp(0, 1)).pow(tone)
    coded = coded + 0.004 * chance(rng) * torch.randn(coded.shape, generator=rng)
    coded = (coded.clamp(0, 1) * 255).round()
    if chance(rng) < 0.5:
        coded = jpeg.compress(coded, quality=65 + pick(31, rng))
    return srgb_decode(coded / 255)
