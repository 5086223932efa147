"""How much faster AWAN is than its formulas, at equal answers. Prints its figures."""

import time

import pytest
import torch

from hsi_xr.networks.awan import AWAN
from tests.benchmarks.plain_awan import PlainAWAN

SIDE = 256


@pytest.fixture
def one_thread():
    """Threads that wait for each other on a busy machine are no part of the comparison."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_awan_beats_a_plain_transcription(capsys):
    """The two run in turn, so that whatever else the machine does meets both."""
    torch.manual_seed(0)
    plain, ours = PlainAWAN().eval(), AWAN(31).eval()
    torch.nn.init.normal_(plain.tail_nonlocal.non_local.W.weight)
    ours.load_state_dict(plain.state_dict())
    ours = ours.to(memory_format=torch.channels_last)
    rgb = torch.rand(1, 3, SIDE, SIDE)
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    with torch.inference_mode():
        wanted, found = plain(rgb), ours(rgb)  # to warm up, too
        for _ in range(3):
            for name, network in (("plain", plain), ("ours", ours)):
                begun = time.perf_counter()
                network(rgb)
                seconds[name].append(time.perf_counter() - begun)
    difference = (found - wanted).abs().max().item()
    best = {name: min(found) for name, found in seconds.items()}
    ratio = best["plain"] / best["ours"]
    with capsys.disabled():
        print(
            f"\nAWAN, 96 channels, {SIDE} x {SIDE} px, one thread: plain {best['plain']:.2f} s, "
            f"ours {best['ours']:.2f} s, {ratio:.2f}x; answers differ by {difference:.1e}"
        )
    assert difference < 1e-4
    assert ratio >= 2.5
