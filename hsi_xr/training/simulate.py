"""Pictures of known spectra: random cameras, light, exposure, tone curves, 8 bits; and scenes."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from hsi_xr.physics import srgb_decode, srgb_encode
from hsi_xr.regression import least_squares

TO_SRGB = torch.tensor(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)
"""CIE XYZ to linear sRGB (IEC 61966-2-1)."""


def mean_response(cameras: Tensor) -> Tensor:
    """The reference camera against which scene gains are told; (n, 3, bands) -> (3, bands)."""
    return (cameras / cameras.sum(-1, keepdim=True)).mean(0)


@dataclass(frozen=True)
class Studio:
    """Draws pictures of cubes as some camera might have delivered them."""

    cameras: Tensor
    """(n, 3, bands) sensitivities."""
    observer: Tensor
    """(3, bands) CIE 1931."""
    palette: Tensor
    """(spectra, bands) for fitting each camera's colour matrix."""

    def photograph(self, cubes: Tensor, rng: Generator) -> Tensor:
        """(batch, bands, h, w) -> (batch, 3, h, w) linear RGB as read back from a file."""
        return torch.stack([self._one(cube, rng) for cube in cubes])

    def _one(self, cube: Tensor, rng: Generator) -> Tensor:
        response = self._response(rng)
        rgb = torch.einsum("cb,bhw->chw", response, cube)
        if _chance(rng) < 0.6:
            matrix = self._colour_matrix(response, strength=1.1 * _chance(rng))
            rgb = torch.einsum("cd,dhw->chw", matrix, rgb).clamp(min=0)
        rgb = rgb * (0.06 * torch.randn(3, 1, 1, generator=rng)).exp()
        if _chance(rng) < 0.3:  # delivered as linear numbers on the reflectance scale
            return rgb * (1 + 0.01 * torch.randn(rgb.shape, generator=rng)).clamp(min=0)
        return self._develop(rgb * _exposure(rgb, rng), rng)

    def _develop(self, rgb: Tensor, rng: Generator) -> Tensor:
        """To 8-bit sRGB by some tone curve, and back the way a reader does it."""
        tone = (0.07 * torch.randn(1, generator=rng)).exp()
        picture = srgb_encode(rgb.clamp(0, 1)).pow(tone)
        noise = 0.004 * _chance(rng) * torch.randn(picture.shape, generator=rng)
        return srgb_decode(((picture + noise).clamp(0, 1) * 255).round() / 255)

    def _response(self, rng: Generator) -> Tensor:
        camera = self.cameras[int(torch.randint(len(self.cameras), (1,), generator=rng))]
        tilt = torch.linspace(-1, 1, camera.shape[-1]) * 0.15 * torch.randn(1, generator=rng)
        seen = camera * tilt.exp()
        return seen / seen.sum(-1, keepdim=True)

    def _colour_matrix(self, response: Tensor, *, strength: float) -> Tensor:
        """From white-balanced camera RGB towards linear sRGB, fitted on the palette."""
        observed = self.observer / self.observer.sum(-1, keepdim=True)
        white = TO_SRGB @ torch.tensor([0.9505, 1.0, 1.089])
        wanted = (self.palette @ observed.T * torch.tensor([0.9505, 1.0, 1.089])) @ TO_SRGB.T
        full = least_squares(self.palette @ response.T, wanted / white).T
        full = full / full.sum(1, keepdim=True)  # white stays white
        return torch.lerp(torch.eye(3), full, strength)


def mixtures(groups: list[Tensor], size: int, rng: Generator) -> Tensor:
    """A scene of five materials: patches, blends, shading, cast shadow; (bands, s, s)."""
    picks = [groups[int(i)] for i in torch.randint(len(groups), (5,), generator=rng)]
    spectra = torch.stack([g[int(torch.randint(len(g), (1,), generator=rng))] for g in picks])
    coarse = int(torch.randint(3, 17, (1,), generator=rng))
    sharpness = 2.0 + (14 if _chance(rng) < 0.7 else 80) * _chance(rng)
    share = (sharpness * _field(5, coarse, size, rng)).softmax(0)
    jitter = (0.05 * _field(5, 2 * coarse, size, rng)).exp()
    cube = torch.einsum("khw,kb->bhw", share * jitter, spectra)
    grain = 0.12 * _chance(rng) * torch.randn(1, size, size, generator=rng)
    shading = (0.3 * _chance(rng) * _field(1, size // 2, size, rng) + grain).exp()
    shadow = torch.sigmoid(20 * (_field(1, coarse, size, rng) - 0.8))
    sky = torch.linspace(1.15, 0.85, spectra.shape[1])[:, None, None]
    dark = 0.15 + 0.4 * _chance(rng)
    return cube * shading * (1 - shadow + shadow * dark * sky)


def invented(count: int, bands: int, rng: Generator) -> Tensor:
    """Smooth spectra of paints and flowers that no library has; (count, bands)."""
    curves = F.interpolate(
        1.5 * torch.randn(count, 1, 6, generator=rng), size=bands, mode="linear", align_corners=True
    )[:, 0]
    level = 1.5 * torch.randn(count, 1, generator=rng) - 1
    return (curves + level).sigmoid().clamp(0.01, 0.95)


def elsewhere(cubes: Tensor, rng: Generator, *, strength: float) -> Tensor:
    """Ground like this, at another place and season: each cube times a smooth random spectrum."""
    knots = strength * torch.randn(len(cubes), 1, 4, generator=rng)
    curve = F.interpolate(knots, size=cubes.shape[1], mode="linear", align_corners=True)
    return cubes * curve.transpose(1, 2)[..., None].exp()


def _field(count: int, coarse: int, size: int, rng: Generator) -> Tensor:
    """Smooth random fields of unit scale, (count, size, size)."""
    noise = torch.randn(1, count, coarse, coarse, generator=rng)
    return F.interpolate(noise, size=(size, size), mode="bicubic", align_corners=False)[0]


def _exposure(rgb: Tensor, rng: Generator) -> float:
    """Half the pictures are exposed for white, half brighten their own mean, as automatics do."""
    if _chance(rng) < 0.4:
        return float((0.15 * torch.randn(1, generator=rng)).exp())
    target = 0.12 + 0.3 * _chance(rng)
    return max(1.0, target / float(rgb.mean().clamp(min=1e-3)))


def _chance(rng: Generator) -> float:
    return float(torch.rand(1, generator=rng))
