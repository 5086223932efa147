"""The door between the two wings: RGB scene in, labelled lazy cube out."""

import os
from dataclasses import replace
from inspect import signature
from typing import Unpack

import xarray as xr

from hsi_xr.io.clip import Window
from hsi_xr.pipeline.arguments import Options, Reading
from hsi_xr.pipeline.dataset import to_dataset
from hsi_xr.pipeline.graph import blocks, pixels_of
from hsi_xr.pipeline.plan import Input, Plan, plan, run_of
from hsi_xr.pipeline.scene_statistics import Survey
from hsi_xr.pipeline.survey import survey_scene
from hsi_xr.pipeline.tiles import Span


def reconstruct(
    obj: Input, model: str | os.PathLike[str] = "default", **options: Unpack[Options]
) -> xr.Dataset:
    """Estimates the reflectance spectrum of every pixel of an RGB scene.

    Lazy when the scene is a path or dask-backed: nothing is read until it is computed or written.
    The answer does not depend on chunks, batches, threads or the order of work.

    Args:
        obj: Path of a raster, (band, y, x) DataArray, or Dataset with variables red, green, blue
            or one (band, y, x) variable. NaN marks invalid pixels.
        model: Name of a model (see `models`), path of a .safetensors file with its card, or of
            the folder of both.
        rgb: Which bands are red, green and blue: numbers from 1, band names, or variables.
        radiometry: "srgb" (display-referred pictures; assumed for 8 bit), "linear" (proportional
            to light) or "reflectance" (1 is a white reflector).
        scale: Factor that brings stored numbers to [0, 1]; 1/255 for 8 bit, 1 for floats.
        camera: That took the scene: one of `cameras()`, the path of a JSON file of sensitivities as
            of rawtoaces-data, or (3, bands) sensitivities times light over the model's bands; None
            or "unknown" where nobody knows. The product tells it.
        tile: Side of a tile, px; None runs small scenes whole and others in tiles of 512.
        halo: Pixels looked at around a tile; None takes the model's measured need.
        steps: Of the model's chain, of those that its card offers as `step_choices`; None takes
            what the card was scored with. The default model runs in 0, without its network, which
            is fastest and holds best on unseen ground; 1, 2 or 5 refine pictures with it, which its
            card scores, too.
        samples: 1 is the estimate alone; more add `reflectance_std`. The default model tells its
            deviation itself, calibrated on simulated pictures of the ground that it learned from
            (what it holds of other ground is in its card), at the cost of a run or two whatever the
            number; others are drawn from so often, and theirs is the spread of the draws.
        out_of_domain: Tell, as `out_of_domain`, how unlike a pixel's colour is to all spectra that
            the model learned from: 0 is like them, 1 is where not to trust the estimate.
        seed: Of the noise, which is a function of the ground: same seed, same pixels.
        device: "auto", "cpu" or "cuda:N".
        batch: Tiles that run at once; None leaves it to the device.
        survey: StatisticsArrays of a larger scene that this one is a part of; see `survey`.
        consistency: Of reflectance by a known camera: "exact" moves each spectrum until the camera
            sees its pixel in it (within half a step of 8 bits wherever a spectrum without
            negatives can be seen so), "soft" as far as noise of that size allows. What the camera
            cannot see stays the model's; see `hsi_xr.camera.consistency`. It holds of outputs,
            also of each sample, and not of the steps that lead to one. The deviation that the
            default model tells is that of its own estimate, before it is held.
        residual: Tell, as `rgb_residual`, how far what the camera sees of the estimate is from
            the image: root mean square over red, green and blue. Needs what consistency needs.
        untrained: Run the system of that name on random weights, to try what it costs; the
            product says so, and its numbers mean nothing.
        allow_ungeoreferenced: Accept a scene without CRS or transform; the product says so.

    Returns:
        Dataset with `reflectance(band, y, x)` float32, NaN where invalid, and coordinates
        `wavelength(band)` and `fwhm(band)` in nm. Values are estimates, not measurements.

    Raises:
        HsiError: What was found and the repair; see `hsi_xr.errors`. Raised while planning
            wherever it can be known then.
    """
    planned = plan(obj, model, **options)
    cube = to_dataset(planned, blocks(planned))
    return cube if planned.scene.lazy else cube.compute(scheduler="threads")


reconstruct.__signature__ = signature(plan).replace(  # type: ignore[attr-defined]  # for help()
    return_annotation=xr.Dataset
)


def reconstruct_part(planned: Plan, part: Window) -> xr.Dataset:
    """A part of a planned scene with the pixels that the whole would have, lazily.

    Tiles begin at the part's own edges, so that nothing beside it is computed, and look beyond
    them. Where tiles are blended, answers depend on the scene's grid of tiles, and that is cut.
    """
    if planned.tiling.blend:
        return part.crop(to_dataset(planned, blocks(planned)))
    area = (
        Span(part.rows.start, part.rows.stop),
        Span(part.columns.start, part.columns.stop),
    )
    cut = replace(planned, tiling=replace(planned.tiling, area=area))
    seen = replace(planned.scene, rgb=planned.scene.rgb.isel(y=part.rows, x=part.columns))
    return to_dataset(replace(cut, scene=seen), blocks(cut))


def survey(
    obj: Input,
    model: str | os.PathLike[str] = "default",
    *,
    exact: bool = False,
    **reading: Unpack[Reading],
) -> Survey:
    """Learns now what every tile of a scene shares, to hand it to later calls as `survey=`.

    Args:
        obj: As in `reconstruct`.
        model: As in `reconstruct`.
        exact: Take the whole scene at once instead of windows; needs the memory for it.
        reading: `rgb`, `radiometry`, `scale`, `camera`, `steps`, `seed`, `device`, `untrained` and
            `allow_ungeoreferenced`, as in `reconstruct`.
    """
    if others := reading.keys() - Reading.__annotations__.keys():
        raise TypeError(f"a survey takes no {', '.join(sorted(others))}; `reconstruct` does")
    return survey_of(plan(obj, model, tile=0 if exact else None, **reading))


def survey_of(planned: Plan) -> Survey:
    """What the tiles of a planned scene share, as its reconstruction would learn it."""
    facts = survey_scene(planned.work, pixels_of(planned))
    return Survey(
        facts, planned.card.sha256, str(planned.scene.radiometry), run_of(planned.card, planned.job)
    )
