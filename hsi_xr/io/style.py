"""The style file from which QGIS learns which bands to show: it ignores what the GeoTIFF says."""

from pathlib import Path

from hsi_xr.io.natural_colour import small, white

_CHANNEL = """\
      <{name}ContrastEnhancement>
        <minValue>0</minValue>
        <maxValue>{white:.6g}</maxValue>
        <algorithm>StretchToMinimumMaximum</algorithm>
      </{name}ContrastEnhancement>
"""
_STYLE = """\
<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.22" styleCategories="Symbology">
  <pipe>
    <rasterrenderer type="multibandcolor" opacity="1" alphaBand="-1" \
redBand="{red}" greenBand="{green}" blueBand="{blue}">
      <minMaxOrigin>
        <limits>None</limits>
        <extent>WholeRaster</extent>
        <statAccuracy>Estimated</statAccuracy>
      </minMaxOrigin>
{channels}    </rasterrenderer>
    <brightnesscontrast brightness="0" contrast="0" gamma="2.2"/>
  </pipe>
</qgis>
"""
"""One stretch for all channels: each with its own, as QGIS would, takes the colours away. Screens
want about the root of what is proportional to light; sRGB itself is no choice of QGIS."""


def qgis_style(path: Path, bands: tuple[int, int, int], scale: float) -> str:
    """Natural colour: which 1-based bands are red, green, blue, and what of them is white.

    Args:
        path: A finished raster.
        bands: Of its bands.
        scale: What its stored numbers are multiplied by.
    """
    brightest = white(small(path, bands)) or 1 / scale  # without data nothing is shown anyway
    red, green, blue = bands
    channels = [
        _CHANNEL.format(name=name, white=brightest * scale) for name in ("red", "green", "blue")
    ]
    return _STYLE.format(red=red, green=green, blue=blue, channels="".join(channels))
