"""Speed as ratios that are measured in one run: `make bench`. No test here asserts a time.

Each test prints its figures.
"""

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

import hsi_xr
from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.weights import load_model
from hsi_xr.diffusion.noise import NoiseField
from hsi_xr.networks.attention import GivenStatistics, PooledStatistics
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.reconstructors._base import SceneWindows
from tests.scenes import rgb_image, save

SCENE = 4096
"""Side of the scene of the end-to-end figure, px."""


def seconds(run: Callable[[], object], *, repeats: int = 3) -> float:
    """The time of the fastest of several runs, after a warm-up."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


STEPS = 5
"""Steps of the default model with its network, which it runs without by default."""


@pytest.fixture(scope="module")
def model():
    return load_model(registry.find("default"), steps=STEPS)


@torch.inference_mode()
def _pass(network, side: int, *, last: bool, surveyed: bool) -> Callable[[], object]:
    """One denoiser pass over side x side px, as the pipeline runs it or in the plain way."""
    layout = torch.channels_last if last else torch.contiguous_format
    network = network.to(memory_format=layout)
    channels = (network.head.out_channels, 3)
    x, rgb = (torch.rand(1, n, side, side).contiguous(memory_format=layout) for n in channels)
    step = torch.tensor([3])
    if not surveyed:
        return lambda: network(x, rgb, step)
    statistics = PooledStatistics(None)
    network(x, rgb, step, attention=statistics)
    guide = network.guide(rgb)
    given = GivenStatistics(statistics.collected)
    return lambda: network(x, rgb, step, guide=guide, attention=given)


def test_the_network_beats_its_plain_forward(model, capsys):
    """Compares contiguous float32 with the way in which tiles of a surveyed scene run."""
    with torch.inference_mode():
        plain = seconds(_pass(model.network, 256, last=False, surveyed=False))
        whole = seconds(_pass(model.network, 256, last=True, surveyed=False))
        tiles = seconds(_pass(model.network, 256, last=True, surveyed=True))
    with capsys.disabled():
        print(
            f"\none pass at 256 x 256: plain {plain:.3f} s, channels-last {plain / whole:.2f}x, "
            f"on a surveyed scene {plain / tiles:.2f}x"
        )
    assert plain / tiles >= 1.5


def test_a_scene_end_to_end_is_nearly_as_fast_as_the_network(model, tmp_path, capsys):
    """Reading, survey, halos, and writing a COG, relative to the network at its best size."""
    path = save(
        tmp_path / "scene.tif", rgb_image(SCENE, SCENE), tiled=True, blockxsize=512, blockysize=512
    )
    bare = max(_bare_rate(model, side) for side in (256, 512, 768))
    whole, default = (
        SCENE**2 / _seconds_of_a_product(path, tmp_path / f"{steps}.tif", steps)
        for steps in (STEPS, None)
    )
    with capsys.disabled():
        print(
            f"\n{SCENE} x {SCENE} px to COG: {whole / 1e6:.4f} Mpx/s; bare forward "
            f"{bare / 1e6:.4f} Mpx/s; ratio {whole / bare:.2f}; default, without the network, "
            f"{default / 1e6:.3f} Mpx/s"
        )
    assert whole / bare >= 0.8


def _seconds_of_a_product(path, out, steps) -> float:
    start = time.perf_counter()
    hsi_xr.write(hsi_xr.reconstruct(path, steps=steps), out)
    return time.perf_counter() - start


def _bare_rate(model, side: int) -> float:
    """Pixels per second of `whole`, the five-step chain with the statistics of the image."""
    model = model.to(memory_format=torch.channels_last)
    rgb = torch.rand(1, 3, side, side).contiguous(memory_format=torch.channels_last)
    weights, lines = torch.ones(1, 1, side, side), torch.arange(side)[None]
    noise = {t: NoiseField(0).read(lines, lines, channels=31, step=t) for t in range(1, 6)}

    def run() -> None:
        with torch.inference_mode():
            model.whole(SceneWindows(rgb, weights, chromaticity_histogram(rgb)), noise.__getitem__)

    return side**2 / seconds(run, repeats=2)


@pytest.mark.parametrize("side", [1300, 2000])
def test_the_survey_costs_a_small_scene_at_most_a_quarter(tmp_path, capsys, side):
    path = save(tmp_path / "scene.tif", rgb_image(side, side), tiled=True)
    start = time.perf_counter()
    survey = hsi_xr.survey(path)
    surveyed = time.perf_counter() - start
    hsi_xr.reconstruct(path, survey=survey)["reflectance"].sum().compute()
    whole = time.perf_counter() - start
    with capsys.disabled():
        print(f"\nsurvey of {side} x {side} px: {surveyed / whole:.1%} of the whole")
    assert surveyed / whole <= 0.25


def test_noise_costs_little_compared_with_the_network(model, capsys):
    lines = torch.arange(512)[None]
    noise = seconds(lambda: NoiseField(0).read(lines, lines, channels=31, step=5))
    chain = 512**2 / _bare_rate(model, 512)
    with capsys.disabled():
        print(f"\nnoise of the ground: {noise / chain:.1%} of a chain")
    assert noise / chain < 0.1


def test_a_block_is_written_faster_than_it_is_computed(tmp_path, capsys, model):
    """Compares the writer, with values in memory, with the network alone."""
    from tests.scenes import scene

    side = 1024
    cube = hsi_xr.reconstruct(scene(64, 64)).compute()
    values = np.tile(cube["reflectance"].values, (1, side // 64, side // 64))
    big = scene(side, side).isel(band=[0] * 31).copy(data=values)
    big = big.assign_coords(band=range(1, 32), wavelength=("band", cube["wavelength"].values))
    dataset = big.to_dataset(name="reflectance").assign_attrs(cube.attrs)
    start = time.perf_counter()
    hsi_xr.write(dataset, tmp_path / "cube.tif")
    rate = side**2 / (time.perf_counter() - start)
    with capsys.disabled():
        print(f"\nwriter {rate / 1e6:.2f} Mpx/s, {rate / _bare_rate(model, 512):.1f}x the network")
    assert rate > _bare_rate(model, 512)
