"""Renders a scene, reconstructs it, writes the product and a figure, and scores the estimate."""

from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hsi_xr.demo import figure, render
from hsi_xr.demo.materials import GREY
from hsi_xr.demo.report import Files, Report
from hsi_xr.errors import DestinationExists, DestinationUnwritable
from hsi_xr.evaluation.metrics import Tally
from hsi_xr.extras import require
from hsi_xr.io import atomic
from hsi_xr.level_interval import LevelInterval
from hsi_xr.output_variables import quantile_name

if TYPE_CHECKING:
    import xarray as xr

    from hsi_xr.product import Product

Progress = Callable[[int, int], None]
"""Called with (pixels done, pixels in total)."""

ENDS: Final = (0.05, 0.95)
"""Quantiles at the ends of the 90 % intervals in the figure."""
_TILE = 32
"""Side, in pixels, of the tiles that are computed around a spectrum in the figure."""
_STEP = 3
"""The statistics of the scene are computed from every third row and column."""
FLOOR: Final = 0.02
"""Mean reflectance below which a pixel, in deep shadow, is excluded from MRAE."""

TITLE: Final = "hsi-xr demo: spectra of a rendered scene"
DESCRIPTION: Final = (
    "The RGB image is a procedural rendering, not an acquisition: its location is arbitrary, "
    "and `datetime` is the moment for which its sun was computed."
)


def run(
    directory: Path,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    scene: render.Scene | None = None,
    seed: int = 0,
    season: str = "summer",
) -> Report:
    """Render a scene with known spectra, reconstruct it with the default model, and score it.

    The scene contains a grey panel, such as drone pilots lay out. The cube is estimated from the
    image alone and then calibrated with the panel.

    Args:
        directory: Folder for the files, created if necessary.
        overwrite: Replace the files of an earlier demo.
        progress: Called with (pixels done, pixels in total) while the cube is written.
        scene: Scene to use instead of one that is rendered.
        seed, season: As in `hsi_xr.demo.render.render`.

    Returns:
        The files, the time that it took, and the scores.

    Raises:
        UsageError: matplotlib is not installed.
        DestinationExists: A file of the demo exists and `overwrite` is not set.
        DestinationUnwritable: The folder cannot be created or written to.
    """
    import hsi_xr

    require("matplotlib")
    files = Files.of(directory)
    _prepare(files, overwrite=overwrite)
    start = perf_counter()
    scene = scene or render.render(seed=seed, season=season)
    rendering = perf_counter() - start
    _write_rgb(scene, files.rgb)
    _write_panel(files.panel)
    start = perf_counter()
    cube, product = _reconstruct(files, overwrite=overwrite, progress=progress)
    reconstruction = perf_counter() - start
    level = LevelInterval.from_attributes(hsi_xr.open(files.cube).attrs)
    assert level is not None  # the default model states the level of an 8-bit image
    gains = _calibrate(files, overwrite=overwrite)
    estimate, calibrated = _read(files.cube), _read(files.calibrated)
    scores = score(estimate, scene.truth)
    places = dict(list(scene.places().items())[: len(figure.COLOURS)])
    view = figure.View(
        rgb=scene.rgb,
        alone=estimate,
        calibrated=calibrated,
        truth=scene.truth,
        intervals={name: gains * ends for name, ends in intervals(files.rgb, places).items()},
        level=level,
        wavelengths=cube["wavelength"].values.tolist(),
        places=places,
        panel=scene.panel,
        model=str(cube.attrs["hsi_xr_model"]),
        pixel=scene.pixel,
    )
    with atomic.replacing(files.preview) as part:
        figure.draw(view, part)
    _describe(product, files)
    return Report(
        files=files,
        shape=(scene.rgb.shape[1], scene.rgb.shape[2]),
        pixel=scene.pixel,
        crs=f"EPSG:{render.EPSG}",
        instant=render.INSTANT,
        wavelengths=tuple(view.wavelengths),
        model=view.model,
        floor=FLOOR,
        rendering=rendering,
        reconstruction=reconstruction,
        level=level,
        scores=scores,
        scores_after_gain=score(scores.gain * estimate, scene.truth),
        scores_with_panel=score(calibrated, scene.truth),
    )


def score(estimate: NDArray[np.floating[Any]], truth: NDArray[np.floating[Any]]) -> Tally:
    """Score a cube (bands, rows, columns), strip by strip to save memory."""
    total = Tally()
    for row in range(0, truth.shape[1], 128):
        rows = slice(row, row + 128)
        total = total + Tally.of(estimate[:, rows], truth[:, rows], floor=FLOOR)
    return total


