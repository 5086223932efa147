"""The style file from which QGIS learns which bands to show: it ignores what the GeoTIFF says."""

_CHANNEL = """\
      <{name}ContrastEnhancement>
        <minValue>0</minValue>
        <maxValue>0.5</maxValue>
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
        <limits>CumulativeCut</limits>
        <extent>UpdatedCanvas</extent>
        <statAccuracy>Estimated</statAccuracy>
        <cumulativeCutLower>0.02</cumulativeCutLower>
        <cumulativeCutUpper>0.98</cumulativeCutUpper>
      </minMaxOrigin>
{channels}    </rasterrenderer>
  </pipe>
</qgis>
"""


def qgis_style(bands: tuple[int, int, int]) -> str:
    """Show these 1-based bands as red, green, blue, stretched to what is in view."""
    channels = "".join(_CHANNEL.format(name=name) for name in ("red", "green", "blue"))
    return _STYLE.format(red=bands[0], green=bands[1], blue=bands[2], channels=channels)
