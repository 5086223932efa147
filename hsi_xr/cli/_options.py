"""The many options of commands, gathered into the few values that they describe."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]


class Place(click.ParamType[Path]):
    """A file here, or an object: `s3://bucket/cube.tif`."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        from hsi_xr.io.remote import file_of

        return file_of(value)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is read, and what its numbers mean."""

    bands: tuple[int, ...] | None
    bounds: tuple[float, float, float, float] | None
    radiometry: str | None
    input_scale: float | None
    src_nodata: float | None
    allow_ungeoreferenced: bool


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """What is read where that is many."""

    bands: tuple[int, ...] | None
    src_nodata: float | None
    allow_ungeoreferenced: bool


@dataclass(frozen=True, kw_only=True)
class Run:
    """How the cube is estimated."""

    model: str
    untrained: bool
    steps: int | None
    samples: int
    out_of_domain: bool
    seed: int
    tile: int | None
    halo: int | None
    batch: int | None
    device: str
    camera: str | None
    consistency: str | None
    residual: bool


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What is known of the ground, and how it is used."""

    known_scale: float
    known_crs: str | None
    known_bands: str | None
    smooth: float


@dataclass(frozen=True, kw_only=True)
class Output:
    """What is written."""

    dtype: str
    scale: float
    format: str | None
    creation_options: dict[str, str]
    stac: bool | None
    datetime: str | None
    overwrite: bool
    resume: bool

    @property
    def checked(self) -> dict[str, Any]:
        """What `check_product` takes of it."""
        names = ("datetime", "format", "stac", "overwrite", "resume")
        return {name: getattr(self, name) for name in names}


def _numbers(
    ctx: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    if text is None:
        return None
    numbers = text.replace(",", " ").split()
    if len(numbers) != 3 or not all(number.isdecimal() and int(number) for number in numbers):
        raise click.BadParameter(f"{text!r} is not red, green, blue as band numbers, e.g. 1,2,3")
    return tuple(int(number) for number in numbers)


def _pairs(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    if wrong := [text for text in texts if "=" not in text]:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE, e.g. ZSTD_LEVEL=15")
    return {
        name.strip().upper(): value for name, _, value in (text.partition("=") for text in texts)
    }


_PICTURES = (
    click.option(
        "--bands", metavar="R,G,B", callback=_numbers, help="Band numbers of red, green and blue."
    ),
    click.option(
        "--src-nodata",
        type=float,
        metavar="VALUE",
        help="Stored number of what is no part of it, in place of the file's own nodata.",
    ),
    click.option(
        "--allow-ungeoreferenced",
        is_flag=True,
        help="Accept a scene without CRS; the cube says so.",
    ),
)
_SCENE = (
    *_PICTURES,
    click.option(
        "--radiometry",
        metavar="KIND",
        help="srgb, linear or reflectance; 8-bit scenes are srgb unless their metadata says more.",
    ),
    click.option(
        "--bounds",
        nargs=4,
        type=float,
        metavar="W S E N",
        help="Write only this part, in the scene's CRS; its pixels are those of the whole.",
    ),
    click.option(
        "--input-scale",
        type=float,
        metavar="FACTOR",
        help="Factor from the scene's numbers to reflectance or to 0..1.",
    ),
)
_RUN = (
    click.option(
        "-m",
        "--model",
        default="default",
        show_default=True,
        help="A name of `hsi-xr models`, a .safetensors file, or a model's folder.",
    ),
    click.option(
        "--untrained",
        is_flag=True,
        help="Run the system of that name on random weights, to try its cost; the cube says so.",
    ),
    click.option(
        "--steps",
        type=int,
        help="Of the model's chain [default: as its card says; 0 for the default model].",
    ),
    click.option(
        "--samples",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="More than one: the standard deviation, too, in DST_std.tif.",
    ),
    click.option(
        "--out-of-domain",
        is_flag=True,
        help="Where colours are unlike all that was learned from, in DST_domain.tif.",
    ),
    click.option(
        "--seed", default=0, show_default=True, help="Same seed, same cube, however it is tiled."
    ),
    click.option("--tile", type=int, metavar="PIXELS", help="Side of a tile [default: model's]."),
    click.option(
        "--halo", type=int, metavar="PIXELS", help="Context around a tile [default: as measured]."
    ),
    click.option("--batch", type=int, metavar="TILES", help="Tiles at once [default: what fits]."),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."),
    click.option(
        "--camera",
        metavar="NAME|FILE.json",
        help="Of the scene: one of `hsi-xr cameras`, a file as of rawtoaces-data, or unknown.",
    ),
    click.option(
        "--consistency",
        metavar="KIND",
        help="exact: the camera sees the scene in the cube; soft: within noise [default: as the "
        "model has it]. Of reflectance by a known camera.",
    ),
    click.option(
        "--residual",
        is_flag=True,
        help="What the camera sees of the cube, less the scene, in DST_residual.tif.",
    ),
)
_GROUND = (
    click.option(
        "--known-scale",
        type=float,
        default=1.0,
        show_default=True,
        metavar="FACTOR",
        help="Factor from known numbers to reflectance in 0..1: 0.01 for percent.",
    ),
    click.option("--known-crs", metavar="CRS", help="Of the points [default: that of CUBE]."),
    click.option(
        "--known-bands",
        metavar="NM/NM,...",
        help="Centre and width of each band of a raster KNOWN that does not tell them.",
    ),
    click.option(
        "--smooth",
        type=float,
        default=60.0,
        show_default=True,
        metavar="NM",
        help="Length over which the gain changes; inf for one gain of all bands.",
    ),
)
_OUTPUT = (
    click.option("--dtype", default="int16", show_default=True, help="int16 or float32."),
    click.option(
        "--scale", default=1e-4, show_default=True, help="Reflectance of one step of int16."
    ),
    click.option(
        "--format",
        metavar="NAME",
        help="cog, geotiff, zarr, envi or netcdf [default: by DST; .tif is a cog].",
    ),
    click.option(
        "-co",
        "--co",
        "creation_options",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_pairs,
        help="Creation option of the format; may be repeated.",
    ),
    click.option(
        "--stac/--no-stac",
        default=None,
        help="STAC item beside DST [default: if the acquisition time is known].",
    ),
    click.option(
        "--datetime",
        metavar="ISO",
        help="When the scene was taken, e.g. 2026-01-02T10:30:00Z; of a range START/END.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace what is there."),
    click.option("--resume", is_flag=True, help="Go on where an interrupted run stopped."),
)


def _gathered(
    name: str, kind: type[Any], options: tuple[Command, ...]
) -> Callable[[Command], Command]:
    """Options that reach the command as one frozen value instead of many arguments."""
    own = [field.name for field in fields(kind)]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def gather(**given: Any) -> Any:
            value = kind(**{key: given.pop(key) for key in own})
            return command(**given, **{name: value})

        for option in reversed(options):
            gather = option(gather)
        return gather

    return decorate


scene = _gathered("scene", Scene, _SCENE)
pictures = _gathered("pictures", Pictures, _PICTURES)
run = _gathered("run", Run, _RUN)
ground = _gathered("ground", Ground, _GROUND)
tmp = click.option(
    "--tmp",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where what goes to object storage is put together [default: the system's].",
)
output = _gathered("output", Output, _OUTPUT)
