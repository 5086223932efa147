"""BiSRNet gives the published network's output, and its bits learn through surrogates."""

import pytest
import torch
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

from hsi_xr.networks._binarised import BinaryActivation, BinaryConv, BiSRConv, StraightThrough
from hsi_xr.networks.bisrnet import BiSRNet
from tests.scenes import DATA

RECORDED = DATA.parent / "parity" / "bisrnet_published.safetensors"

CONVOLUTION = (
    *("move0.k", "move0.b", "binary_activation.beta", "binary_conv.weight"),
    *("relu.pr_bias0.bias", "relu.pr_prelu.weight", "relu.pr_bias1.bias"),
)


def _keys() -> set[str]:
    pair = [f"biconv_{i}.{name}" for i in (1, 2) for name in CONVOLUTION]
    rectify = ["pr_bias0.bias", "pr_prelu.weight", "pr_bias1.bias"]
    net = [pair, pair, rectify, CONVOLUTION, rectify, pair, pair]
    block = [f"blocks.0.fn.net.{i}.{name}" for i, names in enumerate(net) for name in names]
    block += ["blocks.0.norm.weight", "blocks.0.norm.bias"]
    body = [*(f"{end}.{name}" for end in ("embedding", "mapping") for name in CONVOLUTION)]
    body += [f"bottleneck.{name}" for name in block]
    for level in (0, 1):
        for path, layers in (("encoder", [block, pair]), ("decoder", [pair, pair, block])):
            for i, names in enumerate(layers):
                body += [f"{path}_layers.{level}.{i}.{name}" for name in names]
    ends = ["fution.weight", "fution.bias", "conv_in.weight", "conv_out.weight"]
    return {*(f"body.0.{name}" for name in body), *ends}


def counted_parameters(network):
    """As published: anything but a full-precision convolution counts one thirty-second."""
    layers = (network.fution, network.conv_in, network.conv_out)
    full = sum(p.numel() for layer in layers for p in layer.parameters())
    return full + (sum(p.numel() for p in network.parameters()) - full) / 32


def counted_operations(network, side):
    """As published: multiply-accumulates, those of bits count one sixty-fourth."""
    bands = network.conv_in.in_channels
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*(torch.empty(1, bands, side, side, device="meta") for _ in range(2)))
    by_module = {name: sum(kinds.values()) / 2 for name, kinds in counter.get_flop_counts().items()}
    binary = sum(
        count for name, count in by_module.items() if name.rpartition(".")[2] == "binary_conv"
    )
    return by_module["Global"] - binary + binary / 64


@pytest.fixture(scope="module")
def network():
    """A network with perturbed weights of every kind."""
    torch.manual_seed(0)
    network = BiSRNet(28).eval()
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return network


def _inputs(count, rows, columns, seed=0):
    rng = torch.Generator().manual_seed(seed)
    cube = torch.rand(count, 28, rows, columns, generator=rng) * torch.linspace(0.2, 1, columns)
    mask = (torch.rand(1, 1, rows, columns, generator=rng) > 0.5).float()
    return cube, mask.expand_as(cube).contiguous()


@pytest.mark.skipif(not RECORDED.is_file(), reason=f"no recorded answers at {RECORDED}")
def test_its_output_is_that_of_the_published_network():
    recorded = load_file(RECORDED)
    prefix = "weights/"
    weights = {k.removeprefix(prefix): v for k, v in recorded.items() if k.startswith(prefix)}
    network = BiSRNet(28).eval()
    network.load_state_dict(weights, strict=True)
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            found = network(recorded["input_0"], recorded["input_1"])
        torch.testing.assert_close(found.detach(), recorded["output"], atol=1e-5, rtol=1e-5)


def test_it_has_the_published_tensors():
    with torch.device("meta"):
        network = BiSRNet(28)
    assert set(network.state_dict()) == _keys()
    assert len(_keys()) == 457
    assert sum(p.numel() for p in network.parameters()) == 659_319
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert shapes["body.0.encoder_layers.1.0.blocks.0.fn.net.3.binary_conv.weight"] == (
        224,
        4,
        3,
        3,
    )
    assert shapes["body.0.bottleneck.blocks.0.fn.net.3.relu.pr_prelu.weight"] == (448,)


