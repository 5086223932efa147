"""HSCNN+ takes the benchmark's weights and looks no further than it says."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hsi_xr.checkpoints import registry
from hsi_xr.networks.attention import ImageStatistics
from hsi_xr.networks.hscnn_plus import HSCNNPlus
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.reconstructors.hscnn_plus import build

CARD = registry.find("hscnn-plus", untrained=True)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return HSCNNPlus(31, blocks=3).eval()


def _image(*shape, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=rng) * torch.linspace(0.2, 1, shape[-1])


def test_it_has_the_published_tensors_and_cost():
    with torch.device("meta"):
        network = HSCNNPlus(31)
    stem = ("conv_up1", "conv_up2", "conv_down1", "conv_down2")
    block = ("conv1", *stem, "conv_fution")
    assert set(network.state_dict()) == {
        *(f"ddfn.{name}.weight" for name in stem),
        *(f"ddfn.dfus_blocks.{i}.{name}.weight" for i in range(30) for name in block),
        "conv_out.weight",
    }
    assert len(network.state_dict()) == 185
    assert sum(p.numel() for p in network.parameters()) == 4_645_504
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, 256, 256, device="meta"))
    assert counter.get_total_flops() / 2 == 304_447_750_144


@torch.no_grad()
def test_a_block_fuses_its_branches_in_the_published_order(network):
    """Order is not told by shapes, and weights would load into any."""
    block, x = network.ddfn.dfus_blocks[0], _image(1, 128, 7, 9)

    def layer(name, x):
        weight = getattr(block, name).weight
        return torch.nn.functional.conv2d(x, weight, padding=weight.shape[-1] // 2).relu()

    h = layer("conv1", x)
    up, down = layer("conv_up1", h), layer("conv_down1", h)
    parts = [up, layer("conv_up2", up), down, layer("conv_down2", down)]
    wanted = torch.cat([x, layer("conv_fution", torch.cat(parts, dim=1))], dim=1)
    torch.testing.assert_close(block(x), wanted)


@torch.no_grad()
def test_a_batch_does_not_mix_and_any_size_is_accepted(network):
    rgb = _image(3, 3, 17, 11)
    together = network(rgb, attention=ImageStatistics())
    assert together.shape == (3, 31, 17, 11)
    for i in range(3):
        torch.testing.assert_close(together[i : i + 1], network(rgb[i : i + 1]))


@torch.no_grad()
def test_it_reaches_one_pixel_per_block_and_one_more(network):
    rgb = _image(1, 3, 15, 15)
    changed = rgb.clone()
    changed[..., 7, 7] += 1
    moved = (network(rgb) != network(changed)).any(1)[0]
    rows, columns = moved.nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 11, 3, 11)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_output_is_the_same_with_and_without_gradients(network, layout):
    rgb = _image(2, 3, 14, 9).contiguous(memory_format=layout)
    with torch.no_grad():
        found = network(rgb)
    torch.testing.assert_close(found, network(rgb).detach(), atol=1e-6, rtol=1e-5)


def test_every_parameter_learns(network):
    network(_image(1, 3, 9, 8)).square().mean().backward()
    assert all(p.grad.abs().max() > 0 for p in network.parameters())


@torch.no_grad()
def test_the_system_knows_the_level_of_the_scene():
    system = build({"blocks": 1}).eval()
    rgb = _image(1, 3, 12, 10)
    cube, facts = system.whole(SceneWindows.entire(rgb), lambda step: rgb)
    torch.testing.assert_close(system(rgb, lambda step: rgb, facts, stochastic=False), cube)
    assert cube.shape == (1, 31, 12, 10)
    assert not CARD.data["reach"]["survey"] and not CARD.needs_blending
