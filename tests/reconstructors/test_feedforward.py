"""Input encodings, which are determined once per scene."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import hsi_xr
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.reconstructors._feedforward import Benchmark, InputAdapter
from tests.scenes import scene
from tests.small_models import model_of


@pytest.mark.parametrize("coding", ["srgb", "linear"])
def test_extremes_of_the_scene_outweigh_those_of_its_windows(coding):
    adapter = InputAdapter(Benchmark(coding=coding))
    rgb = 0.2 + 0.5 * torch.rand(2, 3, 9, 11)
    encoded = adapter(rgb, adapter.survey(SceneWindows.entire(rgb)))
    assert float(encoded.min()) == pytest.approx(0, abs=1e-6)
    assert float(encoded.max()) == pytest.approx(1, abs=1e-6)
    known = torch.tensor([0.0, 1.0])
    statistics = adapter.survey(replace(SceneWindows.entire(rgb), extremes=known))
    whole = adapter(rgb, statistics)
    assert whole.min() > 0.1 and whole.max() < 0.95


def test_a_bright_roof_between_windows_counts(tmp_path):
    """The survey reads far more pixels than it runs: their extremes are the scene's."""
    weights = model_of("hscnn-plus", tmp_path)
    image = scene(1500, 1300, chunks=None)
    image[:, 3:5, 2:4] = 255.0
    statistics = hsi_xr.survey(image, weights, radiometry="srgb", scale=1 / 255).statistics
    assert statistics["high"] == pytest.approx(1.0, abs=1e-3)
    lowest = float(np.asarray(image).min()) / 255
    assert statistics["low"] == pytest.approx(lowest, abs=1e-3)
