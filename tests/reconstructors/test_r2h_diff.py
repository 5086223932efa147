"""The system around the network: regression, gain and smooth shapes."""

import pytest
import torch

from hsi_xr.checkpoints import registry
from hsi_xr.diffusion.noise import NoiseField
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.reconstructors.r2h_diff import Config, R2HDiffReconstructor, build, smooth_shapes


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = R2HDiffReconstructor(Config()).eval()
    made.base.data = torch.rand(31, 13, generator=torch.Generator().manual_seed(1)) / 13
    torch.nn.init.normal_(made.network.head.weight, std=0.05)
    return made


def _rgb(rows=24, columns=32):
    rgb = torch.rand(1, 3, rows, columns, generator=torch.Generator().manual_seed(2))
    return rgb * torch.linspace(0.1, 1, columns)


def _noise(rows=24, columns=32):
    r, c = torch.arange(rows)[None], torch.arange(columns)[None]
    return lambda t: NoiseField(0).read(r, c, channels=31, step=t)


def test_smooth_shapes_are_a_projection_without_brightness():
    project = smooth_shapes(31, 10)
    torch.testing.assert_close(project @ project, project, atol=1e-5, rtol=0)
    torch.testing.assert_close(project.sum(1), torch.zeros(31), atol=1e-5, rtol=0)


def test_decoding_inverts_encoding(model):
    base = model.regress(_rgb())
    x = model._shape(0.3 * torch.randn(base.shape, generator=torch.Generator().manual_seed(3)))
    torch.testing.assert_close(model.encode(model.decode(x, base), base), x, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_an_untrained_network_leaves_the_regression():
    fresh = R2HDiffReconstructor(Config())
    fresh.base.data = torch.rand(31, 13) / 13
    cube, _ = fresh.whole(SceneWindows.entire(_rgb()), _noise())
    torch.testing.assert_close(cube, fresh.regress(_rgb()), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_known_gain_undoes_the_exposure(model):
    """Half the light with half the gain is the same ground."""
    weights = torch.ones(1, 1, 24, 32)
    cube, statistics = model.whole(SceneWindows(_rgb(), weights, None), _noise())
    dark = model(
        _rgb() / 2, _noise(), {**statistics, "gain": statistics["gain"] / 2}, stochastic=False
    )
    torch.testing.assert_close(dark, cube, atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_the_stochastic_chain_varies_with_the_sample_and_the_mean_chain_barely(model):
    _, statistics = model.whole(SceneWindows.entire(_rgb()), _noise())
    r, c = torch.arange(24)[None], torch.arange(32)[None]

    def draw(sample, stochastic):
        def noise(t):
            return NoiseField(0, sample).read(r, c, channels=31, step=t)

        return model(_rgb(), noise, statistics, stochastic=stochastic)

    wide, narrow = ((draw(0, s) - draw(1, s)).abs().mean() for s in (True, False))
    assert wide > narrow >= 0


def test_a_config_without_a_size_has_the_base_size():
    card = registry.find("r2h-diff", untrained=True)
    found = build({key: value for key, value in card.config.items() if key != "size"})
    assert found.config.size == "base" and found.stride == card.stride


@torch.no_grad()
def test_a_config_can_select_the_thin_size():
    torch.manual_seed(0)
    thin = build({"bands": 31, "size": "thin"}).eval()
    assert sum(p.numel() for p in thin.network.parameters()) == pytest.approx(0.533e6, rel=0.002)
    assert thin.stride == 8
    thin.base.data = torch.rand(31, 13) / 13
    torch.nn.init.normal_(thin.network.head.weight, std=0.05)
    rgb, noise = _rgb(16, 24), _noise(16, 24)
    cube, statistics = thin.whole(SceneWindows.entire(rgb), noise)
    assert cube.shape == (1, 31, 16, 24)
    again = thin(rgb, noise, statistics, stochastic=False)
    torch.testing.assert_close(again, cube, atol=2e-5, rtol=1e-4)
    assert not torch.allclose(cube, thin.regress(rgb), rtol=1e-2)
