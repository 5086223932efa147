"""Degrades clean RGB textures as cameras and files do: blur, noise, demosaicking, sharpening, JPEG.

What is common to a whole image, as exposure and colours, belongs to the clean image: only what
differs between its pixels is damage.
"""

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from examples.default_model import jpeg
from examples.default_model.simulate_ground import chance, pick
from examples.default_model.simulate_images import bayer_sensor
from hsi_xr.camera.srgb import srgb_decode, srgb_encode

LUMINANCE = torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]
"""Luminance of linear sRGB (IEC 61966-2-1)."""

UNDAMAGED = 0.25
"""Share of images that are delivered as they are, from which a network learns to change nothing."""


@dataclass(frozen=True)
class Damage:
    """How an image is damaged, in the order of the attributes. The defaults damage nothing.

    Attributes:
        blur: Standard deviation of the optical blur in pixels.
        shot: Standard deviation of the shot noise at full scale; that of x is sqrt(x) times it.
        read: Standard deviation of the read noise, relative to full scale.
        mosaic: One colour per pixel is recorded, and the others are interpolated.
        saturation: Factor on the distance from grey. The clean image has the same saturation.
        sharpening: Weight of an unsharp mask in sRGB.
        quality: Quality of the JPEG file, 1 to 100; 0 for a file without loss.
        coarse_colours: The JPEG file stores colours at half the resolution (4:2:0).
        eight_bit: The file stores 8 bits of sRGB; otherwise, and without JPEG, linear light.
    """

    blur: float = 0.0
    shot: float = 0.0
    read: float = 0.0
    mosaic: bool = False
    saturation: float = 1.0
    sharpening: float = 0.0
    quality: int = 0
    coarse_colours: bool = False
    eight_bit: bool = False


def random_damage(rng: Generator) -> Damage:
    """Draws a damage as of drones, cameras and orthomosaics."""
    draws = {each.name: chance(rng) for each in fields(Damage)}  # the same draws on every branch
    quality, strength, undamaged = 65 + pick(31, rng), chance(rng), chance(rng) < UNDAMAGED
    if undamaged:
        return Damage(eight_bit=draws["eight_bit"] < 0.5)
    return Damage(
        blur=0.8 * draws["blur"] if strength < 0.4 else 0.0,
        shot=0.03 * draws["shot"] ** 2,
        read=0.004 * draws["read"] ** 2,
        mosaic=draws["mosaic"] < 0.5,
        saturation=1 + 0.3 * draws["saturation"] if draws["saturation"] < 0.5 else 1.0,
        sharpening=max(0.0, 2 * draws["sharpening"] - 1),
        quality=quality if draws["quality"] < 0.65 else 0,
        coarse_colours=draws["coarse_colours"] < 0.5,
        eight_bit=True,
    )


def degrade(clean: Tensor, damage: Damage, rng: Generator) -> tuple[Tensor, Tensor]:
    """Returns a damaged image, and the clean one with the same colours.

    Args:
        clean: (3, rows, columns) linear RGB, where 1 is full scale; it may be brighter.
        damage: What to do to it.
        rng: Draws the noise.

    Returns:
        Two (3, rows, columns) images in linear RGB: as read from a file, in [0, 1], and clean.
    """
    rgb = blur(clean, damage.blur) if damage.blur else clean
    if damage.shot or damage.read:
        deviation = (damage.shot**2 * rgb.clamp(min=0) + damage.read**2).sqrt()
        rgb = rgb + deviation * torch.randn(rgb.shape, generator=rng)
    rgb = rgb.clamp(0, 1)  # what is brighter is lost in the sensor
    if damage.mosaic:
        rgb = bayer_sensor(rgb, noise=0.0, rng=rng)
    rgb, clean = (saturate(each, damage.saturation) for each in (rgb, clean))
    if not damage.eight_bit:
        return rgb, clean
    coded = srgb_encode(rgb)
    if damage.sharpening:
        coded = (coded + damage.sharpening * (coded - blur(coded, 1.0))).clamp(0, 1)
    coded = (255 * coded).round()
    if damage.quality:
        coded = jpeg.compress(
            coded, quality=damage.quality, coarse_colours=damage.coarse_colours
        ).round()
    return srgb_decode(coded / 255), clean


def saturate(rgb: Tensor, factor: float) -> Tensor:
    """Multiplies the distance of colours from grey; values in [0, 1] remain in it."""
    if factor == 1:
        return rgb
    grey = (LUMINANCE * rgb).sum(0, keepdim=True)
    return (grey + factor * (rgb - grey)).clamp(min=0)


def blur(image: Tensor, deviation: float) -> Tensor:
    """Blurs (channels, rows, columns) by a Gaussian of 7 x 7 pixels, reflected at the edges."""
    offsets = torch.arange(-3, 4)
    kernel = (-(offsets**2) / (2 * deviation**2)).exp()
    kernel = kernel / kernel.sum()
    padded = F.pad(image[:, None], (3, 3, 3, 3), mode="reflect")
    return F.conv2d(padded, torch.outer(kernel, kernel)[None, None])[:, 0]
