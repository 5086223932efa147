"""Generator and discriminator keep their budgets; ground dropout does not depend on tiles."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import hsi_xr
from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.weights import save_model
from hsi_xr.diffusion.noise import NoiseField
from hsi_xr.networks.srcgan import Discriminator, Generator
from hsi_xr.reconstructors.srcgan import Config, build, ground_dropout
from tests.scenes import scene

CARD = registry.find("srcgan", untrained=True)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    net = Generator(31, levels=5, width=4)
    for _ in range(3):
        net(_rgb(4, 64, 96))  # BatchNorm has seen something
    return net.eval()


def _rgb(count, rows, columns):
    rng = torch.Generator().manual_seed(rows)
    return torch.rand(count, 3, rows, columns, generator=rng) * torch.linspace(0.1, 1, columns)


def _cost(network, *channels):
    """Multiply-accumulates of one pass at 256 x 256; nothing is computed."""
    images = [torch.empty(1, count, 256, 256, device="meta") for count in channels]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        answer = network(*images)
    return counter.get_total_flops() / 2, answer


@pytest.mark.parametrize(
    ("levels", "parameters", "cost"),
    [(5, 16.72e6, 6.46e9), (7, 41.9e6, 6.96e9), (8, 54.5e6, 7.0e9)],
)
def test_the_generator_keeps_its_budget(levels, parameters, cost):
    with torch.device("meta"):
        net = Generator(31, levels=levels).eval()
    found, answer = _cost(net, 3)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(parameters, rel=0.002)
    assert found == pytest.approx(cost, rel=0.005)
    assert answer.shape == (1, 31, 256, 256)


def test_the_discriminator_keeps_its_budget_and_returns_thirty_by_thirty_logits():
    with torch.device("meta"):
        net = Discriminator(31).eval()
    found, answer = _cost(net, 3, 31)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(2.80e6, rel=0.002)
    assert found == pytest.approx(3.67e9, rel=0.002)
    assert answer.shape == (1, 1, 30, 30)


def test_the_discriminator_reads_patches_of_seventy_pixels():
    net = Discriminator(5, width=4).eval()
    rgb, cube = torch.rand(1, 3, 128, 128), torch.rand(1, 5, 128, 128, requires_grad=True)
    net(rgb, cube)[0, 0, 7, 7].backward()
    seen = cube.grad[0].abs().sum(0).nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [70, 70]


@torch.no_grad()
@pytest.mark.parametrize(("rows", "columns"), [(32, 32), (64, 160)])
def test_any_multiple_of_the_stride_fits(network, rows, columns):
    assert network.stride == CARD.stride == 2 ** Config().levels
    assert network(_rgb(2, rows, columns)).shape == (2, 31, rows, columns)


def test_other_sizes_and_too_few_levels_raise(network):
    with pytest.raises(ValueError, match="multiples of 32"):
        network(_rgb(1, 64, 80))
    with pytest.raises(ValueError, match="at least 4"):
        Generator(31, levels=3)


@torch.no_grad()
def test_seven_levels_come_down_to_one_pixel_and_run():
    net = Generator(31, levels=7, width=2).eval()
    assert net(_rgb(1, 128, 128)).shape == (1, 31, 128, 128)


@torch.no_grad()
def test_the_output_depends_on_pixels_up_to_three_strides_away():
    """Weights are made positive, so that nothing cancels; each column of one cell is changed."""
    net = Generator(3, levels=4, width=4).double().eval()
    for parameter in net.parameters():
        parameter.abs_()
    rgb = _rgb(1, 16, 256).double()
    plain, reached = net(rgb), []
    for column in range(128, 144):
        changed = rgb.clone()
        changed[..., column] += 5
        moved = (net(changed) - plain).abs().amax((0, 1, 2)).nonzero()
        reached += [column - int(moved.min()), int(moved.max()) - column]
    assert max(reached) == 3 * (net.stride - 1)


@torch.no_grad()
def test_a_batch_does_not_mix(network):
    rgb = _rgb(3, 64, 32)
    together = network(rgb)
    for i in range(3):
        torch.testing.assert_close(
            together[i : i + 1], network(rgb[i : i + 1]), atol=1e-5, rtol=1e-5
        )


@torch.no_grad()
def test_evaluation_is_deterministic_and_leaves_no_trace(network):
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    rgb = _rgb(2, 64, 32)
    assert torch.equal(network(rgb), network(rgb))
    assert torch.equal(rgb, _rgb(2, 64, 32))
    assert all(torch.equal(before[key], now) for key, now in network.state_dict().items())


def test_training_drops_by_chance():
    net = Generator(31, levels=5, width=4)
    assert not torch.equal(net(_rgb(2, 64, 32)), net(_rgb(2, 64, 32)))


def test_gradients_reach_every_parameter_of_both():
    torch.manual_seed(0)
    net, critic = Generator(5, levels=4, width=4), Discriminator(5, width=4)
    rgb = _rgb(2, 64, 96)
    critic(rgb, net(rgb)).square().mean().backward()
    for each in (net, critic):
        assert all(p.grad is not None and p.grad.abs().max() > 1e-7 for p in each.parameters())


def _noise(rows, columns, sample=0):
    r, c = torch.arange(*rows)[None], torch.arange(*columns)[None]
    return lambda step: NoiseField(7, sample).read(r, c, channels=31, step=step)


@pytest.mark.parametrize(("channels", "stride"), [(512, 16), (128, 4), (64, 1)])
def test_ground_noise_gives_fair_coins(channels, stride):
    """One for each channel of each feature; the last case reads 31 channels more than once."""
    drop = ground_dropout(_noise((0, 48), (0, 96)))
    features = torch.ones(1, channels, 48 // stride, 96 // stride)
    kept = drop(features, 0)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert kept.mean().item() == pytest.approx(1, abs=4 / features.numel() ** 0.5)
    coins = (kept[0].flatten(1) - 1).double()
    if coins.shape[1] > 300:
        among = (coins @ coins.T / coins.shape[1]).fill_diagonal_(0)
        assert among.abs().max() < 6 / coins.shape[1] ** 0.5
    assert not torch.equal(kept, drop(features, 1))


@torch.no_grad()
def test_a_tile_drops_the_features_that_the_whole_image_drops():
    """Tiles start on the stride; with a halo beyond the reach of the kernels nothing differs."""
    torch.manual_seed(0)
    model = build({"levels": 4, "width": 4}).eval()
    rgb = _rgb(1, 192, 256)
    whole, tile = (
        model(rgb[..., rows, columns], noise, {}, stochastic=True)
        for rows, columns, noise in (
            (slice(0, 192), slice(0, 256), _noise((0, 192), (0, 256))),
            (slice(16, 176), slice(64, 224), _noise((16, 176), (64, 224))),
        )
    )
    inner = (..., slice(48, -48), slice(48, -48))
    torch.testing.assert_close(tile[inner], whole[..., 64:128, 112:176], atol=1e-6, rtol=1e-5)


def test_samples_of_a_scene_do_not_depend_on_its_tiles(tmp_path):
    """Mean and standard deviation through the public API, for a weights file."""
    torch.manual_seed(0)
    model = build({"levels": 4, "width": 4, "bands": 31})
    nn.init.constant_(model.network.head.bias, 0.5)  # away from the clipping at 0 and 1
    nn.init.normal_(model.network.head.weight, std=0.2)
    weights = tmp_path / "srcgan.safetensors"
    card = {
        **{"schema": 1, "name": "toy", "version": "1", "reconstructor": "srcgan"},
        "bands": {"centres_nm": list(range(400, 701, 10))},
        "config": {"levels": 4, "width": 4, "bands": 31},
        **{"stride": 16, "steps": 1, "reach": {"halo": 48}, "licence": "CC0-1.0"},
        "parameters": sum(p.numel() for p in model.parameters()),
        "memory_bytes_per_pixel": 500,
    }
    save_model(model, weights, card)
    image = scene(130, 201)
    whole, tiled = (
        hsi_xr.reconstruct(image, weights, tile=tile, samples=3, seed=5).compute()
        for tile in (None, 64)
    )
    for name in ("reflectance", "reflectance_std"):
        assert float(whole[name].std()) > 1e-3
        np.testing.assert_allclose(tiled[name], whole[name], atol=1e-5)
