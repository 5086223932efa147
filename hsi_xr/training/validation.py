"""Scores of a model in training on whole scenes of a declared split."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hsi_xr.band_grid import Bands
from hsi_xr.camera.srgb import srgb_encode
from hsi_xr.diffusion.noise import NoiseField
from hsi_xr.errors import InvalidData
from hsi_xr.evaluation.metrics import Tally
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.reconstructors._base import Reconstructor, SceneWindows
from hsi_xr.training.patches import Scene, Scenes, counts, extended

SHOWN_NM = (640.0, 550.0, 460.0)
"""Bands of a panel."""


@dataclass(frozen=True)
class Validation:
    """How scenes are scored: in one piece, without the margin of `crop`."""

    scenes: Scenes
    names: Sequence[str]
    bands: Bands
    stride: int
    crop: int
    seed: int

    def of(self, model: Reconstructor, device: str) -> tuple[dict[str, float], Tensor]:
        """Means over scenes of the scores of each, and a panel of the first scene.

        Raises:
            InvalidData: A scene has nothing to score.
        """
        found: list[Tally] = []
        panel = torch.zeros(3, 1, 1)
        for name in self.names:
            scene = self.scenes.read(name)
            guess = self.reconstruct(model, scene, device)[0].cpu()
            if not found:
                panel = self.panel(guess, scene.cube)
            found.append(self._tally(name, guess, scene.cube))
        names = ("mrae", "rmse", "psnr", "sam")
        return {n: sum(getattr(each, n) for each in found) / len(found) for n in names}, panel

    def _tally(self, name: str, guess: Tensor, cube: Tensor) -> Tally:
        """Of the bands that the scene knows: a data set need not have measured all."""
        rows, columns = (slice(self.crop, size - self.crop) for size in cube.shape[1:])
        estimate, truth = (each[:, rows, columns] for each in (guess, cube))
        known = ~truth.isnan().flatten(1).all(1)
        if known.any():
            tally = Tally.of(estimate[known].numpy(), truth[known].numpy())
            if tally.relatives:
                return tally
        raise InvalidData(
            f"the validation scene {name!r} has nothing to score within data.crop = {self.crop}: "
            "no pixel whose bands are known and above 0; crop less, or leave it out"
        )

    @torch.inference_mode()
    def reconstruct(self, model: Reconstructor, scene: Scene, device: str) -> Tensor:
        """(1, bands, rows, columns), as `hsi_xr.reconstruct` would of the picture in one tile."""
        rows, columns = scene.rgb.shape[1:]
        size = (rows + -rows % self.stride, columns + -columns % self.stride)
        cube, padded = (each.to(device) for each in extended(scene.cube, scene.rgb, size))
        rgb, weights = padded[None], counts(cube)
        seen = chromaticity_histogram(rgb[..., :rows, :columns], weights[..., :rows, :columns])
        r, c = (torch.arange(each, device=rgb.device)[None] for each in size)
        field, bands = NoiseField(self.seed), len(self.bands)
        answer, _ = model.whole(
            SceneWindows(rgb, weights, seen),
            lambda step: field.read(r, c, channels=bands, step=step),
        )
        return answer[..., :rows, :columns].float()

    def panel(self, guess: Tensor, truth: Tensor) -> Tensor:
        """Estimate, truth and their difference side by side, (3, rows, 3 columns)."""
        shown = [self.bands.nearest(nm) for nm in SHOWN_NM]
        a, b = guess[shown], truth[shown].nan_to_num(nan=0.0)
        white = b.flatten().quantile(0.995).clamp(min=1e-6)  # one glint must not blacken the rest
        images = torch.cat([a / white, b / white, (a - b).abs() / white], dim=2)
        return srgb_encode(images.clamp(0, 1))
