"""The report of a demo: files, times and scores, as text."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from hsi_xr.evaluation.metrics import Tally
from hsi_xr.level_interval import LevelInterval


@dataclass(frozen=True)
class Files:
    """The files of a demo."""

    rgb: Path
    panel: Path
    cube: Path
    calibrated: Path
    item: Path
    preview: Path
    thumbnail: Path

    @classmethod
    def of(cls, folder: Path) -> "Files":
        """Returns the paths in a folder, whether or not they exist."""
        return cls(
            rgb=folder / "demo_rgb.tif",
            panel=folder / "demo_panel.csv",
            cube=folder / "demo_hsi.tif",
            calibrated=folder / "demo_hsi_panel.tif",
            item=folder / "demo_hsi.json",
            preview=folder / "demo.png",
            thumbnail=folder / "demo_hsi.png",
        )

    def __iter__(self) -> Iterator[Path]:
        return (getattr(self, field.name) for field in fields(self))


_MEANING = {
    "rgb": "rendered RGB image",
    "panel": "place and reflectance of the grey panel",
    "cube": "cube from the image alone (COG)",
    "calibrated": "cube calibrated with the panel (COG)",
    "item": "STAC item of demo_hsi.tif",
    "preview": "figure: estimate and truth",
    "thumbnail": "preview of the cube",
}


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a demo."""

    files: Files
    shape: tuple[int, int]
    """Rows and columns."""
    pixel: float
    """Ground size of a pixel in metres."""
    crs: str
    instant: datetime
    """Time for which the sun was computed; `datetime` of the item."""
    wavelengths: tuple[float, ...]
    """Band centres in nm."""
    model: str
    floor: float
    """Mean reflectance below which pixels are excluded from MRAE."""
    rendering: float
    """Seconds to render the scene."""
    reconstruction: float
    """Seconds from opening the RGB image to the finished cube."""
    level: LevelInterval
    """The level that was estimated from the image alone."""
    scores: Tally
    """Scores of the cube from the image alone."""
    scores_after_gain: Tally
    """The same after one gain of the whole cube: the errors that remain if the level is known."""
    scores_with_panel: Tally
    """Scores of the cube that was calibrated with the grey panel."""

    @property
    def megapixels(self) -> float:
        """Pixels of the scene, in millions."""
        return self.shape[0] * self.shape[1] / 1e6

    @property
    def speed(self) -> float:
        """Megapixels per second."""
        return self.megapixels / self.reconstruction

    def text(self) -> str:
        """Returns the report in sections, with aligned lines."""
        sections = {
            "shape": self._shape(),
            "level": self._level(),
            "scene": self._scene(),
            "cube": self._cube(),
            "files": self._files(),
            "in Python": self.python().splitlines(),
        }
        return "\n".join(
            f"{name if number == 0 else '':<11}{line}"
            for name, lines in sections.items()
            for number, line in enumerate(lines)
        )

    def python(self) -> str:
        """Returns Python code that makes the same product from the RGB image."""
        rgb, cube, panel = (str(self.files.rgb), str(self.files.cube), str(self.files.panel))
        time = self.instant.isoformat().replace("+00:00", "Z")
        return "\n".join(
            [
                "import hsi_xr",
                f"rgb = {rgb!r}",
                "cube = hsi_xr.reconstruct(rgb)",
                f"path = {cube!r}",
                f"hsi_xr.write_product(cube, path, source=rgb, datetime={time!r}, overwrite=True)",
                f"calibrated = hsi_xr.calibrate(hsi_xr.open(path), {panel!r})",
            ]
        )

    def _scene(self) -> list[str]:
        rows, columns = self.shape
        return [
            f"{rows} x {columns} px of {100 * self.pixel:g} cm, {self.crs}, "
            f"rendered in {self.rendering:.1f} s; nothing was acquired"
        ]

    def _cube(self) -> list[str]:
        count, first, last = len(self.wavelengths), self.wavelengths[0], self.wavelengths[-1]
        return [
            f"{count} bands, {first:g} to {last:g} nm, estimated by model {self.model}",
            f"{self.megapixels:.2f} Mpx in {self.reconstruction:.1f} s: {self.speed:.2g} Mpx/s, "
            "reading and writing included",
        ]

    def _shape(self) -> list[str]:
        alone, adjusted = self.scores, self.scores_after_gain
        return [
            f"{alone.sam:.1f} deg between estimated and true spectra, and a mean relative error of "
            f"{adjusted.mrae:.1%}",
            "after one factor for all pixels: this is what the colours of an image determine",
        ]

    def _level(self) -> list[str]:
        return [
            f"with a grey panel in the image: mean relative error "
            f"{self.scores_with_panel.mrae:.1%}",
            f"from the image alone: mean relative error {self.scores.mrae:.1%}, because its level "
            "is a guess:",
            f"{self.level}; here it is {self.scores.gain:.2f}",
            f"(errors are those of pixels with a mean reflectance of at least {self.floor:g})",
        ]

    def _files(self) -> list[str]:
        width = max(len(str(path)) for path in self.files)
        return [
            f"{path!s:<{width}}  {path.stat().st_size / 1e6:6.2f} MB  {meaning}"
            for path, meaning in zip(self.files, _MEANING.values(), strict=True)
        ]
