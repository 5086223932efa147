"""Opens rasters in QGIS and prints what it reads, as JSON; needs a Python with PyQGIS.

    python3 look.py FOLDER STEP RASTER...

Each raster is drawn to `<name>.png` in FOLDER, pixel for pixel. Every STEPth pixel of the diagonal
is identified.
"""

import json
import sys
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsPointXY,
    QgsRaster,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor, QImage


def inspect(path: Path, folder: Path, step: int) -> dict:
    layer = QgsRasterLayer(str(path), path.stem)
    draw(layer, folder / f"{path.name}.png")
    source, renderer = layer.dataProvider(), layer.renderer()
    channels = ("red", "green", "blue")
    stretches = [getattr(renderer, f"{name}ContrastEnhancement")() for name in channels]
    bands = range(1, layer.bandCount() + 1)
    source.cumulativeCut(1, 0.02, 0.98)  # as QGIS does when a user stretches a band
    return {
        "crs": layer.crs().authid(),
        "names": [layer.bandName(band) for band in bands],
        "information": layer.htmlMetadata(),
        "displayed": [getattr(renderer, f"{name}Band")() for name in channels],
        "black": [stretch.minimumValue() for stretch in stretches],
        "white": [stretch.maximumValue() for stretch in stretches],
        "levels": sum(level.exists for level in source.buildPyramidList()),
        "identified": [identify(layer, position) for position in range(0, min(size(layer)), step)],
    }


def size(layer: QgsRasterLayer) -> tuple:
    """(columns, rows)"""
    return layer.width(), layer.height()


def draw(layer: QgsRasterLayer, path: Path) -> None:
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(layer.extent())
    settings.setOutputSize(QSize(*size(layer)))
    settings.setOutputImageFormat(QImage.Format_ARGB32)
    settings.setBackgroundColor(QColor(0, 0, 0, 0))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(str(path))


def identify(layer: QgsRasterLayer, position: int) -> list:
    """Returns the values of all bands, None for nodata, at this row and column."""
    extent = layer.extent()
    x = extent.xMinimum() + (position + 0.5) * layer.rasterUnitsPerPixelX()
    y = extent.yMaximum() - (position + 0.5) * layer.rasterUnitsPerPixelY()
    result = layer.dataProvider().identify(QgsPointXY(x, y), QgsRaster.IdentifyFormatValue)
    return [result.results()[band] for band in range(1, layer.bandCount() + 1)]


if __name__ == "__main__":
    application = QgsApplication([], False)
    application.initQgis()
    target, every, *rasters = sys.argv[1:]
    sys.stdout.write(
        json.dumps({path: inspect(Path(path), Path(target), int(every)) for path in rasters})
    )
    sys.stdout.flush()
    application.exitQgis()
