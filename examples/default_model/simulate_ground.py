"""Simulates ground: spectra of mixed pixels, scenes of several materials, changes of real scenes.

Spectra are reflectance. Groups are spectra of the same origin, (count, bands) each.
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


def weather(samples: Tensor, rng: Generator, *, copies: int = 4) -> Tensor:
    """Returns laboratory samples as ground: darker, since samples are dry, smooth and fully lit.

    Args:
        samples: (count, bands).
        rng: Draws the brightness of each copy.
        copies: Copies of each sample.
    """
    samples = samples.repeat(copies, 1)
    return samples * (0.4 * torch.randn(len(samples), 1, generator=rng) - 0.5).exp()


def sample_spectra(
    groups: list[Tensor], count: int, rng: Generator, *, tilt: float = 0.05
) -> Tensor:
    """Draws pixels of up to three materials each, every group being equally likely.

    Two thirds of the further materials of a pixel are from the group of its first. Each material
    has a brightness of its own, and each pixel a smooth random change, which stands for ground of
    other places and seasons.

    Args:
        groups: Spectra to mix.
        count: Number of pixels.
        rng: Source of randomness.
        tilt: Strength of the smooth change.

    Returns:
        (count, bands).
    """
    shares = torch.rand(count, 3, generator=rng) + torch.tensor([0.05, 0, 0])
    shares[:, 1:] *= (torch.rand(count, 2, generator=rng) < 0.5).float()
    shares = shares / shares.sum(1, keepdim=True)
    first = torch.randint(len(groups), (count,), generator=rng)
    pixels = torch.zeros(count, groups[0].shape[1])
    for share in shares.T:
        other = torch.randint(len(groups), (count,), generator=rng)
        origin = torch.where(torch.rand(count, generator=rng) < 0.67, first, other)
        weight = share * (0.3 * torch.randn(count, generator=rng)).exp()
        for number, group in enumerate(groups):
            members = origin == number
            picks = torch.randint(len(group), (int(members.sum()),), generator=rng)
            pixels[members] += weight[members, None] * group[picks]
    return (pixels * smooth_curves(count, 5, tilt, pixels.shape[1], rng).exp()).clamp(1e-4, 1.2)


def simulate_scene(groups: list[Tensor], side: int, rng: Generator) -> Tensor:
    """Draws a scene of five materials, with patches, blends, shading and a cast shadow.

    Returns:
        (bands, side, side).
    """
    near = groups[pick(len(groups), rng)]
    origins = [near if chance(rng) < 0.4 else groups[pick(len(groups), rng)] for _ in range(5)]
    materials = torch.stack([group[pick(len(group), rng)] for group in origins])
    coarse = 3 + pick(14, rng)
    sharpness = 2.0 + (14 if chance(rng) < 0.7 else 80) * chance(rng)
    share = (sharpness * _smooth_field(5, coarse, side, rng)).softmax(0)
    jitter = (0.05 * _smooth_field(5, 2 * coarse, side, rng)).exp()
    cube = torch.einsum("khw,kb->bhw", share * jitter, materials)
    grain = 0.12 * chance(rng) * torch.randn(1, side, side, generator=rng)
    shading = (0.3 * chance(rng) * _smooth_field(1, side // 2, side, rng) + grain).exp()
    shadow = torch.sigmoid(20 * (_smooth_field(1, coarse, side, rng) - 0.8))
    skylight = torch.linspace(1.15, 0.85, materials.shape[1])[:, None, None]
    dark = 0.15 + 0.4 * chance(rng)
    return cube * shading * (1 - shadow + shadow * dark * skylight)


def invent_spectra(count: int, bands: int, rng: Generator) -> Tensor:
    """Draws smooth spectra, (count, bands), as of paints and flowers that libraries lack."""
    curves = F.interpolate(
        1.5 * torch.randn(count, 1, 6, generator=rng), size=bands, mode="linear", align_corners=True
    )[:, 0]
    level = 1.5 * torch.randn(count, 1, generator=rng) - 1
    return (curves + level).sigmoid().clamp(0.01, 0.95)


def vary_smoothly(cube: Tensor, rng: Generator, *, strength: float) -> Tensor:
    """Multiplies a cube, (bands, rows, columns), by a smooth curve: another place or season."""
    return cube * smooth_curves(1, 4, strength, len(cube), rng).exp()[0, :, None, None]


def add_metamer(cube: Tensor, response: Tensor, rng: Generator, *, strength: float) -> Tensor:
    """Adds a smooth change to a cube that a camera cannot record.

    Args:
        cube: (bands, rows, columns).
        response: (3, bands) spectral response of the camera.
        rng: Source of randomness.
        strength: Strength of the change, relative to the spectra.
    """
    curve = smooth_curves(1, 8, strength, len(cube), rng)[0, :, None, None] * cube
    recorded = torch.linalg.pinv(response) @ response
    return (cube + curve - torch.einsum("bc,chw->bhw", recorded, curve)).clamp(min=1e-4)


def smooth_curves(count: int, knots: int, strength: float, bands: int, rng: Generator) -> Tensor:
    """Draws random curves, (count, bands), that are linear between knots."""
    values = strength * torch.randn(count, 1, knots, generator=rng)
    return F.interpolate(values, size=bands, mode="linear", align_corners=True)[:, 0]


def _smooth_field(count: int, coarse: int, side: int, rng: Generator) -> Tensor:
    """Draws smooth random fields of unit scale, (count, side, side)."""
    noise = torch.randn(1, count, coarse, coarse, generator=rng)
    return F.interpolate(noise, size=(side, side), mode="bicubic", align_corners=False)[0]


def pick(count: int, rng: Generator) -> int:
    """Draws an integer below `count`."""
    return int(torch.randint(count, (1,), generator=rng))


def chance(rng: Generator) -> float:
    """Draws a number in [0, 1)."""
    return float(torch.rand(1, generator=rng))
