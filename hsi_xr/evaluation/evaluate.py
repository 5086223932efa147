"""Scores models on data sets: reconstructs entire images and applies the protocol."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands
from hsi_xr.camera.spectral_response import TABLE, CameraLike, is_path
from hsi_xr.checkpoints.card import WEIGHTS, Card, checksum
from hsi_xr.checkpoints.registry import find
from hsi_xr.datasets import _camera
from hsi_xr.datasets._base import Array, DataSet, Pair
from hsi_xr.datasets._registry import verify
from hsi_xr.errors import BandMismatch, InvalidData, UnknownName, UsageError
from hsi_xr.evaluation._pairing import valid_pixels
from hsi_xr.evaluation.crops import crop_of
from hsi_xr.evaluation.metrics import Tally
from hsi_xr.evaluation.protocol import Camera, Data, Model, Protocol, Settings
from hsi_xr.evaluation.result import Evaluation, Image
from hsi_xr.evaluation.scores import scores
from hsi_xr.pipeline.reconstruct import reconstruct

Name = str | os.PathLike[str]

_CHANNELS = ("red", "green", "blue")

TOLERANCE = 0.1
"""Largest distance between the centres of bands that count as the same, nm."""


@dataclass(frozen=True, eq=False)
class ScoredImage:
    """A scored image with its pixels, for plots."""

    image: Image
    rgb: Array
    """(3, rows, columns) in the coding of the data set."""
    coding: str
    estimate: NDArray[np.floating]
    """(bands, rows, columns), multiplied by the gain if the protocol requires it."""
    truth: NDArray[np.floating]
    crop: tuple[slice, slice]
    """Scored rows and columns."""
    response: Array | None = None
    """(3, bands) spectral response of the camera for BPMRAE."""


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
    options: Mapping[str, Mapping[str, object]] | None = None,
    on_image: Callable[[ScoredImage], None] | None = None,
) -> Evaluation:
    """Reconstructs every image of a split with every model and scores it against its cube.

    Names, files and bands are checked before the first image is read.

    Args:
        models: Names, weights files or folders, as for `hsi_xr.reconstruct`.
        datasets: Data sets by their label in the table.
        split, crop, scale, floor, device, samples, seed: See `Settings`.
        camera: Camera for BPMRAE, which compares estimates after projection to RGB: one of
            `hsi_xr.cameras()`, the path of a JSON file of rawtoaces-data, or sensitivities
            (3, bands) over the bands of every data set.
        options: Options that the data sets were opened with, by label; recorded in the protocol.
        on_image: Called with each image as soon as it is scored.

    Returns:
        The scores of every image, with the protocol.

    Raises:
        UnknownName: There is no such model, split, crop, scale, camera or device.
        UsageError: There is nothing to score, two models have the same name, or the camera is not
            three curves over the bands of every data set.
        BandMismatch: A model and a data set, or one of its cubes, share fewer than half of their
            bands, or only bands in which the camera has no response.
        InvalidData: Files of the split are missing, truncated or of the wrong shape, an RGB image
            does not fit its cube, or an image has no valid pixel.
    """
    settings = Settings(
        split=split,
        crop=crop,
        scale=scale,
        floor=floor,
        device=_resolve(device),
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
        verify(data, split)
    protocol = Protocol(
        settings=settings,
        models=tuple(_model(label, card) for label, (_, card) in cards.items()),
        data=tuple(case.description for case in cases),
        camera=_describe_camera(camera),
    )
    images = []
    for scored in (image for case in cases for image in _score_case(case, cards, settings)):
        images.append(scored.image)
        if on_image is not None:
            on_image(scored)
    return Evaluation(protocol, tuple(images))


def shared_bands(
    model: str, of_model: Bands, data: str, of_data: Bands
) -> tuple[list[int], list[int]]:
    """Returns the indices of the bands of a model and a data set that have the same centres.

    Raises:
        BandMismatch: Fewer than half of the bands are shared, too few to judge a model by.
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
            "in common; score the model on data with its wavelengths"
        )


def _check_response(response: Array, whose: str) -> None:
    if zero := [c for c, curve in zip(_CHANNELS, response) if curve.sum() <= 0]:
        raise BandMismatch(
            f"the camera has no response in {' and '.join(zero)} over the {response.shape[1]} "
            f"bands that {whose} have in common; omit the camera"
        )


