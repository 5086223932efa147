"""MST++ against its plain transcription, as a ratio measured in one run; `make bench`."""

import time
from collections.abc import Callable

import pytest
import torch

from hsi_xr.networks.attention import GivenStatistics, PooledStatistics
from hsi_xr.networks.mst_plus_plus import MSTPlusPlus
from tests.benchmarks.plain_mst_plus_plus import PlainMSTPlusPlus

SIDE, ROUNDS = 256, 5

SURVEYED, ALONE = 2.0, 1.8
"""Ratios required with the default allocator of the C library, as in `make bench`. Where freed
memory is kept (see `hsi_xr.set_options`), the plain network gains most, and they are about 1.5 and
1.3. A surveyed scene needs no queries and keys."""


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    plain = PlainMSTPlusPlus().eval()
    ours = MSTPlusPlus().eval()
    ours.load_state_dict(plain.state_dict())
    return plain, ours


@torch.inference_mode()
def test_it_beats_its_plain_forward(pair, capsys):
    """Alone, and as tiles of a surveyed scene run it; the numbers are the same."""
    plain, ours = pair
    rgb, statistics = torch.rand(1, 3, SIDE, SIDE), PooledStatistics(None)
    ours(rgb, attention=statistics)
    runs: dict[str, Callable[[], torch.Tensor]] = {
        "plain": lambda: plain(rgb),
        "alone": lambda: ours(rgb),
        "surveyed": lambda: ours(rgb, attention=GivenStatistics(statistics.collected)),
    }
    wanted = runs["plain"]()
    for run in runs.values():
        torch.testing.assert_close(run(), wanted, atol=1e-4, rtol=0)
    taken = _seconds(runs)
    alone, surveyed = (taken["plain"] / taken[name] for name in ("alone", "surveyed"))
    with capsys.disabled():
        print(
            f"\nMST++ at {SIDE} x {SIDE}: plain {taken['plain']:.3f} s, ours {alone:.2f}x, "
            f"on a surveyed scene {surveyed:.2f}x"
        )
    assert surveyed >= SURVEYED
    assert alone >= ALONE


def _seconds(runs: dict[str, Callable[[], torch.Tensor]]) -> dict[str, float]:
    """The shortest of each; they take turns, so that what else the machine does befalls all."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            found[name].append(time.perf_counter() - begun)
    return {name: min(each) for name, each in found.items()}
