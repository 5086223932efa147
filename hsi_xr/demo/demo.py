"""From a rendered scene to a cube, its STAC item, a picture and scores: the whole way, once."""

from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hsi_xr.demo import figure, render
from hsi_xr.demo.report import Files, Report
from hsi_xr.errors import DestinationExists, DestinationUnwritable
from hsi_xr.evaluation.metrics import Tally
from hsi_xr.extras import require
from hsi_xr.io import atomic

if TYPE_CHECKING:
    import xarray as xr

    from hsi_xr.product import Product

Progress = Callable[[int, int], None]
"""(pixels done, pixels in all) -> None."""

SAMPLES: Final = 8
_SMALL_TILE, _OVERVIEW = 32, 3
"""Pixels: around a place of the picture; from one to the next where the scene is surveyed."""
FLOOR: Final = 0.02
"""Pixels of a lower mean reflectance, deep shadows, take no part in MRAE."""

TITLE: Final = "hsi-xr demo: spectra of a rendered scene"
DESCRIPTION: Final = (
    "The RGB image is a procedural rendering, not an acquisition: the place is a stage, and "
    "`datetime` is the moment for which its sun was computed."
)


def run(
    directory: Path,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    shown: render.Scene | None = None,
    samples: int = SAMPLES,
) -> Report:
    """Render a scene of known spectra, reconstruct it with the default model, and score that.

    Args:
        directory: Folder for the files; made if it is not there.
        overwrite: Replace the files of an earlier demo.
        progress: ProgressSum about (pixels done, pixels in all) while the cube is written.
        shown: Another scene than `demo.scene.render()`.
        samples: How many spectra are drawn at the three places of the picture for their spread;
            none is drawn if it is 1.

    Returns:
        What was made, how long it took, and how near it came.

    Raises:
        UsageError: matplotlib is not installed.
        DestinationExists: A file of the demo is there and `overwrite` was not asked for.
        DestinationUnwritable: The folder cannot be made, or not written to.
    """
    import hsi_xr

    require("matplotlib")
    files = Files.of(directory)
    _prepare(files, overwrite=overwrite)
    started = perf_counter()
    shown = shown or render.render()
    rendering = perf_counter() - started
    _write_rgb(shown, files.rgb)
    files.item.unlink(missing_ok=True)  # it describes an earlier demo
    started = perf_counter()
    cube = hsi_xr.reconstruct(hsi_xr.open(files.rgb))
    product = hsi_xr.write_product(
        cube, files.cube, source=files.rgb, stac=False, overwrite=overwrite, progress=progress
    )
    seconds = perf_counter() - started
    estimate = _read(files.cube)
    scores = score(estimate, shown.truth)
    view = _view(files, shown, cube, estimate=estimate, gain=scores.gain, samples=samples)
    _draw(files, view)
    _describe(product, files)
    return Report(
        files=files,
        shape=(shown.rgb.shape[1], shown.rgb.shape[2]),
        pixel=shown.pixel,
        crs=f"EPSG:{render.EPSG}",
        instant=render.INSTANT,
        wavelengths=tuple(view.wavelengths),
        model=view.model,
        floor=FLOOR,
        rendering=rendering,
        reconstruction=seconds,
        scores=scores,
        scores_after_gain=score(scores.gain * estimate, shown.truth),
    )


def score(estimate: NDArray[Any], truth: NDArray[Any]) -> Tally:
    """All scores of a cube, (bands, rows, columns), summed strip by strip."""
    total = Tally()
    for row in range(0, truth.shape[1], 128):
        rows = slice(row, row + 128)
        total = total + Tally.of(estimate[:, rows], truth[:, rows], floor=FLOOR)
    return total


def _prepare(files: Files, *, overwrite: bool) -> None:
    """Refuse before any work; make the folder."""
    if not overwrite and (there := [path.name for path in files if path.exists()]):
        raise DestinationExists(
            f"{str(files.rgb.parent)!r} already holds {', '.join(there)}; "
            "give overwrite=True (`--overwrite`), or another folder"
        )
    folder = files.rgb.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable.part").touch()
        (folder / ".writable.part").unlink()
    except OSError as error:
        raise DestinationUnwritable(
            f"{str(folder)!r} is not a folder that can be written to ({error.strerror}); "
            "choose another one"
        ) from error


def _write_rgb(shown: render.Scene, path: Path) -> None:
    """The picture as a drone's orthomosaic comes: tiled 8-bit GeoTIFF with its CRS."""
    import rasterio
    from rasterio.transform import Affine

    bands, rows, columns = shown.rgb.shape
    profile = {
        "driver": "GTiff", "count": bands, "height": rows, "width": columns, "dtype": "uint8",
        "crs": f"EPSG:{render.EPSG}", "transform": Affine(*shown.geotransform),
        "tiled": True, "blockxsize": 512, "blockysize": 512, "interleave": "pixel",
        "compress": "deflate", "predictor": 2, "photometric": "rgb",
    }  # fmt: skip
    with atomic.replacing(path) as part, rasterio.open(part, "w", **profile) as target:
        target.write(shown.rgb)
        target.update_tags(TIFFTAG_IMAGEDESCRIPTION=f"{TITLE}. {DESCRIPTION}")


def spreads(
    rgb: Path, places: Mapping[str, tuple[int, int]], *, samples: int
) -> dict[str, NDArray[np.float32]]:
    """Standard deviation of `samples` drawn spectra, (bands,), at each place.

    The cube with its spread is lazy: of all its tiles only those around the places are computed,
    with the facts of the scene from an overview.
    """
    import xarray as xr

    import hsi_xr

    scene_rgb = hsi_xr.open(rgb)
    survey = hsi_xr.survey(scene_rgb[:, ::_OVERVIEW, ::_OVERVIEW])
    cube = hsi_xr.reconstruct(scene_rgb, samples=samples, survey=survey, tile=_SMALL_TILE)
    rows, columns = (xr.DataArray(list(at), dims="place") for at in zip(*places.values()))
    drawn = cube["reflectance_std"].isel(y=rows, x=columns).transpose("place", "band").values
    return dict(zip(places, drawn))


def _read(path: Path) -> NDArray[np.float32]:
    import hsi_xr

    values: NDArray[np.float32] = hsi_xr.open(path, chunks=None).values
    return values


def _view(
    files: Files,
    shown: render.Scene,
    cube: "xr.Dataset",
    *,
    estimate: NDArray[np.float32],
    gain: float,
    samples: int,
) -> figure.View:
    places = dict(list(shown.places().items())[: len(figure.COLOURS)])
    return figure.View(
        rgb=shown.rgb,
        estimate=estimate,
        truth=shown.truth,
        spreads=spreads(files.rgb, places, samples=samples) if samples > 1 else {},
        wavelengths=cube["wavelength"].values.tolist(),
        places=places,
        gain=gain,
        model=str(cube.attrs["hsi_xr_model"]),
        pixel=shown.pixel,
    )


def _draw(files: Files, view: figure.View) -> None:
    with atomic.replacing(files.preview) as part:
        figure.draw(view, part)


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