@dataclass(frozen=True, eq=False)
class _Case:
    """A data set and the bands to score, before any image is read."""

    description: Data
    data: DataSet
    names: Sequence[str]
    shared: Mapping[str, tuple[list[int], list[int]]]
    """Shared bands by model; see `shared_bands`."""
    response: Array | None
    """(3, bands of the data set) spectral response of the camera for BPMRAE."""

    @classmethod
    def of(
        cls,
        label: str,
        data: DataSet,
        options: Mapping[str, object],
        cards: Mapping[str, tuple[Name, Card]],
        split: str,
        camera: CameraLike | None,
    ) -> "_Case":
        names = _names(label, data, split)
        description = Data(
            label=label, coding=data.coding, images=len(names), options=dict(options)
        )
        shared = {
            model: shared_bands(model, card.bands, label, data.bands)
            for model, (_, card) in cards.items()
        }
        response = None if camera is None else _camera.response(camera, data.bands)
        if response is not None:
            for model, (_, theirs) in shared.items():
                _check_response(response[:, theirs], f"{model} and {label}")
        return cls(description, data, names, shared, response)


def _score_case(
    case: _Case, cards: Mapping[str, tuple[Name, Card]], settings: Settings
) -> Iterator[ScoredImage]:
    """Scores all models on a data set, reading each image once."""
    label, data = case.description.label, case.data
    for name in case.names:
        pair = _check_pair(label, data, data.read(name))
        crop = crop_of(settings.crop)(*pair.cube.shape[1:])
        known = np.asarray(~np.isnan(pair.cube[:, *crop]).all((1, 2)))
        if not known.any():
            raise InvalidData(f"{label}: {name!r} has no valid pixel to score; exclude it")
        for model, (given, card) in cards.items():
            both = [(m, t) for m, t in zip(*case.shared[model]) if known[t]]
            _check_enough(model, card.bands, f"{label}: {name!r}", data.bands, len(both))
            mine, theirs = (list(indices) for indices in zip(*both))
            estimate = _estimate(given, pair.rgb, data.coding, settings)[mine]
            image = Image(label, model, name, tuple(data.bands.centres[i] for i in theirs), {})
            response = None if case.response is None else case.response[:, theirs]
            truth = pair.cube[theirs]
            unscored = ScoredImage(image, pair.rgb, data.coding, estimate, truth, crop, response)
            yield _score(unscored, settings)


def _score(unscored: ScoredImage, settings: Settings) -> ScoredImage:
    within = (slice(None), *unscored.crop)
    estimate, truth = unscored.estimate, unscored.truth[within]
    if not valid_pixels(estimate[within], truth).any():
        image = unscored.image
        raise InvalidData(
            f"{image.data}: {image.name!r} has no pixel to score: no pixel is valid in all bands "
            f"of both its cube and the estimate of {image.model}; exclude it"
        )
    gain = Tally.of(estimate[within], truth).gain
    if settings.scale == "gain":
        estimate = gain * estimate
    values = scores(estimate[within], truth, floor=settings.floor, response=unscored.response)
    values["gain"] = gain
    return replace(unscored, estimate=estimate, image=replace(unscored.image, scores=values))


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


def _check_pair(label: str, data: DataSet, pair: Pair) -> Pair:
    rows, columns = pair.cube.shape[1:]
    if pair.cube.shape[0] != len(data.bands) or pair.rgb.shape != (3, rows, columns):
        raise InvalidData(
            f"{label}: {pair.name!r} has a cube of shape {pair.cube.shape} and an RGB image of "
            f"shape {pair.rgb.shape}; they must be ({len(data.bands)}, rows, columns) and "
            "(3, rows, columns)"
        )
    return pair


def _cards(models: Sequence[Name]) -> dict[str, tuple[Name, Card]]:
    """Returns the model as given and its card, by label."""
    cards: dict[str, tuple[Name, Card]] = {}
    for model in models:
        card = find(model)
        label = _label(card)
        if label in cards:
            raise UsageError(
                f"two models are called {label!r}; give one of them, or rename a file or folder"
            )
        cards[label] = (model, card)
    return cards


def _label(card: Card) -> str:
    """Returns a name for the table: that of the folder where weights have the common name."""
    if card.weights is not None and card.weights.name == WEIGHTS:
        return card.weights.resolve().parent.name
    return card.call


def _model(label: str, card: Card) -> Model:
    return Model(label=label, name=f"{card.name} {card.version}", sha256=card.sha256)


def _describe_camera(camera: CameraLike | None) -> Camera | None:
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
        known = ", ".join(key for key, scenes in data.splits.items() if scenes) or "none"
        raise UnknownName(f"{label} has no split {split!r}; known: {known}")
    return names


def _resolve(device: str) -> str:
    """Replaces "auto" with the device, since results differ between devices in the last digits."""
    from hsi_xr.pipeline.devices import resolve_device

    return resolve_device(device)


def _range(bands: Bands) -> str:
    return f"{len(bands)} bands, {bands.centres[0]:g} to {bands.centres[-1]:g} nm"
