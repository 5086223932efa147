"""What each system costs as it is built, for the table of the README: `make bench`."""

import pytest
import torch

from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.weights import load_model
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.reconstructors._whole_image import ground_noise
from tests.benchmarks.test_speed import seconds

SIDE = 256


@pytest.mark.parametrize("name", registry.built_in())
def test_a_tile_of_a_surveyed_scene(name, capsys):
    """Whole chains; a pixel costs what the card says, whatever the machine."""
    card = registry.find(name, untrained=True)
    model = load_model(card).to(memory_format=torch.channels_last)
    rgb = torch.rand(1, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    noise = ground_noise(rgb, bands=len(card.bands))
    with torch.inference_mode():
        small = SceneWindows.entire(rgb[..., :64, :64])
        small_noise = ground_noise(small.rgb, bands=len(card.bands))
        statistics = model.whole(small, small_noise)[1]
        repeats = 1 if card.data["steps"] > 10 else 3
        took = seconds(lambda: model(rgb, noise, statistics, stochastic=False), repeats=repeats)
    rate = SIDE**2 / took / 1e6
    with capsys.disabled():
        print(
            f"\n{name:<18} {rate:8.4f} Mpx/s  {card.data['gmac_per_pixel']:.6f} GMAC/px  "
            f"{card.data['gmac_per_pixel'] * SIDE**2 / took:6.1f} GMAC/s"
        )
    assert rate > 0
