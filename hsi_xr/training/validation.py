"""Scores of a model during training, on whole scenes of the validation split."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hsi_xr.band_grid import Bands
from hsi_xr.camera.srgb import srgb_encode
from hsi_xr.errors import InvalidData
from hsi_xr.evaluation.metrics import Tally
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._whole_image import ground_noise, single_window
from hsi_xr.training.data import Scene, Scenes, scene_weights

SCORES = ("mrae", "rmse", "psnr", "sam")

PREVIEW_NM = (640.0, 550.0, 460.0)
"""Wavelengths of the red, green and blue bands of the logged image."""


@dataclass(frozen=True)
class SceneValidation:
    """Scores whole scenes, each reconstructed in one tile. See `updates.Validation`.

    Attributes:
        scenes: Reads the scenes.
        names: Names of the scenes to score.
        bands: Bands of the data set.
        stride: Rows and columns of a tile are multiples of it.
        crop: Margin that is not scored, in pixels.
        seed: Seed of the noise.
    """

    scenes: Scenes
    names: Sequence[str]
    bands: Bands
    stride: int
    crop: int
    seed: int

    def __call__(self, model: Reconstructor, device: str) -> tuple[dict[str, float], Tensor]:
        """Returns means over scenes of their scores, and a comparison of the first scene.

        Raises:
            InvalidData: A scene has nothing to score.
        """
        tallies: list[Tally] = []
        image = torch.zeros(3, 1, 1)
        for name in self.names:
            scene = self.scenes.read(name)
            estimate = self.reconstruct(model, scene, device)[0].cpu()
            if not tallies:
                image = self.compare(estimate, scene.cube)
            tallies.append(self._tally(name, estimate, scene.cube))
        means = {key: sum(getattr(t, key) for t in tallies) / len(tallies) for key in SCORES}
        return means, image

    def _tally(self, name: str, estimate: Tensor, truth: Tensor) -> Tally:
        """Scores the bands that are known in the scene; a data set may lack some."""
        rows, columns = (slice(self.crop, size - self.crop) for size in truth.shape[1:])
        estimate, truth = (cube[:, rows, columns] for cube in (estimate, truth))
        known = ~truth.isnan().flatten(1).all(1)
        if known.any():
            tally = Tally.of(estimate[known].numpy(), truth[known].numpy())
            if tally.relatives:
                return tally
        raise InvalidData(
            f"the validation scene {name!r} has nothing to score within data.crop = {self.crop}: "
            "no pixel whose bands are known and above 0; reduce data.crop, or remove the scene "
            "from the split"
        )

    @torch.inference_mode()
    def reconstruct(self, model: Reconstructor, scene: Scene, device: str) -> Tensor:
        """Returns (1, bands, rows, columns), as `hsi_xr.reconstruct` does in a single tile."""
        cube, rgb = scene.cube.to(device), scene.rgb[None].to(device)
        window = single_window(rgb, stride=self.stride, weights=scene_weights(cube))
        noise = ground_noise(window.rgb, bands=len(self.bands), seed=self.seed)
        estimate, _ = model.whole(window, noise)
        rows, columns = scene.rgb.shape[1:]
        return estimate[..., :rows, :columns].float()

    def compare(self, estimate: Tensor, truth: Tensor) -> Tensor:
        """Returns estimate, truth and their difference side by side, (3, rows, 3 columns)."""
        preview = [self.bands.nearest(nm) for nm in PREVIEW_NM]
        a, b = estimate[preview], truth[preview].nan_to_num(nan=0.0)
        white = b.flatten().quantile(0.995).clamp(min=1e-6)  # a single glint must not darken all
        images = torch.cat([a / white, b / white, (a - b).abs() / white], dim=2)
        return srgb_encode(images.clamp(0, 1))
