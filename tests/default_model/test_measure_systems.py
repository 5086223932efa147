"""The cards of systems agree with the literature, and with what their modules build."""

import json
from dataclasses import asdict

import pytest

from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.weights import load_model, parameters

PUBLISHED = {
    "awan": (4_039_425, 270.614),
    "ddpm": (8.03e6, 50 * 44.1),
    "hscnn-plus": (4_645_504, 304.448),
    "mst-l": (2_450_978, 32.07),
    "mst-plus-plus": (1_619_625, 23.05),
}
"""Parameters, and 10^9 multiply-accumulates at 256 x 256, from the tables of the papers (from its
design for the U-Net). The tests of each network have exact ones."""


@pytest.mark.parametrize("name", registry.built_in())
def test_a_card_states_what_its_system_builds(name):
    card = registry.find(name, untrained=True)
    module = registry.load(name)
    assert card.reconstructor == card.name == name
    assert card.config == json.loads(json.dumps(asdict(module.Config())))
    assert card.data["parameters"] == parameters(load_model(card))
    assert card.halo % 8 == 0 and card.data["memory_bytes_per_pixel"] > 0
    assert {"citation", "ours", "paper", "published"} <= card.data.keys()
    assert card.data["reach"]["context"] in (None, "tile")


@pytest.mark.parametrize(("name", "of"), PUBLISHED.items())
def test_sizes_and_costs_agree_with_the_literature(name, of):
    card = registry.find(name, untrained=True)
    assert card.data["parameters"] == pytest.approx(of[0], rel=0.002)
    assert card.data["gmac_per_pixel"] * 256**2 == pytest.approx(of[1], rel=0.05)


def test_untrained_weights_are_always_the_same():
    card = registry.find("srcgan", untrained=True)
    first, again = (load_model(card).state_dict() for _ in range(2))
    assert all(first[key].equal(again[key]) for key in first)
