"""Chooses the bands of an image that a reconstruction uses: colours, or channels of a sensor."""

from collections.abc import Sequence

from hsi_xr.camera.bandpass import published
from hsi_xr.camera.spectral_response import RGB, SpectralResponse
from hsi_xr.io import colours
from hsi_xr.io.band_facts import BandFacts
from hsi_xr.io.channels import Channels, choose_channels


def choose_bands(
    facts: Sequence[BandFacts], selection: colours.Selection | None, channels: Channels | None
) -> colours.Chosen:
    """Returns the bands of an image that are red, green and blue, or channels of a sensor.

    Args:
        facts: Facts of all bands of the image.
        selection: Bands that are given by number or name; None finds them by what is stated.
        channels: The channels of the sensor; None for red, green and blue.

    Raises:
        BandMismatch: It is not clear which bands they are.
        UnknownName: There is no band of a given name.
    """
    if channels is None:
        return colours.choose(facts, selection)
    return choose_channels(facts, channels, selection)


def channels_of(response: SpectralResponse | None) -> Channels | None:
    """Returns the channels of a sensor; None for red, green and blue of a camera."""
    if response is None or response.channels == RGB:
        return None
    if response.nominal is None:
        usable = tuple(range(len(response.channels)))
        return Channels(response.name, response.channels, None, usable)
    sensor = published()[response.name]
    usable = tuple(map(sensor.names.index, response.channels))
    return Channels(response.name, sensor.names, sensor.bands, usable)
