"""Names of the files that a conversion writes next to the folders of its products."""

from hsi_xr.checkpoints.model_folder import MODELS

MANIFEST = "manifest.jsonl"
COLLECTION = "collection.json"
MOSAIC = "mosaic.vrt"
MOSAIC_STYLE = "mosaic.qml"
SCENE = "mosaic.part.vrt"
"""Virtual raster of the images of a mosaic; it exists while they are converted."""
SURVEY = "mosaic.survey"
RESERVED = frozenset({MANIFEST, COLLECTION, MOSAIC, MOSAIC_STYLE, SCENE, SURVEY, MODELS})
"""Names that no product may have."""
