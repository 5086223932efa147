"""Scores published networks on simulated coded-aperture snapshots, by the published protocol.

Each of the ten KAIST scenes is measured through the mask without noise, with neighbouring bands
`STEP` pixels apart. The network receives the inputs that its authors use; its output is scored on
256 levels. Scenes run one at a time; the published code runs all ten at once, with equal results.

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
from hsi_xr.checkpoints.tensors import read_checkpoint
from hsi_xr.coded_aperture.forward import INPUTS, STEP, measure
from hsi_xr.coded_aperture.scores import COLUMNS, scores
from hsi_xr.datasets._base import Array
from hsi_xr.datasets._registry import verify
from hsi_xr.datasets.kaist import Kaist
from hsi_xr.errors import InvalidCheckpoint, InvalidData, UsageError
from hsi_xr.evaluation._tables import aligned, as_json, average, cells, plain
from hsi_xr.evaluation.by_band import RADIUS
from hsi_xr.pipeline.devices import resolve_device

SPLIT: Final = "test"
FAR: Final = 1.0
"""Largest distance from [0, 1] of a value that is clipped; camera counts are farther away."""


@dataclass(frozen=True, kw_only=True)
class SnapshotProtocol:
    """Everything that the scores depend on."""

    network: str
    """Name in `hsi_xr.checkpoints.published`."""
    inputs: Sequence[str]
    """Names of its inputs; see `hsi_xr.coded_aperture.forward.INPUTS`."""
    weights: str
    """File name of the weights."""
    weights_sha256: str
    mask: str
    """Path of the mask within the data set."""
    mask_sha256: str
    bands: Sequence[float]
    """Band centres in nm."""
    size: tuple[int, int]
    """(rows, columns) of a scene and of the mask."""
    device: str
    step: int = STEP
    """Dispersion between neighbouring bands, in pixels."""
    noise: str = "none"
    version: str = field(default=__version__)
    """Version of hsi_xr."""

    def as_json(self) -> dict[str, Any]:
        fields = asdict(self)
        return {"hsi_xr": fields.pop("version"), **fields}

    def lines(self) -> list[str]:
        """Returns the protocol as lines of text."""
        rows, columns = self.size
        count, first, last = len(self.bands), self.bands[0], self.bands[-1]
        return [
            f"network {self.network}, weights {self.weights}, sha256 {self.weights_sha256}; inputs "
            f"{' and '.join(self.inputs)}, where H is the snapshot times 2/{count}",
            f"mask {self.mask}, sha256 {self.mask_sha256}",
            f"hsi-xr {self.version}; ten scenes of KAIST, {rows} x {columns} px, {count} bands, "
            f"{first:g}-{last:g} nm, {self.step} px apart, noise {self.noise}, device "
            f"{self.device}; both cubes clipped to [0, 1] and rounded to 256 levels, scores "
            "averaged over scenes",
            *(f"{column.title}: {column.meaning}" for column in COLUMNS.values()),
        ]


@dataclass(frozen=True)
class SnapshotScores:
    """Scores of one scene."""

    scene: str
    scores: Mapping[str, float]
    """Score by name; see `hsi_xr.coded_aperture.scores.COLUMNS`."""


@dataclass(frozen=True)
class SnapshotEvaluation:
    """Scores of a network on every scene, with the protocol that produced them."""

    protocol: SnapshotProtocol
    scenes: tuple[SnapshotScores, ...]

    @cached_property
    def mean(self) -> dict[str, float]:
        """Mean of each score over the scenes where it is defined."""
        return {name: average([scene.scores[name] for scene in self.scenes]) for name in COLUMNS}

    def markdown(self) -> str:
        """Returns a table with a row per scene and one for the mean, followed by the protocol."""
        head = ["scene", *(column.title for column in COLUMNS.values())]
        rows = [[name, *cells(values, COLUMNS)] for name, values in self._rows()]
        protocol = [f"- {line}" for line in self.protocol.lines()]
        return "\n".join([*aligned([head, *rows], left=1), "", *protocol, ""])

    def csv(self) -> str:
        """Returns the table as CSV; every row repeats the protocol."""
        protocol = self.protocol.as_json()
        protocol |= {key: " ".join(map(str, protocol[key])) for key in ("inputs", "bands", "size")}
        text = StringIO()
        table = csv.DictWriter(text, ["scene", *COLUMNS, *protocol], lineterminator="\n")
        table.writeheader()
        table.writerows({"scene": name, **values, **protocol} for name, values in self._rows())
        return text.getvalue()

    def json(self) -> str:
        """Returns protocol, score definitions, means, and the scores of every scene as JSON."""
        return as_json(
            {
                "protocol": self.protocol.as_json(),
                "scores": {name: column.meaning for name, column in COLUMNS.items()},
                "mean": plain(self.mean),
                "scenes": [{"scene": scene.scene, **plain(scene.scores)} for scene in self.scenes],
            }
        )

    def _rows(self) -> Iterator[tuple[str, Mapping[str, float]]]:
        yield from ((scene.scene, scene.scores) for scene in self.scenes)
        yield "mean", self.mean


def evaluate(
    network: str,
    weights: str | os.PathLike[str],
    data: Kaist,
    *,
    device: str = "auto",
    on_scene: Callable[[SnapshotScores], None] | None = None,
) -> SnapshotEvaluation:
    """Reconstructs the ten KAIST scenes from simulated snapshots and scores them.

    All files are read and checked before the first snapshot is reconstructed.

    Args:
        network: One of `hsi_xr.checkpoints.published.SNAPSHOT_NETWORKS`, with hyphens or
            underscores.
        weights: Checkpoint as published, or a safetensors file.
        data: Scenes and mask.
        device: "auto", "cpu", "cuda" or "cuda:N".
        on_scene: Called with the scores of each scene as soon as they are computed.

    Returns:
        The scores of every scene, with the protocol.

    Raises:
        UnknownName: There is no such network or device.
        UsageError: The network reads RGB, or the scenes are smaller than an SSIM window.
        InvalidCheckpoint: The weights are missing, damaged, of another network, or of another
            number of bands.
        InvalidData: Scenes or mask are missing, truncated, of the wrong shape, or far from [0, 1].
    """
    key, device = _key(network), resolve_device(device)
    _check_size(data.sizes[SPLIT])
    verify(data, SPLIT)
    path = Path(weights)
    model = _loaded(key, path, len(data.bands)).to(device)
    mask = _check_values(data.mask(), str(data.mask_path))
    cubes = {name: _check_values(data.cube(name), name) for name in data.splits[SPLIT]}
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
    scored = []
    for name, cube in cubes.items():
        estimate = reconstruct(model, protocol.inputs, cube, mask)
        if not np.isfinite(estimate).all():
            raise InvalidData(
                f"{key} returns values that are not finite for {name!r}; check that the training "
                f"of {path.name!r} did not diverge"
            )
        scored.append(SnapshotScores(PurePosixPath(name).name, scores(estimate, cube)))
        if on_scene is not None:
            on_scene(scored[-1])
    return SnapshotEvaluation(protocol, tuple(scored))


@torch.inference_mode()
def reconstruct(network: nn.Module, inputs: Sequence[str], cube: Array, mask: Array) -> Array:
    """Reconstructs a cube from its simulated snapshot.

    Args:
        network: Network on any device.
        inputs: Names of its inputs, in order; see `hsi_xr.coded_aperture.forward.INPUTS`.
        cube: (bands, rows, columns) in [0, 1].
        mask: (rows, columns) in [0, 1].

    Returns:
        (bands, rows, columns), the output of the network.
    """
    device = next(network.parameters()).device
    scene, aperture = (torch.from_numpy(array).to(device) for array in (cube[None], mask))
    snapshot = measure(scene, aperture)
    images = [INPUTS[name](snapshot, aperture, len(cube)) for name in inputs]
    output: Array = network(*images)[0].cpu().numpy()
    return output


def _key(network: str) -> str:
    key = published.key_of(network)
    if key not in published.SNAPSHOT_NETWORKS:
        raise UsageError(
            f"{network!r} reads RGB images, not snapshots; score it with `hsi-xr evaluate`. "
            f"Networks for snapshots: {', '.join(published.SNAPSHOT_NETWORKS)}"
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
            f"{str(path)!r} contains weights of {key} for {found} bands, but the scenes have "
            f"{bands}; give weights trained for the KAIST simulation"
        )
    return model


def _check_size(size: tuple[int, int]) -> None:
    if min(size) <= 2 * RADIUS:
        raise UsageError(
            f"scenes of {size[0]} x {size[1]} px are smaller than an SSIM window of "
            f"{2 * RADIUS + 1} x {2 * RADIUS + 1} px; give larger scenes"
        )


def _check_values(values: Array, source: str) -> Array:
    """Returns the values as a contiguous array if they are finite and close to [0, 1]."""
    least, most = float(values.min()), float(values.max())
    if not (np.isfinite([least, most]).all() and least >= -FAR and 0 < most <= 1 + FAR):
        raise InvalidData(
            f"{source!r} has values from {least:g} to {most:g}, but they must be in [0, 1]; "
            "download it again"
        )
    return np.ascontiguousarray(values)
