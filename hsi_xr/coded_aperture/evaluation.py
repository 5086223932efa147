"""Scores published networks on simulated snapshots of a coded aperture, as their tables do.

Each of the ten scenes of KAIST is measured through the mask, without noise, with bands `STEP`
pixels apart; the network is shown what its authors show it, and what it answers is scored in 256
levels. One scene at a time: the published code gives all ten at once, with equal answers.

Source: Meng, Ma, Yuan 2020, TSA-Net (ECCV); Cai et al. 2022, MST (arXiv:2111.07910).
"""

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from hsi_xr._version import __version__
from hsi_xr.checkpoints import published
from hsi_xr.checkpoints.card import checksum
from hsi_xr.checkpoints.import_published import read_checkpoint
from hsi_xr.coded_aperture.forward import INPUTS, STEP, measure
from hsi_xr.coded_aperture.scores import COLUMNS, scores
from hsi_xr.datasets._base import Array
from hsi_xr.datasets._registry import checked
from hsi_xr.datasets.kaist import Kaist
from hsi_xr.errors import InvalidCheckpoint, InvalidData, UsageError
from hsi_xr.evaluation._tables import aligned, as_json, average, cells, plain
from hsi_xr.evaluation.by_band import RADIUS
from hsi_xr.pipeline.devices import resolve_device

SPLIT: Final = "test"
FAR: Final = 1.0
"""How far from [0, 1] a number may be that scores cut to it; a camera's counts are farther."""


@dataclass(frozen=True, kw_only=True)
class SnapshotProtocol:
    """All that the scores depend on."""

    network: str
    """As `hsi_xr.checkpoints.published` has it."""
    inputs: Sequence[str]
    """What it is shown, by the names of `hsi_xr.coded_aperture.forward.INPUTS`."""
    weights: str
    """Name of their file."""
    weights_sha256: str
    mask: str
    mask_sha256: str
    """Of the file."""
    bands: Sequence[float]
    """Centres in nm."""
    size: tuple[int, int]
    """(rows, columns) of a scene and of the mask."""
    device: str
    step: int = STEP
    """Pixels from a band to the next."""
    noise: str = "none"
    version: str = field(default=__version__)
    """Of hsi_xr."""

    def as_json(self) -> dict[str, Any]:
        whole = asdict(self)
        return {"hsi_xr": whole.pop("version"), **whole}

    def lines(self) -> list[str]:
        """For people, a fact a line."""
        rows, columns = self.size
        count, first, last = len(self.bands), self.bands[0], self.bands[-1]
        return [
            f"network {self.network}, weights {self.weights}, sha256 {self.weights_sha256}; it is "
            f"shown {' and '.join(self.inputs)}, H the snapshot times 2/{count}",
            f"mask {self.mask}, sha256 {self.mask_sha256}",
            f"hsi-xr {self.version}; ten scenes of KAIST, {rows} x {columns} px, {count} bands, "
            f"{first:g}-{last:g} nm, {self.step} px apart, noise {self.noise}, device "
            f"{self.device}; scores of both cubes cut to [0, 1] and rounded to 256 levels, mean "
            "over scenes",
            *(f"{column.title}: {column.meaning}" for column in COLUMNS.values()),
        ]


@dataclass(frozen=True)
class SnapshotScores:
    """Of a scene."""

    scene: str
    scores: Mapping[str, float]
    """By the names of `evaluation.coded_aperture.COLUMNS`."""


@dataclass(frozen=True)
class SnapshotEvaluation:
    """A network on every scene, never without the protocol."""

    protocol: SnapshotProtocol
    scenes: tuple[SnapshotScores, ...]

    @cached_property
    def mean(self) -> dict[str, float]:
        """Over the scenes that have the score."""
        return {name: average([scene.scores[name] for scene in self.scenes]) for name in COLUMNS}

    def markdown(self) -> str:
        """A row for every scene, one for their mean, and below them the protocol."""
        head = ["scene", *(column.title for column in COLUMNS.values())]
        rows = [[name, *cells(found, COLUMNS)] for name, found in self._rows()]
        about = [f"- {line}" for line in self.protocol.lines()]
        return "\n".join([*aligned([head, *rows], left=1), "", *about, ""])

    def csv(self) -> str:
        """The table for programs: every row has its protocol beside its numbers."""
        about = self.protocol.as_json()
        about |= {key: " ".join(map(str, about[key])) for key in ("inputs", "bands", "size")}
        text = StringIO()
        table = csv.DictWriter(text, ["scene", *COLUMNS, *about], lineterminator="\n")
        table.writeheader()
        table.writerows({"scene": name, **found, **about} for name, found in self._rows())
        return text.getvalue()

    def json(self) -> str:
        """Protocol, definitions, mean, and the scores of every scene."""
        return as_json(
            {
                "protocol": self.protocol.as_json(),
                "scores": {name: column.meaning for name, column in COLUMNS.items()},
                "mean": plain(self.mean),
                "scenes": [{"scene": each.scene, **plain(each.scores)} for each in self.scenes],
            }
        )

    def _rows(self) -> Iterator[tuple[str, Mapping[str, float]]]:
        yield from ((each.scene, each.scores) for each in self.scenes)
        yield "mean", self.mean


