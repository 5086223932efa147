"""A product and the STAC item beside it: refused before any work, or written and described."""

from pathlib import Path
from typing import TYPE_CHECKING

from hsi_xr.cli import _options
from hsi_xr.cli._console import log
from hsi_xr.cli._progress import progress

if TYPE_CHECKING:
    import xarray as xr

    from hsi_xr.checkpoints.card import Card


def acquisition(src: str, dst: Path, output: _options.Output, known: str | None) -> str | None:
    """Time of acquisition in ISO 8601; all that can be said against the item, before any work."""
    from hsi_xr.errors import DestinationExists, MissingFact
    from hsi_xr.io.formats import same_stem_paths
    from hsi_xr.io.remote import reaching
    from hsi_xr.times import utc_text

    beside = (_item_path(dst), dst.with_suffix(".png"))
    with reaching(dst, "look for"):
        there = [path for path in beside if path.exists()]
        others = [path for path in same_stem_paths(dst) if path.exists()]
    given = output.datetime or known
    acquired = utc_text(given) if given else None
    _refuse_name_of_source(src, dst)
    if output.stac and acquired is None:
        raise MissingFact(
            f"{src!r} does not tell when it was acquired, and a STAC item must; give --datetime, "
            "e.g. --datetime 2026-01-02T10:30:00Z"
        )
    expected = acquired is not None and output.stac is not False
    if expected and others:
        raise DestinationExists(
            f"{others[0].name!r} is there already, and would share {beside[0].name!r} with "
            f"{dst.name!r}; give another DST, or --no-stac"
        )
    if expected and there and not (output.overwrite or output.resume):
        raise DestinationExists(
            f"{str(there[0])!r} exists; give --overwrite, another DST, or --no-stac"
        )
    return acquired


def _refuse_name_of_source(src: str, dst: Path) -> None:
    """What is written beside a product bears its name, and must not meet what is read."""
    from hsi_xr.errors import UsageError
    from hsi_xr.io.variables import companion_paths

    read, written = _placed(src), _placed(str(dst))
    for each in (written, *companion_paths(written).values()):
        if read == each or (read.exists() and each.exists() and each.samefile(read)):
            beside = "" if each == written else f" would have {each.name!r} beside it, which"
            raise UsageError(
                f"{str(dst)!r}{beside} is the file that is read; give DST another name"
            )
    if read.with_suffix("") == written.with_suffix(""):
        raise UsageError(
            f"{str(dst)!r} has the name of the file that is read, {read.name!r}, up to the suffix; "
            "its preview, item or style would replace that, or be taken for those of that. "
            "Give DST another name"
        )


def _placed(path: str) -> Path:
    """One name of a file or an object, to be compared with others and nothing more."""
    from hsi_xr.io.remote import is_remote, url_of

    return Path(url_of(path)) if is_remote(path) else Path(path).resolve()


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


def write(
    cube: "xr.Dataset", dst: Path, output: _options.Output, mode: str, tmp: Path | None
) -> None:
    import hsi_xr
    from hsi_xr.io.journal import journal_path
    from hsi_xr.io.remote import is_remote

    try:
        with progress(mode) as report:
            hsi_xr.write(
                cube,
                str(dst),
                dtype=output.dtype,
                scale=output.scale,
                format=output.format,
                overwrite=output.overwrite,
                resume=output.resume,
                creation_options=output.creation_options,
                tmp=tmp,
                progress=report,
            )
    except KeyboardInterrupt:
        if is_remote(str(dst)) or journal_path(dst).exists():
            raise KeyboardInterrupt("What is done is kept: --resume goes on from there.") from None
        raise


def describe(dst: Path, src: str, acquired: str, model: "Card | None" = None) -> Path:
    """Write the preview and the item beside the cube, each complete or not at all.

    Args:
        dst: The cube.
        src: The scene that it was made of.
        acquired: When that was taken.
        model: Its item is linked: that beside its weights, or one in `models/` beside the cube of
            a model that comes with the package.
    """
    import hsi_xr
    from hsi_xr.errors import HsiError
    from hsi_xr.io.preview import write_thumbnail
    from hsi_xr.io.remote import is_remote
    from hsi_xr.stac.files import save

    try:
        write_thumbnail(dst)
        # what is in object storage cannot be linked to what is here
        linked = None if is_remote(str(dst)) and Path(src).exists() else src
        about = None if model is None or is_remote(str(dst)) else _model_item(model, dst.parent)
        item = hsi_xr.describe(str(dst), datetime=acquired, derived_from=linked, model=about)
        return save(item.to_dict(include_self_link=False), _item_path(dst))
    except HsiError as error:
        raise HsiError(
            f"{str(dst)!r} is complete, but its STAC item could not be written: {error}"
        ) from error


def shipped_model(sha256: str | None) -> "Card | None":
    """The model of these weights, if it comes with the package."""
    from hsi_xr.checkpoints.registry import shipped

    return next((card for card in shipped().values() if card.sha256 == sha256), None)


def _model_item(card: "Card", folder: Path) -> Path | None:
    """Weights of others are not copied unasked: they can be large."""
    from hsi_xr.checkpoints.card import ITEM
    from hsi_xr.checkpoints.model_folder import model_item
    from hsi_xr.checkpoints.registry import SHIPPED

    if card.weights is not None and card.weights.parent == SHIPPED:
        return model_item(card, folder)
    path = None if card.weights is None else card.weights.with_name(ITEM)
    return path if path is not None and path.exists() else None


def _item_path(dst: Path) -> Path:
    return dst.with_suffix(".json")
