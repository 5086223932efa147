"""Options that several commands share, collected into keyword arguments of library functions."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import wraps
from pathlib import Path
from typing import TypedDict

import click

from hsi_xr.io.variables import DEFAULT_DTYPE, DEFAULT_SCALE

Command = Callable[..., object]
Decorator = Callable[[Command], Command]


class Destination(click.ParamType[Path]):
    """A local path, or the URL of an object such as `s3://bucket/cube.tif`."""

    name = "path"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        from hsi_xr.io.remote import file_of

        return value if isinstance(value, Path) else file_of(str(value))


class Number(click.ParamType[float]):
    """A number such as `1e-4`, or a fraction such as `1/65535`."""

    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            return float(Fraction(str(value)))
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is not a number, e.g. 1e-4 or 1/65535", param, ctx)


class Opening(TypedDict):
    """Arguments of `hsi_xr.open`."""

    rgb: tuple[int | str, ...] | None
    nodata: float | None


class Check(TypedDict):
    """Arguments of `check_product`."""

    format: str | None
    stac: bool | None
    datetime: str | None
    overwrite: bool
    resume: bool


class Output(Check):
    """Arguments of `hsi_xr.write_product`."""

    dtype: str
    scale: float
    creation_options: dict[str, str]
    tmp: Path | None


def check(output: Output) -> Check:
    """Returns the arguments of `write_product` that `check_product` takes as well."""
    return {
        "format": output["format"],
        "stac": output["stac"],
        "datetime": output["datetime"],
        "overwrite": output["overwrite"],
        "resume": output["resume"],
    }


def collect(
    argument: str,
    options: Sequence[Decorator],
    renamed: Mapping[str, str] | None = None,
    finish: Callable[[dict[str, object]], dict[str, object]] = dict,
) -> Decorator:
    """Give options to a command as one argument, a dictionary of keyword arguments.

    Args:
        argument: The command's argument.
        options: Decorators that `click.option` returned.
        renamed: Parameter -> key, where they differ.
        finish: Converts the dictionary, where parameters and keyword arguments differ in more.
    """
    names = {name: (renamed or {}).get(name, name) for name in _parameters(options)}

    def decorate(command: Command) -> Command:
        @wraps(command)
        def call(**parameters: object) -> object:
            collected = {key: parameters.pop(name) for name, key in names.items()}
            return command(**parameters, **{argument: finish(collected)})

        return _decorated(call, options)

    return decorate


def _parameters(options: Sequence[Decorator]) -> list[str]:
    """Returns the names of the parameters that options pass to a command."""
    command = click.command()(_decorated(lambda: None, options))
    return [str(parameter.name) for parameter in command.params]


def _decorated(command: Command, options: Sequence[Decorator]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def _bands(
    ctx: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int | str, ...] | None:
    """Parse numbers or names, separated by commas, or numbers separated by spaces."""
    if text is None:
        return None
    bands = [each.strip() for each in (text.split(",") if "," in text else text.split())]
    if len(bands) < 3 or not all(band.strip("0") for band in bands):
        raise click.BadParameter(
            f"{text!r} is not three or more bands, e.g. 3,2,1 or red,green,blue"
        )
    return tuple(int(band) if band.isdecimal() else band for band in bands)


def _probabilities(
    ctx: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[float, ...]:
    """Parse numbers separated by commas."""
    try:
        return tuple(float(each) for each in text.split(",")) if text else ()
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not e.g. 0.05,0.5,0.95") from error


def _with_draws(options: dict[str, object]) -> dict[str, object]:
    """Returns keyword arguments in which a number of draws is a number of samples to keep."""
    draws = options.pop("draws")
    if draws is None:
        return options
    if options["samples"] not in (1, draws):
        raise click.UsageError(
            f"--draws {draws} keeps {draws} samples, and --samples asks for {options['samples']}; "
            "omit --samples"
        )
    return {**options, "samples": draws, "draws": True}


def _name_value_pairs(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    if malformed := [text for text in texts if "=" not in text]:
        raise click.BadParameter(f"{malformed[0]!r} is not NAME=VALUE, e.g. ZSTD_LEVEL=15")
    pairs = (text.partition("=") for text in texts)
    return {name.strip().upper(): value for name, _, value in pairs}


_OPENING = (
    click.option(
        "--bands",
        "rgb",
        metavar="R,G,B|BANDS",
        callback=_bands,
        help="Numbers or names of the red, green and blue bands, or of more bands of the sensor in "
        "--camera [default: as stated in the file; otherwise the only three].",
    ),
    click.option(
        "--src-nodata",
        "nodata",
        type=float,
        metavar="VALUE",
        help="Stored value that marks nodata, instead of the nodata value in the file.",
    ),
)
_UNGEOREFERENCED = click.option(
    "--allow-ungeoreferenced",
    is_flag=True,
    help="Accept a scene without a CRS; the cube records that it has none.",
)
_VALUES = (
    click.option(
        "--radiometry",
        metavar="KIND",
        help="srgb, linear or reflectance; or a product: sentinel-2-l2a, sentinel-2-tci, "
        "landsat-c2-sr or planet-sr [default: as stated in the file; srgb for 8-bit files].",
    ),
    click.option(
        "--input-scale",
        type=Number(),
        metavar="FACTOR",
        help="Factor from stored values to the range 0..1, e.g. 1e-4 [default: as stated in the "
        "file].",
    ),
    click.option(
        "--input-offset",
        type=Number(),
        metavar="NUMBER",
        help="Number added after --input-scale, e.g. -0.1 [default: as stated in the file].",
    ),
)
_LEVEL = (
    click.option(
        "--level",
        type=Number(),
        metavar="NUMBER",
        help="Linear value of a white reflector in the scene; may be more than 1 [default: "
        "estimated from the colours of the scene].",
    ),
    click.option(
        "--white",
        type=Number(),
        metavar="VALUE",
        help="Instead of --level, the stored value of a white reflector, e.g. 235.",
    ),
    click.option(
        "--level-from",
        metavar="FILE",
        help="Instead of --level, a reflectance product of the same ground with which to compare "
        "the scene: red, green and blue bands, e.g. of Sentinel-2, or a cube.",
    ),
    click.option(
        "--level-radiometry",
        metavar="KIND",
        help="What the values of --level-from mean, e.g. landsat-c2-sr [default: as stated in the "
        "file].",
    ),
)
_RUN = (
    click.option(
        "--untrained",
        is_flag=True,
        help="Run the system with random weights to measure its cost; the cube records this.",
    ),
    click.option(
        "--steps",
        type=int,
        help="Sampling steps of the model [default: as its card states].",
    ),
    click.option(
        "--samples",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Samples per estimate; with two or more, also write the standard deviation, as "
        "DST_std.tif.",
    ),
    click.option(
        "--quantiles",
        metavar="P,P,...",
        callback=_probabilities,
        help="Also write these quantiles of reflectance, e.g. 0.05,0.5,0.95 as DST_q05.tif, "
        "DST_q50.tif and DST_q95.tif.",
    ),
    click.option(
        "--out-of-domain",
        is_flag=True,
        help="Also write how dissimilar each colour is to all training spectra, as DST_domain.tif.",
    ),
    click.option(
        "--seed",
        default=0,
        show_default=True,
        help="Seed of the noise. The same seed gives the same cube, however the scene is tiled.",
    ),
    click.option(
        "--tile",
        type=int,
        metavar="PIXELS",
        help="Side of a tile [default: 512, or the whole scene if it is small].",
    ),
    click.option(
        "--halo",
        type=int,
        metavar="PIXELS",
        help="Context around each tile [default: as measured for the model].",
    ),
    click.option(
        "--batch",
        type=int,
        metavar="TILES",
        help="Tiles computed at once [default: as many as fit on the device].",
    ),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."),
    click.option(
        "--camera",
        metavar="NAME|FILE.json",
        help="Camera or sensor that took the scene: a name of `hsi-xr cameras`, a file in the "
        "format of rawtoaces-data, or unknown.",
    ),
    click.option(
        "--consistency",
        metavar="KIND",
        help="Adjust spectra so that the camera would record the scene: exact, or soft (within "
        "noise). Requires reflectance and a known camera.",
    ),
    click.option(
        "--residual",
        is_flag=True,
        help="Also write the difference between the scene and the estimate as the camera would "
        "record it, as DST_residual.tif. Requires reflectance and a known camera.",
    ),
)
_DRAWS = click.option(
    "--draws",
    type=click.IntRange(2, 1024),
    metavar="N",
    help="Write N joint draws from the posterior of the model: DST then contains their mean, and "
    "DST_draw01.tif and so on a draw each. Zarr and NetCDF have the dimension sample.",
)
_OUTPUT = (
    click.option(
        "--dtype",
        default=DEFAULT_DTYPE,
        show_default=True,
        help="Stored data type: int16 or float32.",
    ),
    click.option(
        "--scale", default=DEFAULT_SCALE, show_default=True, help="Reflectance of one int16 step."
    ),
    click.option(
        "--format",
        metavar="NAME",
        help="cog, geotiff, zarr, envi or netcdf [default: from the suffix of DST; cog for .tif].",
    ),
    click.option(
        "-co",
        "--co",
        "creation_options",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_name_value_pairs,
        help="Creation option of the format; may be repeated.",
    ),
    click.option(
        "--stac/--no-stac",
        default=None,
        help="Write a STAC item and a preview next to DST [default: if the acquisition time is "
        "known].",
    ),
    click.option(
        "--datetime",
        metavar="ISO",
        help="Acquisition time of the scene, e.g. 2026-01-02T10:30:00Z, or START/END.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace existing files."),
    click.option("--resume", is_flag=True, help="Continue an interrupted run."),
    click.option(
        "--tmp",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="FOLDER",
        help="Where products for object storage are staged [default: the system's temporary "
        "folder].",
    ),
)

model = click.option(
    "-m",
    "--model",
    default="default",
    show_default=True,
    help="A name of `hsi-xr models`, a .safetensors file, or a model folder.",
)
opening = collect("opening", _OPENING)
scene_options = collect(
    "options",
    (*_VALUES, *_LEVEL, _UNGEOREFERENCED, *_RUN, _DRAWS),
    {"input_scale": "scale", "input_offset": "offset"},
    _with_draws,
)
"""Options of `hsi_xr.reconstruct`."""
batch_options = collect("options", (*_LEVEL, _UNGEOREFERENCED, *_RUN))
"""Those that are the same for all images of a conversion."""
output = collect("output", _OUTPUT)