def evaluate(
    network: str,
    weights: str | os.PathLike[str],
    data: Kaist,
    *,
    device: str = "auto",
    seen: Callable[[SnapshotScores], None] | None = None,
) -> SnapshotEvaluation:
    """Reconstructs the ten scenes of KAIST from their simulated snapshots and scores them.

    All is read and looked at before the first snapshot is reconstructed.

    Args:
        network: One of `hsi_xr.checkpoints.published.SNAPSHOT_NETWORKS`; hyphens count as
            underscores.
        weights: Its checkpoint as the authors saved it, or a safetensors file.
        data: The scenes and the mask.
        device: "auto", "cpu", "cuda" or "cuda:N".
        seen: Called with the scores of every scene when they are there.

    Raises:
        UnknownName: No such network or device.
        UsageError: The network reads RGB, or the scenes are smaller than a window of SSIM.
        InvalidCheckpoint: Weights that are missing, damaged, of another network, or of another
            number of bands.
        InvalidData: Scenes or mask are missing, truncated, of another shape, or far from [0, 1].
    """
    key, device = _key(network), resolve_device(device)
    _check_size(data.sizes[SPLIT])
    checked(data, SPLIT)
    path = Path(weights)
    model = _loaded(key, path, len(data.bands)).to(device)
    mask = _plausible(data.mask(), str(data.mask_path))
    cubes = {name: _plausible(data.cube(name), name) for name in data.splits[SPLIT]}
    protocol = SnapshotProtocol(
        network=key,
        inputs=published.NETWORKS[key].inputs,
        weights=path.name,
        weights_sha256=checksum(path),
        mask=data.mask_path.relative_to(data.folder).as_posix(),
        mask_sha256=checksum(data.mask_path),
        bands=data.bands.centres,
        size=data.sizes[SPLIT],
        device=device,
    )
    found = []
    for name, cube in cubes.items():
        estimate = reconstruct(model, protocol.inputs, cube, mask)
        if not np.isfinite(estimate).all():
            raise InvalidData(
                f"{key} answers numbers that are not finite for {name!r}; are its weights "
                f"{path.name!r} from a training that diverged?"
            )
        found.append(SnapshotScores(PurePosixPath(name).name, scores(estimate, cube)))
        if seen is not None:
            seen(found[-1])
    return SnapshotEvaluation(protocol, tuple(found))


@torch.inference_mode()
def reconstruct(network: nn.Module, inputs: Sequence[str], cube: Array, mask: Array) -> Array:
    """What a network makes of the snapshot of a cube.

    Args:
        network: On any device.
        inputs: What it is shown, in order, by the names of `hsi_xr.coded_aperture.forward.INPUTS`.
        cube: (bands, rows, columns).
        mask: (rows, columns).

    Returns:
        (bands, rows, columns), as the network answers it.
    """
    device = next(network.parameters()).device
    scene, aperture = (torch.from_numpy(each).to(device) for each in (cube[None], mask))
    snapshot = measure(scene, aperture)
    images = [INPUTS[name](snapshot, aperture, len(cube)) for name in inputs]
    answer: Array = network(*images)[0].cpu().numpy()
    return answer


def _key(network: str) -> str:
    key = published.key_of(network)
    if key not in published.SNAPSHOT_NETWORKS:
        raise UsageError(
            f"{network!r} reads RGB and no snapshots, which are for "
            f"{', '.join(published.SNAPSHOT_NETWORKS)}; score it by `hsi-xr evaluate`"
        )
    return key


def _loaded(key: str, path: Path, bands: int) -> nn.Module:
    state = read_checkpoint(path)
    try:
        model = published.load(key, state)
    except InvalidCheckpoint as error:
        raise InvalidCheckpoint(f"{str(path)!r}: {error}") from error
    if (found := published.sizes(key, state)["bands"]) != bands:
        raise InvalidCheckpoint(
            f"{str(path)!r} holds weights of {key} for {found} bands, and the scenes have {bands}; "
            "give those of the simulation on KAIST"
        )
    return model


def _check_size(size: tuple[int, int]) -> None:
    if min(size) <= 2 * RADIUS:
        raise UsageError(
            f"scenes of {size[0]} x {size[1]} px are smaller than the windows of SSIM, "
            f"{2 * RADIUS + 1} x {2 * RADIUS + 1}; give larger ones"
        )


def _plausible(values: Array, source: str) -> Array:
    """The numbers, contiguous, if they can be shares of light."""
    least, most = float(values.min()), float(values.max())
    if not (np.isfinite([least, most]).all() and least >= -FAR and 0 < most <= 1 + FAR):
        raise InvalidData(
            f"{source!r} holds numbers from {least:g} to {most:g}, and must be in [0, 1]; "
            "get it anew"
        )
    return np.ascontiguousarray(values)
