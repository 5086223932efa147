"""Pictures of known spectra: cameras, light, exposure, tone curves, 8 bits, JPEG; and scenes."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from hsi_xr.camera.srgb import srgb_decode, srgb_encode
from hsi_xr.networks.root_polynomial import least_squares

TO_SRGB = torch.tensor(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)
"""CIE XYZ to linear sRGB (IEC 61966-2-1)."""

WHITE = torch.tensor([0.9505, 1.0, 1.089])
"""CIE XYZ of its white, D65."""


def display(observer: Tensor) -> Tensor:
    """Curves of a display's primaries: what CIE 1931 (3, bands) calls linear sRGB; rows sum to 1.

    Parts of them are negative: no camera has them, but a colour matrix leads towards them.
    """
    observed = observer / observer.sum(-1, keepdim=True)
    curves = (TO_SRGB * WHITE) @ observed
    return curves / curves.sum(1, keepdim=True)


@dataclass(frozen=True)
class Shot:
    """A picture of a cube, and what is told of it."""

    rgb: Tensor
    """(3, h, w) linear RGB as read back from a file."""
    camera: Tensor | None
    """(3, bands) where the camera is told."""
    level_known: bool
    """Whether a white reflector is 1."""


LINEAR = 0.15
"""Share of pictures on the scale of reflectance. A network has little to add to what the mixture
makes of them."""


@dataclass(frozen=True)
class Studio:
    """Draws pictures of cubes as some camera might have delivered them."""

    cameras: Tensor
    """(n, 3, bands) sensitivities, rows that sum to 1."""
    display: Tensor
    """(3, bands), see `display`."""
    palette: Tensor
    """(spectra, bands) for fitting each camera's colour matrix."""

    def photograph(self, cube: Tensor, rng: Generator) -> Shot:
        """(bands, h, w) -> its picture: linear on the reflectance scale, or made for display."""
        camera = self.any_camera(rng)
        if _chance(rng) < LINEAR:
            return linear(cube, camera, rng, told=_chance(rng) < 0.6)
        return Shot(self.develop(cube, camera, rng), None, level_known=False)

    def any_camera(self, rng: Generator) -> Tensor:
        """(3, bands): one of the cameras under light of some other colour."""
        camera = self.cameras[_pick(len(self.cameras), rng)]
        tilt = torch.linspace(-1, 1, camera.shape[-1]) * 0.05 * torch.randn(1, generator=rng)
        camera = camera * tilt.exp()
        return camera / camera.sum(-1, keepdim=True)

    def develop(self, cube: Tensor, camera: Tensor, rng: Generator) -> Tensor:
        """A picture for display, read back: (bands, h, w), (3, bands) -> (3, h, w)."""
        rgb = torch.einsum("cb,bhw->chw", camera, cube)
        if _chance(rng) < 0.65:
            matrix = colour_matrix(camera, self.display, self.palette)
            rgb = torch.einsum(
                "cd,dhw->chw", torch.lerp(torch.eye(3), matrix, 1.1 * _chance(rng)), rgb
            )
        rgb = rgb.clamp(min=0) * (0.06 * torch.randn(3, 1, 1, generator=rng)).exp()
        rgb = rgb * _exposure(rgb, rng)
        if _chance(rng) < 0.3:  # air between, bluish
            share = 0.15 * _chance(rng)
            rgb = (1 - share) * rgb + share * torch.tensor([0.25, 0.28, 0.33])[:, None, None]
        if _chance(rng) < 0.4:
            rgb = bayer(rgb, noise=0.01 * _chance(rng), rng=rng)
        tone = (0.07 * torch.randn(1, generator=rng)).exp()
        picture = srgb_encode(rgb.clamp(0, 1)).pow(tone)
        picture = picture + 0.004 * _chance(rng) * torch.randn(picture.shape, generator=rng)
        picture = (picture.clamp(0, 1) * 255).round()
        if _chance(rng) < 0.5:
            picture = jpeg(picture, quality=65 + _pick(31, rng))
        return srgb_decode(picture / 255)


def linear(cube: Tensor, camera: Tensor, rng: Generator, *, told: bool) -> Shot:
    """Reflectance as a camera sees it, with a little noise; (bands, h, w), (3, bands)."""
    rgb = torch.einsum("cb,bhw->chw", camera, cube)
    noise = 0.004 * _chance(rng) * torch.randn(rgb.shape, generator=rng)
    return Shot(rgb * (1 + noise), camera if told else None, level_known=True)


