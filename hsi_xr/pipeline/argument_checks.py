"""Checks the arguments of a reconstruction against the scene and the model."""

import os
from collections.abc import Sequence

from hsi_xr.camera.spectral_response import UNKNOWN, CameraLike, SpectralResponse
from hsi_xr.checkpoints.card import Card
from hsi_xr.errors import BandMismatch, MissingFact, UnknownName, UsageError
from hsi_xr.io.channels import Channels, red_green_blue
from hsi_xr.io.colours import Selection
from hsi_xr.pipeline.job import CONSISTENCIES, Consistency
from hsi_xr.pipeline.scene import Scene

_UNKNOWN_LEVEL = {
    "srgb": "an sRGB image was adjusted in brightness, tint and contrast for display",
    "linear": "in linear light of unknown exposure, the brightness of white is unknown",
}


def check_counts(*, samples: int, seed: int, batch: int | None) -> None:
    """Raises a UsageError if a number is out of range."""
    if not 1 <= samples <= 1024:
        raise UsageError(f"samples must be 1 to 1024; got {samples}")
    if not 0 <= seed < 2**64:
        raise UsageError(f"seed must be an integer from 0 to 2**64 - 1; got {seed}")
    if batch is not None and batch < 1:
        raise UsageError(f"batch must be at least 1; got {batch}")


def check_uncertainty(card: Card) -> None:
    """Raises a UsageError if a model does not estimate its uncertainty."""
    if not card.has_uncertainty:
        raise UsageError(
            f"{card.name} does not compute an out-of-distribution score; the default model does"
        )


def check_draws(card: Card, samples: int) -> None:
    """Raises a UsageError if a model cannot draw jointly, or one draw alone is asked for."""
    if not card.has_uncertainty:
        raise UsageError(
            f"{card.name} has no posterior to draw from; use the default model, or omit draws=True "
            "(--draws)"
        )
    if samples < 2:
        raise UsageError(
            f"draws=True keeps each of several samples; got samples={samples}. Pass e.g. "
            "samples=16 (--draws 16)"
        )


def check_memory(output_bytes: int, *, lazy: bool) -> None:
    """Raises a UsageError if draws that are computed at once do not fit into memory."""
    installed = _memory_bytes()
    if lazy or installed is None or output_bytes <= installed:
        return
    raise UsageError(
        f"these draws have {output_bytes / 2**30:.1f} GiB, and this machine has "
        f"{installed / 2**30:.1f} GiB of memory; open the scene lazily, e.g. rgb.chunk(x=512, "
        "y=512), and write the cube as Zarr or NetCDF, ask for fewer samples= (--draws), or select "
        "a part of the scene"
    )


def _memory_bytes() -> int | None:
    """Returns the size of the machine's memory; None if the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None


def selected(rgb: Selection | None, bands: Selection | None) -> Selection | None:
    """Returns the bands that are selected by one of two arguments.

    Raises:
        UsageError: Both are given.
    """
    if rgb is not None and bands is not None:
        raise UsageError("rgb= selects red, green and blue, bands= any channels; pass one of them")
    return bands if rgb is None else rgb


def check_channels(scene: Scene, card: Card, channels: Channels | None) -> None:
    """Raises a BandMismatch if a model does not use the channels of a scene."""
    if channels is None:
        return
    rgb, used = red_green_blue(channels), scene.meaning.chosen.channels
    is_rgb = [channels.usable[k] for k in used] == rgb if rgb else len(used) == 3
    if is_rgb or (card.camera_aware and scene.radiometry.level_known):
        return
    names = ", ".join(channels.names[channels.usable[k]] for k in used)
    reason = card.name if not card.camera_aware else f"an estimate from {scene.radiometry.kind}"
    raise BandMismatch(
        f"{reason} uses red, green and blue alone, and the bands are {names} of {channels.sensor}; "
        "select red, green and blue, rgb=(...) (--bands), or use reflectance, "
        "radiometry='reflectance' (--radiometry reflectance), with the default model"
    )


def check_quantiles(card: Card, quantiles: Sequence[float]) -> None:
    """Raises a UsageError if a model has no quantiles, or their probabilities are invalid."""
    if not quantiles:
        return
    steps = [1000 * p for p in quantiles]
    if not all(0 < step < 1000 and abs(step - round(step)) < 1e-6 for step in steps):
        raise UsageError(
            "quantiles= (--quantiles) are probabilities between 0 and 1 with up to three decimals, "
            f"e.g. 0.05,0.5,0.95; got {', '.join(f'{p:g}' for p in quantiles)}"
        )
    if len({round(step) for step in steps}) < len(steps):
        raise UsageError("quantiles= (--quantiles) has the same probability twice; omit one")
    if not card.has_uncertainty:
        raise UsageError(
            f"{card.name} does not compute quantiles; the default model does. Draw samples for a "
            "standard deviation instead: samples=16 (--samples 16)"
        )


def response_of(camera: CameraLike | None, card: Card) -> SpectralResponse | None:
    """Returns the response of a camera over a model's bands; None if the camera is unknown."""
    if camera is None or (isinstance(camera, str) and camera == UNKNOWN):
        return None
    return SpectralResponse.of(camera, card.bands)


def check_comparable(
    scene: Scene, response: SpectralResponse | None, consistency: Consistency | None
) -> None:
    """Raises an error if the estimate cannot be compared with the image.

    Raises:
        UnknownName: There is no such consistency.
        MissingFact: The camera is unknown.
        UsageError: The level of the image is unknown.
    """
    if consistency is not None and consistency not in CONSISTENCIES:
        raise UnknownName(
            f"no consistency is called {consistency!r}; choose {' or '.join(CONSISTENCIES)}"
        )
    if response is None:
        raise MissingFact(
            "consistency and residual compare the estimate, as the camera would record it, with "
            "the image; specify the camera: a name from `hsi_xr.cameras()`, e.g. "
            "camera='hasselblad-l2d-20c' (--camera NAME), or the path of a JSON file of its "
            "sensitivities"
        )
    if not scene.radiometry.level_known:
        raise UsageError(
            "consistency and residual compare reflectance with reflectance, and "
            f"{_UNKNOWN_LEVEL[scene.radiometry.kind]}; divide the image by what the camera records "
            "of a white reflector and pass radiometry='reflectance' (--radiometry reflectance), or "
            "omit them"
        )


def steps_of(card: Card, steps: int | None) -> int | None:
    """Returns the number of steps if it differs from that of the card, otherwise None.

    Raises:
        UsageError: The model does not offer that number.
    """
    if steps is None or steps == card.steps:
        return None
    if steps not in card.step_choices:
        choices = ", ".join(map(str, card.step_choices))
        raise UsageError(f"{card.name} runs in {choices} steps; got {steps}")
    return steps