def intervals(rgb: Path, places: Mapping[str, tuple[int, int]]) -> dict[str, NDArray[np.float32]]:
    """Returns the quantiles `ENDS`, (2, bands), at (row, column) of each place.

    Only the tiles around the places are computed, with the statistics of a subsampled scene.
    """
    import xarray as xr

    import hsi_xr

    scene = hsi_xr.open(rgb)
    survey = hsi_xr.survey(scene[:, ::_STEP, ::_STEP])
    cube = hsi_xr.reconstruct(scene, quantiles=ENDS, survey=survey, tile=_TILE)
    rows, columns = (xr.DataArray(list(at), dims="place") for at in zip(*places.values()))
    names = [quantile_name(probability) for probability in ENDS]
    there = cube[names].isel(y=rows, x=columns).to_dataarray("end")
    return dict(zip(places, there.transpose("place", "end", "band").values))


def _prepare(files: Files, *, overwrite: bool) -> None:
    """Refuse existing files before any work, and create the folder."""
    folder = files.rgb.parent
    existing = [path.name for path in files if path.exists()]
    if existing and not overwrite:
        raise DestinationExists(
            f"{str(folder)!r} contains {', '.join(existing)}; replace them with overwrite=True "
            "(--overwrite), or choose another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable.part").touch()
        (folder / ".writable.part").unlink()
    except OSError as error:
        raise DestinationUnwritable(
            f"cannot write into {str(folder)!r} ({error.strerror}); choose another folder"
        ) from error


def _write_rgb(scene: render.Scene, path: Path) -> None:
    """Write the image like an orthomosaic of a drone: a tiled 8-bit GeoTIFF with a CRS."""
    import rasterio
    from rasterio.transform import Affine

    bands, rows, columns = scene.rgb.shape
    profile = {
        "driver": "GTiff", "count": bands, "height": rows, "width": columns, "dtype": "uint8",
        "crs": f"EPSG:{render.EPSG}", "transform": Affine(*scene.geotransform),
        "tiled": True, "blockxsize": 512, "blockysize": 512, "interleave": "pixel",
        "compress": "deflate", "predictor": 2, "photometric": "rgb",
    }  # fmt: skip
    with atomic.replacing(path) as part, rasterio.open(part, "w", **profile) as target:
        target.write(scene.rgb)
        target.update_tags(TIFFTAG_IMAGEDESCRIPTION=f"{TITLE}. {DESCRIPTION}")


def _write_panel(path: Path) -> None:
    """Write what a drone pilot knows about the panel: its place and its certificate."""
    x, y = render.CORNER[0] + render.PANEL.x, render.CORNER[1] - render.PANEL.y
    row = f"{x:.2f},{y:.2f},{render.PANEL.length / 2:g},grey panel,{GREY},{GREY},{GREY}"
    atomic.write_text(path, f"x,y,size,name,450,550,650\n{row}\n")


def _calibrate(files: Files, *, overwrite: bool) -> NDArray[np.float64]:
    """Write the cube that the panel calibrates, and return its gains, (bands,)."""
    import hsi_xr

    gains = hsi_xr.gains(hsi_xr.open(files.cube), files.panel)
    calibrated = hsi_xr.calibrate(hsi_xr.open(files.cube), gains)
    hsi_xr.write(calibrated, files.calibrated, overwrite=overwrite)
    return np.asarray(gains.values)


def _reconstruct(
    files: Files, *, overwrite: bool, progress: Progress | None
) -> "tuple[xr.Dataset, Product]":
    """Write the cube. Its item follows in `_describe`, since nothing was acquired."""
    import hsi_xr

    files.item.unlink(missing_ok=True)  # it describes an earlier demo
    cube = hsi_xr.reconstruct(hsi_xr.open(files.rgb))
    product = hsi_xr.write_product(
        cube, files.cube, source=files.rgb, stac=False, overwrite=overwrite, progress=progress
    )
    return cube, product


def _read(path: Path) -> NDArray[np.float32]:
    import hsi_xr

    values: NDArray[np.float32] = hsi_xr.open(path, chunks=None).values
    return values


def _describe(product: "Product", files: Files) -> None:
    """Write the preview and the STAC item, which states that nothing was acquired."""
    from hsi_xr.checkpoints.registry import DEFAULT, find
    from hsi_xr.product import describe_product

    describe_product(
        product,
        datetime=render.INSTANT,
        source=files.rgb,
        model=find(DEFAULT),
        item_fields={"properties": {"title": TITLE, "description": DESCRIPTION}},
    )