def colour_matrix(camera: Tensor, wanted: Tensor, palette: Tensor) -> Tensor:
    """(3, 3) from white-balanced camera RGB towards other curves, as it fits spectra best."""
    weight = 1 / palette.mean(1, keepdim=True)
    found = least_squares(weight * (palette @ camera.T), weight * (palette @ wanted.T)).T
    return found / found.sum(1, keepdim=True)  # white stays white


def bayer(rgb: Tensor, *, noise: float, rng: Generator) -> Tensor:
    """One colour a pixel (RGGB), with a sensor's noise, and the others from its neighbours."""
    rows, columns = (torch.arange(n) % 2 for n in rgb.shape[1:])
    red, blue = (1 - rows)[:, None] * (1 - columns), rows[:, None] * columns
    masks = torch.stack([red, 1 - red - blue, blue]).to(rgb)
    seen = (rgb + noise * rgb.sqrt() * torch.randn(rgb.shape, generator=rng)) * masks
    near = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]).repeat(3, 1, 1, 1)
    padded = (F.pad(each[None], (1, 1, 1, 1), mode="reflect") for each in (seen, masks))
    sums, counts = (F.conv2d(each, near, groups=3)[0] for each in padded)
    return (sums / counts).clamp(min=0)


_LUMINANCE = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_CHROMINANCE = torch.tensor(
    [
        [17, 18, 24, 47, 99, 99, 99, 99],
        [18, 21, 26, 66, 99, 99, 99, 99],
        [24, 26, 56, 99, 99, 99, 99, 99],
        [47, 66, 99, 99, 99, 99, 99, 99],
        *[[99] * 8] * 4,
    ]
)
"""ITU-T T.81, tables K.1 and K.2."""

_TO_YCC = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)
"""ITU-T T.871."""


def jpeg(picture: Tensor, *, quality: int) -> Tensor:
    """What JPEG leaves of numbers from 0 to 255, colours at full resolution; (3, h, w).

    Source: ITU-T T.81 and T.871; scaling of the tables by quality as in libjpeg.
    """
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    tables = torch.stack([_LUMINANCE, _CHROMINANCE, _CHROMINANCE])
    tables = ((tables * scale + 50) / 100).floor().clamp(1, 255)
    _, rows, columns = picture.shape
    ycc = torch.einsum("dc,chw->dhw", _TO_YCC, picture - 128)  # white minus 128 in luminance
    padded = F.pad(ycc[None], (0, -columns % 8, 0, -rows % 8), mode="replicate")
    blocks = F.unfold(padded.transpose(0, 1), 8, stride=8).transpose(1, 2).unflatten(2, (8, 8))
    order = torch.arange(8)
    cosines = ((2 * order + 1) * order[:, None] * math.pi / 16).cos() / 2
    cosines[0] /= 2**0.5
    table = tables[:, None]
    kept = (cosines @ blocks @ cosines.T / table).round() * table
    flat = (cosines.T @ kept @ cosines).flatten(2).transpose(1, 2)
    found = F.fold(flat, padded.shape[-2:], 8, stride=8)[:, 0, :rows, :columns]
    return (torch.einsum("cd,dhw->chw", torch.linalg.inv(_TO_YCC), found) + 128).clamp(0, 255)


def weathered(samples: Tensor, rng: Generator, *, copies: int = 4) -> Tensor:
    """Samples as they lie on the ground, darker than dry, smooth and fully lit; (n, bands)."""
    samples = samples.repeat(copies, 1)
    return samples * (0.4 * torch.randn(len(samples), 1, generator=rng) - 0.5).exp()


def spectra(groups: list[Tensor], count: int, rng: Generator, *, tilt: float = 0.05) -> Tensor:
    """Pixels of up to three materials, each group as likely as any other; (count, bands).

    Two thirds of a pixel's further materials are of the same group as its first. Each has its own
    brightness, and the pixel a smooth random tilt: ground of other places and seasons.
    """
    shares = torch.rand(count, 3, generator=rng) + torch.tensor([0.05, 0, 0])
    shares[:, 1:] *= (torch.rand(count, 2, generator=rng) < 0.5).float()
    shares = shares / shares.sum(1, keepdim=True)
    first = torch.randint(len(groups), (count,), generator=rng)
    found = torch.zeros(count, groups[0].shape[1])
    for part in shares.T:
        other = torch.randint(len(groups), (count,), generator=rng)
        kind = torch.where(torch.rand(count, generator=rng) < 0.67, first, other)
        bright = part * (0.3 * torch.randn(count, generator=rng)).exp()
        for number, group in enumerate(groups):
            those = kind == number
            pick = torch.randint(len(group), (int(those.sum()),), generator=rng)
            found[those] += bright[those, None] * group[pick]
    return (found * _smooth(count, 5, tilt, found.shape[1], rng).exp()).clamp(1e-4, 1.2)


