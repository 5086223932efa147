"""TensorBoard files of a training run: losses by update, and images of validations."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from hsi_xr.training.settings import Schedule
from tests.training.small import Slopes, run_of, training_of

accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
)


def test_a_board_shows_losses_and_images(tmp_path):
    run = run_of("adversarial", tmp_path, schedule=Schedule(steps=4, validate=2, log=1))
    training_of(run, Slopes()).finish()
    board = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {"critic/critic", "generator/l1", "validation/mrae"} <= {*board.Tags()["scalars"]}
    assert [each.step for each in board.Scalars("generator/l1")] == [1, 2, 3, 4]
    (name,) = board.Tags()["images"]
    images = board.Images(name)
    assert [each.step for each in images] == [2, 4]
    panel = np.asarray(Image.open(BytesIO(images[-1].encoded_image_string)))
    scene = Slopes().read("c").cube
    assert panel.shape == (scene.shape[1], 3 * scene.shape[2], 3)
    truth = panel[:, scene.shape[2] : 2 * scene.shape[2]]
    assert truth.max() >= 250 and 40 < truth.mean() < 215
