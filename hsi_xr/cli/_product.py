"""A product and the STAC item beside it: refused before any work, or written and described."""

from pathlib import Path
from typing import TYPE_CHECKING

from hsi_xr.cli import _options
from hsi_xr.cli._console import log
from hsi_xr.cli._progress import progress

if TYPE_CHECKING:
    import xarray as xr


def acquisition(src: str, dst: Path, output: _options.Output, known: str | None) -> str | None:
    """Time of acquisition in ISO 8601; all that can be said against the item, before any work."""
    from hsi_xr.errors import DestinationExists, MissingFact, UsageError
    from hsi_xr.raster.labels import instant

    item = _item_path(dst)
    given = output.datetime or known
    acquired = instant(given).isoformat() if given else None
    if dst.exists() and Path(src).exists() and dst.samefile(src):
        raise UsageError(f"{str(dst)!r} is the file that is read; give DST another name")
    if output.stac and acquired is None:
        raise MissingFact(
            f"{src!r} does not tell when it was acquired, and a STAC item must; give --datetime, "
            "e.g. --datetime 2026-01-02T10:30:00Z"
        )
    expected = acquired is not None and output.stac is not False
    if expected and item.exists() and not (output.overwrite or output.resume):
        raise DestinationExists(
            f"{str(item)!r} exists; give --overwrite, another DST, or --no-stac"
        )
    return acquired


def warn_of_items(src: str, dst: Path, output: _options.Output, acquired: str | None) -> None:
    """Say now, and not after hours, that no item will be there, or one that is not of this run."""
    if acquired is not None and output.stac is not False:
        return
    if output.stac is None:
        log.warning(
            "no STAC item will be written, since %s does not tell when it was acquired; give "
            "--datetime, e.g. --datetime 2026-01-02T10:30:00Z, or --no-stac",
            Path(src).name,
        )
    if _item_path(dst).exists():
        log.warning("%s is not touched; it is not about this %s", _item_path(dst), dst.name)


def write(cube: "xr.Dataset", dst: Path, output: _options.Output, mode: str) -> None:
    import hsi_xr
    from hsi_xr.raster.ledger import ledger_of

    try:
        with progress(mode) as report:
            hsi_xr.write(
                cube,
                dst,
                dtype=output.dtype,
                scale=output.scale,
                format=output.format,
                overwrite=output.overwrite,
                resume=output.resume,
                creation_options=output.creation_options,
                progress=report,
            )
    except KeyboardInterrupt:
        if ledger_of(dst).exists():
            raise KeyboardInterrupt("What is done is kept: --resume goes on from there.") from None
        raise


def describe(dst: Path, src: str, acquired: str) -> Path:
    """Write the item beside the cube, complete or not at all."""
    import json

    import hsi_xr
    from hsi_xr.errors import HsiError

    path = _item_path(dst)
    part = path.with_name(f"{path.name}.part")
    try:
        item = hsi_xr.describe(dst, datetime=acquired, derived_from=src)
        part.write_text(json.dumps(item.to_dict(include_self_link=False), indent=2) + "\n")
        part.replace(path)
    except (HsiError, OSError) as error:
        part.unlink(missing_ok=True)
        raise HsiError(
            f"{str(dst)!r} is complete, but its STAC item could not be written: {error}"
        ) from error
    return path


def _item_path(dst: Path) -> Path:
    return dst.with_suffix(".json")