def test_it_costs_as_little_as_published():
    """36 K parameters and 1.18 G operations at 256 x 256."""
    with torch.device("meta"):
        network = BiSRNet(28).eval()
    assert counted_parameters(network) == pytest.approx(35_821, abs=1)
    assert counted_operations(network, 256) == pytest.approx(1.18e9, abs=0.005e9)


@torch.no_grad()
def test_a_binary_convolution_has_one_bit_per_weight():
    torch.manual_seed(0)
    layer = BinaryConv(12, 3, groups=3)
    bits = layer.binary()
    size = layer.weight.abs().mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(bits, size * layer.weight.sign(), atol=0, rtol=0)
    assert BinaryActivation()(torch.tensor([-2.0, -1e-9, 3.0])).tolist() == [-1, -1, 1]


def test_weights_learn_straight_through_where_they_are_within_one():
    layer = BinaryConv(2, 1, groups=1)
    layer.weight.data = torch.tensor([[0.5, -1.5], [2.0, -0.25]])[..., None, None]
    towards = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[..., None, None]
    (layer.binary() * towards).sum().backward()
    assert layer.weight.grad[..., 0, 0].tolist() == [[1, 0], [0, 4]]


def test_signs_learn_through_a_hyperbolic_tangent():
    layer, x = BinaryActivation(), torch.tensor([-0.7, 0.1, 2.0], requires_grad=True)
    layer.beta.data.fill_(1.5)
    found = layer(x)
    assert found.tolist() == [-1, 1, 1]  # and not the tangent's values
    found.sum().backward()
    slope = 1 - torch.tanh(1.5 * x.detach()) ** 2
    torch.testing.assert_close(x.grad, 1.5 * slope)
    torch.testing.assert_close(layer.beta.grad, (x.detach() * slope).sum().reshape(1))


def test_the_exact_argument_gets_no_gradient():
    exact, surrogate = (torch.randn(3, requires_grad=True) for _ in range(2))
    StraightThrough.apply(exact, surrogate).sum().backward()
    assert exact.grad is None and surrogate.grad.tolist() == [1, 1, 1]


def test_every_parameter_learns(network):
    network.zero_grad()
    network(*_inputs(1, 16, 24)).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    weights = [m.weight.grad for m in network.modules() if isinstance(m, BinaryConv)]
    assert all(grad.abs().max() > 0 for grad in weights)


@torch.no_grad()
def test_a_layer_without_bits_to_add_is_the_identity():
    """The shortcut of full precision carries the features."""
    layer, x = BiSRConv(6, 3), torch.randn(1, 6, 5, 7)
    layer.binary_conv.weight.zero_()
    torch.testing.assert_close(layer(x), x)


@torch.no_grad()
@pytest.mark.parametrize("size", [(16, 24), (13, 21), (9, 5)])
def test_any_size_is_accepted(network, size):
    cube, mask = _inputs(1, *size)
    assert network(cube, mask).shape == cube.shape


@torch.no_grad()
def test_a_batch_does_not_mix(network):
    cube, mask = _inputs(3, 16, 24)
    together = network(cube, mask)
    for i in range(3):
        alone = network(cube[i : i + 1], mask[i : i + 1])
        # rounding may turn a sign around: a few numbers differ, and those not by much
        assert ((together[i : i + 1] - alone).abs() > 1e-5).float().mean() < 0.01


@torch.no_grad()
def test_a_prior_that_does_nothing_changes_no_bit(network):
    cube, mask = _inputs(1, 16, 24)
    seen = []

    def prior(features, index):
        seen.append((index, features.shape[1:]))
        return features

    assert torch.equal(network(cube, mask, prior=prior), network(cube, mask))
    sizes = [(28, 16, 24), (56, 8, 12), (112, 4, 6), (56, 8, 12), (28, 16, 24)]
    assert seen == list(enumerate(map(torch.Size, sizes)))


@torch.no_grad()
def test_a_prior_reads_normalised_features_and_changes_the_output(network):
    cube, mask = _inputs(1, 16, 24)
    norm = network.body[0].encoder_layers[0][0].blocks[0].norm
    found = []

    def prior(features, index):
        if index == 0:
            bare = (features.movedim(1, -1) - norm.bias) / norm.weight
            found.append((bare.mean(-1).abs().max(), bare.square().mean(-1).mean()))
        return features * 1.5 + 0.1

    assert not torch.equal(network(cube, mask, prior=prior), network(cube, mask))
    mean, energy = found[0]
    assert mean < 1e-4 and energy == pytest.approx(1, abs=0.05)
