"""Reconstructs hyperspectral cubes: a scene of few bands in, a labelled lazy cube out."""

import os
from dataclasses import replace
from inspect import signature
from typing import Unpack

import xarray as xr

from hsi_xr.io.clip import Window
from hsi_xr.pipeline.arguments import ReconstructOptions, SurveyOptions
from hsi_xr.pipeline.dataset import to_dataset
from hsi_xr.pipeline.graph import (
    lazy_level,
    lazy_level_factors,
    output_stack,
    scene_statistics,
)
from hsi_xr.pipeline.level import StatedLevel
from hsi_xr.pipeline.plan import Plan, plan, survey_conditions
from hsi_xr.pipeline.scene import Input
from hsi_xr.pipeline.scene_statistics import Survey
from hsi_xr.pipeline.tiles import Span


def reconstruct(
    obj: Input, model: str | os.PathLike[str] = "default", **options: Unpack[ReconstructOptions]
) -> xr.Dataset:
    """Estimates the reflectance spectrum of every pixel of an RGB or multispectral scene.

    The result is lazy if the scene is a path or backed by dask: pixels are then read when the cube
    is computed or written. The result does not depend on chunks, batches, threads, or the order in
    which blocks are computed.

    Args:
        obj: The scene: path of a raster, (band, y, x) DataArray, or Dataset with a variable for
            each colour or with a single (band, y, x) variable. NaN marks invalid pixels.
        model: Name of a model (see `models`), path of a .safetensors file next to its card, or
            path of the folder that contains both.
        rgb: The bands that are red, green and blue: numbers counted from 1, or names of bands or
            variables. Default: as colour interpretation, names or wavelengths state; otherwise the
            only three bands, in their order.
        bands: The bands that are channels of the sensor in `camera`, as `rgb`. Their names, common
            names or wavelengths tell which channel each of them is; if they state nothing, bands
            are taken in the order of the channels in `hsi-xr cameras`, and three as red, green and
            blue. More than three need a radiometry of "reflectance", and the default model or
            "visible-infrared". Default: all bands that are channels of the sensor by what is
            stated; without a sensor, see `rgb`.
        radiometry: What the stored values mean: "srgb" (display-referred images), "linear"
            (proportional to light, with unknown exposure), or "reflectance" (1 is a white
            reflector); or the product that it is, with its scale and offset: "sentinel-2-l2a",
            "sentinel-2-tci", "landsat-c2-sr" or "planet-sr". Default: as the file states; "srgb"
            for other 8-bit images.
        scale: Factor that brings stored values to [0, 1]. Default: as the file or the attributes
            state; 1/255 for 8-bit images, 1 for floating-point values. If a scale is stated, it
            must be equal.
        offset: Number that is added after the scale. Default: as stated; 0 otherwise.
        level: The linear value that a white reflector, one of reflectance 1, has in the image:
            reflectance is the linear value over it. In an image scaled to [0, 1], it is 0.5 if a
            reflector of reflectance 0.2 has the linear value 0.1, and more than 1 if a white
            reflector would be overexposed. Default: estimated from the colours of the scene.
        white: Instead of `level`, the stored value of a white reflector, such as 235 in an 8-bit
            image. Default: unknown.
        level_from: Instead of `level`, reflectance of the same ground to compare the brightness of
            the scene with: a path, DataArray or Dataset with red, green and blue bands, such as
            Sentinel-2 or Landsat surface reflectance, or a cube. It may have another CRS and larger
            pixels. Windows of both are read at once, and the level gets an uncertainty. A `survey`
            has the level already. Default: unknown.
        level_radiometry: What the values of `level_from` mean, if it does not state their scale: a
            product such as "landsat-c2-sr". Default: as it states.
        camera: The camera or sensor that took the scene: a name from `cameras` or `sensors`, the
            path of a JSON file of sensitivities in the layout of rawtoaces-data, or an array
            (channels, bands) of sensitivity times illuminant over the model's bands. Channels of a
            sensor that the model's bands do not cover, and those of water vapour, are not used. The
            product records it. Default: unknown, as with "unknown".
        tile: Side of a tile in pixels, a multiple of the model's stride; 0 runs the scene in one
            piece. Default: one piece for scenes of up to 1.2 million pixels, otherwise 512.
        halo: Pixels around a tile that its output depends on. Default: the number that the
            model needs, as measured and recorded in its card.
        steps: Number of steps of a diffusion model, one of the `step_choices` in its card. 0 steps
            of the default model use its closed-form posterior without the network; that is the
            fastest choice and the most accurate one on unseen ground. 1, 2 or 5 refine the result
            by the network. Default: the number of steps that the card's scores refer to.
        samples: Number of samples, 1 to 1024. More than 1 adds the variable `reflectance_std`. The
            default model computes this standard deviation itself, whatever the number, at the cost
            of one or two more runs; it is calibrated on simulated images of the ground that the
            model was trained on, and its card states the coverage elsewhere. It holds for the level
            of the scene, whose own uncertainty is stated once: see Returns. Other models are
            sampled this often, and the spread of their samples is not calibrated. Default: 1.
        draws: Keep the samples, as joint draws from the posterior: `reflectance` then has the
            dimension `sample`, of length `samples`. A draw is one possible cube, whose pixels and
            bands belong together: compute anything from each draw, such as an index or the mean of
            a field, and take the spread of the results. Draws hold for the level of the scene; if
            that is uncertain, `level_factor` (sample) is that of each draw. Only models that
            compute their uncertainty themselves have draws. Default: False.
        quantiles: Probabilities between 0 and 1, such as (0.05, 0.5, 0.95). Each adds a variable,
            such as `reflectance_q05`: the quantile of the reflectance of a pixel, given the level
            of the scene. Quantiles are never negative and need not be symmetric about the estimate,
            unlike an interval of standard deviations. Only models that compute their uncertainty
            themselves have them. Default: none.
        out_of_domain: Add the variable `out_of_domain`: how dissimilar the colour of a pixel is to
            all spectra that the model was trained on, from 0 (similar) to 1 (do not trust the
            estimate). Default: False.
        seed: Seed of the noise, from 0 to 2**64 - 1. Noise is a function of the position on the
            ground, so that equal seeds give equal pixels. Default: 0.
        device: "auto", "cpu" or "cuda:N". Default: "auto", a GPU if there is one.
        batch: Number of tiles that run at once. Default: 8 on a GPU, 1 on a CPU.
        survey: Statistics of a larger scene that this one is a part of; see `survey`. Default: the
            scene is surveyed by itself.
        consistency: Moves each spectrum until the known camera would record its pixel: "exact"
            meets the image to within half a step of 8 bits, wherever a spectrum without negative
            values can; "soft" moves as far as noise of that size justifies. What the camera cannot
            see does not change; see `hsi_xr.camera.consistency`. Needs `camera`, and a radiometry
            of "reflectance". It applies to results and to each sample, but not to intermediate
            steps; the standard deviation of the default model is that of its own estimate.
            Default: None, the estimate as it is.
        residual: Add the variable `rgb_residual`: the root mean square over the channels of
            the difference between the estimate, as the camera would record it, and the image. Has
            the same needs as `consistency`. Default: False.
        untrained: Run the system of this name with random weights, to measure its cost. The product
            is marked, and its values mean nothing. Default: False.
        allow_ungeoreferenced: Accept a scene without CRS or transform; the product is marked.
            Default: False.

    Returns:
        Dataset with `reflectance` (band, y, x) as float32, NaN where the scene is invalid, and the
        coordinates `wavelength` (band) and `fwhm` (band) in nm. The values are estimates, not
        measurements. If the level of the scene is estimated, the scalars `level_gain`,
        `level_factor_low` and `level_factor_high` state the gain of the image over reflectance, and
        the 90 % interval of the factor by which all reflectance may be off; `write` stores them as
        attributes.

    Raises:
        HsiError: The message states what was found and how to fix it; see `hsi_xr.errors`.
            Everything that can be checked without reading pixels is checked before this function
            returns.
    """
    planned = plan(obj, model, **options).with_level()
    cube = _to_dataset(planned)
    return cube if planned.scene.lazy else cube.compute(scheduler="threads")


