"""The scene gain: its level follows the colours, windows average, the tint moves no level."""

import torch

from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.reconstructors._scene_gain import COLOURS, SceneGain, colour_means


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def _rgb(rows=14, columns=23):
    rgb = 0.05 + 0.4 * torch.rand(1, 3, rows, columns, generator=_rng(1))
    return rgb * torch.linspace(0.2, 1, columns)


def _gain():
    torch.manual_seed(3)
    gain = SceneGain()
    gain.regression.data = torch.rand(3, 13, generator=_rng(2)) / 50
    return gain.eval()


@torch.no_grad()
def test_a_brighter_image_is_brighter_ground():
    gain, rgb = _gain(), _rgb()
    level, brighter = (gain(chromaticity_histogram(each)).log().mean() for each in (rgb, 2 * rgb))
    torch.testing.assert_close(brighter, level)


@torch.no_grad()
def test_the_tint_moves_no_level():
    gain = _gain()
    tint = gain.tint(gain.features(colour_means(chromaticity_histogram(_rgb()))))
    torch.testing.assert_close(tint.sum(), torch.tensor(0.0), atol=1e-6, rtol=0)
    assert tint.abs().max() > 0


@torch.no_grad()
def test_means_are_those_of_the_pixels():
    """For uniform patches: within a cell of the histogram, colours count as their mean."""
    patches = torch.rand(1, 3, 2, 3, generator=_rng(5)).repeat_interleave(6, dim=3)
    level = colour_means(chromaticity_histogram(patches))[:, :3]
    torch.testing.assert_close(level, patches.mean((2, 3)))
    log = colour_means(chromaticity_histogram(patches))[:, 3:6]
    torch.testing.assert_close(log, (patches + 0.01).log().mean((2, 3)))


@torch.no_grad()
def test_any_scene_gets_a_sane_gain():
    gain = _gain()
    for rgb in (torch.zeros(1, 3, 5, 7), torch.full((1, 3, 5, 7), 4.0), _rgb() * 1e-6):
        found = gain(chromaticity_histogram(rgb))
        assert found.shape == (1, 3) and (found > 0.3).all() and (found < 60).all()
    assert colour_means(chromaticity_histogram(_rgb())).shape == (1, COLOURS + 13)