def mixtures(groups: list[Tensor], size: int, rng: Generator) -> Tensor:
    """A scene of five materials: patches, blends, shading, cast shadow; (bands, s, s)."""
    near = groups[_pick(len(groups), rng)]
    picks = [near if _chance(rng) < 0.4 else groups[_pick(len(groups), rng)] for _ in range(5)]
    found = torch.stack([g[_pick(len(g), rng)] for g in picks])
    coarse = 3 + _pick(14, rng)
    sharpness = 2.0 + (14 if _chance(rng) < 0.7 else 80) * _chance(rng)
    share = (sharpness * _field(5, coarse, size, rng)).softmax(0)
    jitter = (0.05 * _field(5, 2 * coarse, size, rng)).exp()
    cube = torch.einsum("khw,kb->bhw", share * jitter, found)
    grain = 0.12 * _chance(rng) * torch.randn(1, size, size, generator=rng)
    shading = (0.3 * _chance(rng) * _field(1, size // 2, size, rng) + grain).exp()
    shadow = torch.sigmoid(20 * (_field(1, coarse, size, rng) - 0.8))
    sky = torch.linspace(1.15, 0.85, found.shape[1])[:, None, None]
    dark = 0.15 + 0.4 * _chance(rng)
    return cube * shading * (1 - shadow + shadow * dark * sky)


def invented(count: int, bands: int, rng: Generator) -> Tensor:
    """Smooth spectra of paints and flowers that no library has; (count, bands)."""
    curves = F.interpolate(
        1.5 * torch.randn(count, 1, 6, generator=rng), size=bands, mode="linear", align_corners=True
    )[:, 0]
    level = 1.5 * torch.randn(count, 1, generator=rng) - 1
    return (curves + level).sigmoid().clamp(0.01, 0.95)


def elsewhere(cube: Tensor, rng: Generator, *, strength: float) -> Tensor:
    """Ground like this, at another place and season: (bands, h, w) times a smooth spectrum."""
    return cube * _smooth(1, 4, strength, len(cube), rng).exp()[0, :, None, None]


def metamers(cube: Tensor, camera: Tensor, rng: Generator, *, strength: float) -> Tensor:
    """The same picture of other ground: a smooth change that the camera cannot see.

    Args:
        cube: (bands, h, w).
        camera: (3, bands).
        strength: Of the change, relative to the spectra.
    """
    curve = _smooth(1, 8, strength, len(cube), rng)[0, :, None, None] * cube
    seen = torch.linalg.pinv(camera) @ camera
    return (cube + curve - torch.einsum("bc,chw->bhw", seen, curve)).clamp(min=1e-4)


def _smooth(count: int, knots: int, strength: float, bands: int, rng: Generator) -> Tensor:
    """Random curves, (count, bands)."""
    found = strength * torch.randn(count, 1, knots, generator=rng)
    return F.interpolate(found, size=bands, mode="linear", align_corners=True)[:, 0]


def _field(count: int, coarse: int, size: int, rng: Generator) -> Tensor:
    """Smooth random fields of unit scale, (count, size, size)."""
    noise = torch.randn(1, count, coarse, coarse, generator=rng)
    return F.interpolate(noise, size=(size, size), mode="bicubic", align_corners=False)[0]


def _exposure(rgb: Tensor, rng: Generator) -> float:
    """Of a third of pictures none; of the others for display, some nearly as bright as allowed."""
    if _chance(rng) < 0.33:
        return 1.0
    mean = 0.22 * float(torch.randn(1, generator=rng) * 0.4 + 1)
    return max(0.05, mean) / max(1e-3, float(rgb.mean()))


def _pick(count: int, rng: Generator) -> int:
    return int(torch.randint(count, (1,), generator=rng))


def _chance(rng: Generator) -> float:
    return float(torch.rand(1, generator=rng))