# `help`, notebooks and documentation show the arguments and defaults of `plan`
reconstruct.__signature__ = signature(plan).replace(  # type: ignore[attr-defined]
    return_annotation=xr.Dataset
)


def reconstruct_part(planned: Plan, part: Window) -> xr.Dataset:
    """Returns a part of a planned scene, lazily, with the same pixels as the whole result.

    Tiles start at the edges of the part, so that nothing else is computed, and their views extend
    beyond them. If tiles are blended, however, results depend on the grid of the whole scene: the
    part is then cropped from the whole result.
    """
    if planned.tiling.blend:
        return part.crop(_to_dataset(planned))
    area = (
        Span(part.rows.start, part.rows.stop),
        Span(part.columns.start, part.columns.stop),
    )
    tiles_of_part = replace(planned, tiling=replace(planned.tiling, area=area))
    cropped = replace(planned.scene, rgb=planned.scene.rgb.isel(y=part.rows, x=part.columns))
    return _to_dataset(tiles_of_part, replace(tiles_of_part, scene=cropped))


def _to_dataset(computed: Plan, described: Plan | None = None) -> xr.Dataset:
    """Returns the lazy Dataset of a plan, or of one with other coordinates."""
    stack, level = output_stack(computed), lazy_level(computed)
    return to_dataset(described or computed, stack, level, lazy_level_factors(computed))


def survey(
    obj: Input,
    model: str | os.PathLike[str] = "default",
    *,
    exact: bool = False,
    **options: Unpack[SurveyOptions],
) -> Survey:
    """Estimates the statistics of a scene that all of its tiles share.

    Pass the result as `survey=` to reconstruct parts of the scene, later or on other machines, with
    the same pixels as the whole result.

    Args:
        obj: The scene, as for `reconstruct`.
        model: The model, as for `reconstruct`.
        exact: Use all pixels instead of a sample of windows; they must fit into memory. Default:
            False.
        options: `rgb`, `bands`, `radiometry`, `scale`, `offset`, `level`, `white`,
            `level_from`, `level_radiometry`, `camera`, `steps`, `seed`, `device`, `untrained` and
            `allow_ungeoreferenced`, as for `reconstruct`.

    Returns:
        The statistics, with what they depend on: model, radiometry, camera, steps and seed.

    Raises:
        HsiError: As for `reconstruct`; also if the scene has no valid pixel.
        TypeError: Another option is given.
    """
    if others := options.keys() - SurveyOptions.__annotations__.keys():
        raise TypeError(
            f"survey() got unexpected options: {', '.join(sorted(others))}; pass them to "
            "reconstruct()"
        )
    return survey_of_plan(plan(obj, model, tile=0 if exact else None, **options))


def survey_of_plan(planned: Plan) -> Survey:
    """Returns the survey that the reconstruction of a planned scene would make."""
    planned = planned.with_level()
    return Survey(
        statistics=scene_statistics(planned),
        model_sha256=planned.card.sha256,
        radiometry=planned.scene.radiometry.condition,
        run=survey_conditions(planned.card, planned.job),
        level=planned.level if isinstance(planned.level, StatedLevel) else None,
    )
