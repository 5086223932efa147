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
        model: Name of a model (see `models`), path of a .safetensors file next to its card, or path
            of the folder that contains both.
        rgb: The red, green and blue bands: numbers counted from 1, or names of bands or variables.
            Default: as stated by colour interpretation, names or wavelengths; otherwise the only
            three bands, in their order.
        bands: The bands that are channels of the sensor in `camera`, given as in `rgb`. Their
            names, common names or wavelengths determine which channel each of them is. If these
            state nothing, bands are assumed to be in the order of the channels in `hsi-xr cameras`,
            and three bands to be red, green and blue. More than three bands require a radiometry of
            "reflectance", and the default model or "visible-infrared". Default: all bands that are
            recognised as channels of the sensor; without a sensor, see `rgb`.
        radiometry: What the stored values mean: "srgb" (display-referred images), "linear"
            (proportional to radiance, with unknown exposure), or "reflectance" (1 is a white
            reflector); or the name of a product, which implies scale and offset: "sentinel-2-l2a",
            "sentinel-2-tci", "landsat-c2-sr" or "planet-sr". Default: as the file states; "srgb"
            for other 8-bit images.
        scale: Factor that converts stored values to [0, 1]. Default: as the file or the attributes
            state; 1/255 for 8-bit images, 1 for floating-point values. If they state a scale, this
            must be equal to it.
        offset: Number added after scaling. Default: as the file states; 0 otherwise.
        level: The linear value of a white reflector (reflectance 1) in the image: reflectance is
            the linear value divided by the level. In an image scaled to [0, 1], the level is 0.5 if
            a reflector of reflectance 0.2 has the linear value 0.1, and more than 1 if a white
            reflector would be overexposed. Default: estimated from the colours of the scene.
        white: Instead of `level`, the stored value of a white reflector, such as 235 in an 8-bit
            image. Default: unknown.
        level_from: Instead of `level`, reflectance of the same ground with which the brightness of
            the scene is compared: a path, DataArray or Dataset with red, green and blue bands, such
            as Sentinel-2 or Landsat surface reflectance, or a cube. It may have another CRS and
            larger pixels. Windows of both are read immediately, and the level has an uncertainty.
            Not needed with a `survey`, which already contains the level. Default: unknown.
        level_radiometry: What the values of `level_from` mean, if it does not state their scale: a
            product such as "landsat-c2-sr". Default: as its file states.
        camera: The camera or sensor that took the scene: a name from `cameras` or `sensors`, the
            path of a JSON file of sensitivities in the layout of rawtoaces-data, or an array
            (channels, bands) of sensitivity times illuminant over the model's bands. Channels of a
            sensor that the model's bands do not cover, and those of water vapour, are not used. The
            product records it. Default: unknown, as with "unknown".
        tile: Side of a tile in pixels, a multiple of the model's stride; 0 processes the scene at
            once. Default: 0 for scenes of up to 1.2 million pixels, otherwise 512.
        halo: Pixels around a tile that its output depends on. Default: the number that the model
            needs, as measured and recorded in its card.
        steps: Number of steps of a diffusion model, one of the `step_choices` in its card. 0 steps
            of the default model use its closed-form posterior without the network; that is the
            fastest choice and the most accurate one on unseen ground. 1, 2 or 5 refine the result
            by the network. Default: the number of steps that the card's scores refer to.
        samples: Number of samples, 1 to 1024. More than 1 adds the variable `reflectance_std`. The
            default model computes this standard deviation itself, whatever the number, at the cost
            of one or two additional runs; it is calibrated on simulated images of the ground that
            the model was trained on, and its card states the coverage elsewhere. It holds for the
            level of the scene, whose own uncertainty is stated once: see Returns. Other models are
            sampled this often, and the spread of their samples is not calibrated. Default: 1.
        draws: Keep the samples, as joint draws from the posterior: `reflectance` then has the
            dimension `sample`, of length `samples`. A draw is one possible cube, whose pixels and
            bands belong together: compute anything from each draw, such as an index or the mean of
            a field, and take the spread of the results. Draws hold for the level of the scene; if
            that is uncertain, `level_factor` (sample) is that of each draw. Only models that
            compute their uncertainty themselves have draws. Default: False.
        quantiles: Probabilities between 0 and 1, such as (0.05, 0.5, 0.95). Each adds a variable,
            such as `reflectance_q05`: the quantile of the reflectance of a pixel, given the level
            of the scene. Unlike an interval of standard deviations, quantiles are never negative
            and need not be symmetric about the estimate. Only models that compute their own
            uncertainty provide them. Default: none.
        out_of_domain: Add the variable `out_of_domain`: how dissimilar the colour of a pixel is to
            all spectra that the model was trained on, from 0 (similar) to 1 (do not trust the
            estimate). Default: False.
        seed: Seed of the noise, from 0 to 2**64 - 1. Noise is a function of the position on the
            ground, so that equal seeds give equal pixels. Default: 0.
        device: "auto", "cpu" or "cuda:N". Default: "auto", a GPU if there is one.
        batch: Number of tiles that run at once. Default: 8 on a GPU, 1 on a CPU.
        survey: Statistics of a larger scene that this one is a part of; see `survey`. Default: the
            scene is surveyed by itself.
        consistency: Adjusts each spectrum so that the known camera would record its pixel: "exact"
            reproduces the image to within half an 8-bit step, wherever a spectrum without negative
            values can; "soft" adjusts only as far as noise of that size justifies. The part of a
            spectrum that the camera cannot see does not change; see `hsi_xr.camera.consistency`.
            Needs `camera`, and a radiometry of "reflectance". It applies to results and to each
            sample, but not to intermediate steps; the standard deviation of the default model is
            that of its own estimate. Default: None, the estimate as it is.
        residual: Add the variable `rgb_residual`: the root mean square over the channels of the
            difference between the estimate, as the camera would record it, and the image. Has the
            same requirements as `consistency`. Default: False.
        untrained: Run the system of this name with random weights, to measure its cost. The product
            is marked, and its values are meaningless. Default: False.
        allow_ungeoreferenced: Accept a scene without CRS or transform; the product is marked.
            Default: False.

    Returns:
        Dataset with `reflectance` (band, y, x) as float32, NaN where the scene is invalid, and the
        coordinates `wavelength` (band) and `fwhm` (band) in nm. The values are estimates, not
        measurements. If the level of the scene is estimated, the scalars `level_gain`,
        `level_factor_low` and `level_factor_high` state the gain relative to reflectance and
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
