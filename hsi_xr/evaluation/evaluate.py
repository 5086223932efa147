"""Scores models on data sets: whole images through `hsi_xr.reconstruct`, then the protocol."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands
from hsi_xr.camera.spectral_response import TABLE, CameraLike, is_path
from hsi_xr.checkpoints.card import WEIGHTS, Card, checksum
from hsi_xr.checkpoints.registry import find
from hsi_xr.datasets import _camera
from hsi_xr.datasets._base import Array, DataSet, Pair
from hsi_xr.datasets._registry import checked
from hsi_xr.errors import BandMismatch, InvalidData, UnknownName, UsageError
from hsi_xr.evaluation._pairing import whole
from hsi_xr.evaluation.crops import crop_of
from hsi_xr.evaluation.metrics import Tally
from hsi_xr.evaluation.protocol import Camera, Data, Model, Protocol, Settings
from hsi_xr.evaluation.result import Evaluation, Image
from hsi_xr.evaluation.scores import scores
from hsi_xr.pipeline.reconstruct import reconstruct

Name = str | os.PathLike[str]

_CHANNELS = ("red", "green", "blue")

TOLERANCE = 0.1
"""nm between the centres of bands that are the same."""


@dataclass(frozen=True, eq=False)
class ScoredImage:
    """An image that was scored, whole, for whoever draws it."""

    image: Image
    rgb: Array
    """(3, rows, columns) as the data set has it."""
    coding: str
    estimate: NDArray[Any]
    """(bands, rows, columns), with the gain on it where the protocol asks for one."""
    truth: NDArray[Any]
    crop: tuple[slice, slice]
    """Rows and columns that were scored."""
    response: Array | None = None
    """(3, bands) of the camera whose view was scored."""


def evaluate(
    models: Sequence[Name],
    datasets: Mapping[str, DataSet],
    *,
    split: str = "test",
    crop: str = "none",
    scale: str = "none",
    floor: float = 0.0,
    device: str = "auto",
    samples: int = 1,
    seed: int = 0,
    camera: CameraLike | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    seen: Callable[[ScoredImage], None] | None = None,
) -> Evaluation:
    """Reconstructs every image of a split with every model and scores it against its cube.

    What can be refused is refused before an image is read.

    Args:
        models: Names, weights files or folders, as `hsi_xr.reconstruct` takes them.
        datasets: By the labels that the table shall have.
        split, crop, scale, floor, device, samples, seed: See `Settings`.
        camera: Whose view of estimates is scored, too (BPMRAE): one of `hsi_xr.cameras()`, the path
            of a JSON file of rawtoaces-data, or sensitivities (3, bands) over the bands of every
            data set.
        options: With which data sets were opened, by label; told in the protocol.
        seen: Called with every image when it is scored.

    Raises:
        UnknownName: No such model, split, crop, scale, camera or device.
        UsageError: Nothing to score, two models of one name, or a camera that is no three curves
            over the bands of every data set.
        BandMismatch: A model and a data set, or one of its cubes, share less than half of their
            bands, or those alone that the camera does not see.
        InvalidData: Files of the split are missing, truncated or of another shape; a picture that
            does not fit its cube, or no pixel to score.
    """
    settings = Settings(
        split=split,
        crop=crop,
        scale=scale,
        floor=floor,
        device=_resolved(device),
        samples=samples,
        seed=seed,
    )
    cards = _cards(models)
    if not cards or not datasets:
        raise UsageError("an evaluation needs at least one model and one data set")
    opened = options or {}
    cases = [
        _Case.of(k, data, opened.get(k, {}), cards, split, camera) for k, data in datasets.items()
    ]
    for data in datasets.values():
        checked(data, split)
    protocol = Protocol(
        settings=settings,
        models=tuple(_model(label, card) for label, (_, card) in cards.items()),
        data=tuple(case.about for case in cases),
        camera=_told(camera),
    )
    images = []
    for sight in (sight for case in cases for sight in _sights(case, cards, settings)):
        images.append(sight.image)
        if seen is not None:
            seen(sight)
    return Evaluation(protocol, tuple(images))


def shared_bands(
    model: str, of_model: Bands, data: str, of_data: Bands
) -> tuple[list[int], list[int]]:
    """Which bands of a model and of a data set have the same centres.

    Raises:
        BandMismatch: Less than half of either's: scores of so few tell nothing of the rest.
    """
    nearest = [of_data.nearest(centre) for centre in of_model.centres]
    same = [
        (mine, theirs)
        for mine, theirs in enumerate(nearest)
        if abs(of_model.centres[mine] - of_data.centres[theirs]) <= TOLERANCE
    ]
    _check_enough(model, of_model, data, of_data, len(same))
    return [mine for mine, _ in same], [theirs for _, theirs in same]


def _check_enough(model: str, of_model: Bands, data: str, of_data: Bands, shared: int) -> None:
    if 2 * shared < max(len(of_model), len(of_data)):
        raise BandMismatch(
            f"{model} ({_range(of_model)}) and {data} ({_range(of_data)}) have {shared} bands "
            "in common; score it on data with its wavelengths"
        )


def _check_seen(response: Array, whose: str) -> None:
    if blind := [c for c, curve in zip(_CHANNELS, response) if curve.sum() <= 0]:
        raise BandMismatch(
            f"the {' and '.join(blind)} of the camera sees none of the {response.shape[1]} bands "
            f"that {whose} have in common; leave out the camera"
        )


@dataclass(frozen=True, eq=False)
class _Case:
    """A data set and what of it is scored; nothing is read yet."""

    about: Data
    data: DataSet
    names: Sequence[str]
    shared: Mapping[str, tuple[list[int], list[int]]]
    """By model; see `shared_bands`."""
    response: Array | None
    """(3, bands of the data set) of the camera whose view is scored."""

    @classmethod
    def of(
        cls,
        label: str,
        data: DataSet,
        options: Mapping[str, Any],
        cards: Mapping[str, tuple[Name, Card]],
        split: str,
        camera: CameraLike | None,
    ) -> "_Case":
        names = _names(label, data, split)
        about = Data(label=label, coding=data.coding, images=len(names), options=dict(options))
        shared = {
            model: shared_bands(model, card.bands, label, data.bands)
            for model, (_, card) in cards.items()
        }
        response = None if camera is None else _camera.response(camera, data.bands)
        if response is not None:
            for model, (_, theirs) in shared.items():
                _check_seen(response[:, theirs], f"{model} and {label}")
        return cls(about, data, names, shared, response)


def _sights(
    case: _Case, cards: Mapping[str, tuple[Name, Card]], settings: Settings
) -> Iterator[ScoredImage]:
    """Reads each image once, for all models."""
    label, data = case.about.label, case.data
    for name in case.names:
        pair = _checked(label, data, data.read(name))
        crop = crop_of(settings.crop)(*pair.cube.shape[1:])
        known = np.asarray(~np.isnan(pair.cube[:, *crop]).all((1, 2)))
        if not known.any():
            raise InvalidData(f"{label}: {name!r} has no known pixel to score; leave it out")
        for model, (given, card) in cards.items():
            both = [(m, t) for m, t in zip(*case.shared[model]) if known[t]]
            _check_enough(model, card.bands, f"{label}: {name!r}", data.bands, len(both))
            mine, theirs = (list(each) for each in zip(*both))
            estimate = _estimate(given, pair.rgb, data.coding, settings)[mine]
            image = Image(label, model, name, tuple(data.bands.centres[i] for i in theirs), {})
            response = None if case.response is None else case.response[:, theirs]
            truth = pair.cube[theirs]
            sight = ScoredImage(image, pair.rgb, data.coding, estimate, truth, crop, response)
            yield _scored(sight, settings)


def _scored(sight: ScoredImage, settings: Settings) -> ScoredImage:
    within = (slice(None), *sight.crop)
    estimate, truth = sight.estimate, sight.truth[within]
    if not whole(estimate[within], truth).any():
        image = sight.image
        raise InvalidData(
            f"{image.data}: {image.name!r} has no pixel to score: nowhere are all bands of its "
            f"cube and of what {image.model} gave known; leave it out"
        )
    gain = Tally.of(estimate[within], truth).gain
    if settings.scale == "gain":
        estimate = gain * estimate
    found = scores(estimate[within], truth, floor=settings.floor, response=sight.response)
    found["gain"] = gain
    return replace(sight, estimate=estimate, image=replace(sight.image, scores=found))


def _estimate(model: Name, rgb: Array, coding: str, settings: Settings) -> NDArray[np.float32]:
    cube = reconstruct(
        xr.DataArray(rgb, dims=("band", "y", "x")),
        model,
        radiometry=coding,
        scale=1.0,
        samples=settings.samples,
        seed=settings.seed,
        device=settings.device,
        allow_ungeoreferenced=True,
    )
    values: NDArray[np.float32] = cube["reflectance"].values
    return values


def _checked(label: str, data: DataSet, pair: Pair) -> Pair:
    rows, columns = pair.cube.shape[1:]
    if pair.cube.shape[0] != len(data.bands) or pair.rgb.shape != (3, rows, columns):
        raise InvalidData(
            f"{label}: {pair.name!r} has a cube of {pair.cube.shape} and a picture of "
            f"{pair.rgb.shape}; they must be ({len(data.bands)}, rows, columns) and "
            "(3, rows, columns)"
        )
    return pair


def _cards(models: Sequence[Name]) -> dict[str, tuple[Name, Card]]:
    """Label -> what was asked for, and its card."""
    found: dict[str, tuple[Name, Card]] = {}
    for model in models:
        card = find(model)
        label = _label(card)
        if label in found:
            raise UsageError(
                f"two models are called {label!r}; give it once, or rename a file or folder"
            )
        found[label] = (model, card)
    return found


def _label(card: Card) -> str:
    """A name for the table; the files in a model's folder are all called alike."""
    if card.weights is not None and card.weights.name == WEIGHTS:
        return card.weights.resolve().parent.name
    return card.call


def _model(label: str, card: Card) -> Model:
    return Model(label=label, name=f"{card.name} {card.data['version']}", sha256=card.sha256)


def _told(camera: CameraLike | None) -> Camera | None:
    if camera is None:
        return None
    if is_path(camera):
        return Camera(name=Path(camera).name, sha256=checksum(Path(camera)))
    if isinstance(camera, str):
        return Camera(name=camera, sha256=checksum(TABLE))
    numbers = np.ascontiguousarray(camera, dtype="<f4").tobytes()
    return Camera(name="as numbers", sha256=hashlib.sha256(numbers).hexdigest())


def _names(label: str, data: DataSet, split: str) -> Sequence[str]:
    names = data.splits.get(split, ())
    if not names:
        there = ", ".join(each for each, scenes in data.splits.items() if scenes) or "none"
        raise UnknownName(f"{label} has no split {split!r}; it has: {there}")
    return names


def _resolved(device: str) -> str:
    """What "auto" is here, since results of devices differ in the last digits."""
    from hsi_xr.pipeline.devices import resolve_device

    return resolve_device(device)


def _range(bands: Bands) -> str:
    return f"{len(bands)} bands, {bands.centres[0]:g} to {bands.centres[-1]:g} nm"
