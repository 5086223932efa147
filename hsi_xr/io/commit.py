"""Objects that belong together arrive in a store, in place of what was there, or not at all.

A store has no step that replaces many objects at once. So the one that makes them a product goes
last, and what they replace is kept under passing names until all of it is done:

    cube.zarr.part/new/0, 1, ...             what has arrived
    cube.zarr.part/replaced/cube.zarr/...    what it replaces
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from hsi_xr.io.remote import store_errors
from hsi_xr.io.upload import store_of, tried, upload

Objects = Sequence[tuple[Path, Path]]
"""What is sent or copied, and the objects that it becomes."""

_AT_ONCE = 8
"""Objects that are on their way at the same time."""


def commit(objects: Objects, aside: Path, *, root: Path | None) -> None:
    """Send files; after a failure what was there before is there, and nothing new.

    Args:
        objects: Files here and what they become; the one that makes the rest a product last.
        aside: Folder of passing names. What a run that died has left in it is put back, where that
            run had begun to replace it, and else removed.
        root: Folder of which the objects are the whole content; what else is in it is removed.

    Raises:
        OSError: The store refused or did not answer, several times; see also `store_errors`.
    """
    main, kept = objects[-1][1], aside / "replaced"
    if _moved(main, kept).exists() and not main.exists():
        _put_back(kept, objects, root)
    _clear(aside)
    old = _existing(objects, root)
    if old and len(objects) > 1:
        _replace(objects, old, aside, root)
        return
    try:
        _clear(root)
        _in_order(upload, objects)
    except BaseException:
        if not old:  # a single object is the old one or the new one
            _remove(there for _, there in objects)
        raise


def _replace(objects: Objects, old: Sequence[Path], aside: Path, root: Path | None) -> None:
    kept = aside / "replaced"
    new = [(file, aside / "new" / str(at)) for at, (file, _) in enumerate(objects)]
    try:
        _in_order(upload, new)
        _in_order(_copy, [(there, _moved(there, kept)) for there in old])
    except BaseException:
        with suppress(*store_errors()):  # whoever calls has worse to tell
            _clear(aside)
        raise
    try:
        _clear(root, objects[-1][1])
        _in_order(_copy, [(here, there) for (_, here), (_, there) in zip(new, objects)])
    except BaseException as error:
        try:
            _put_back(kept, objects, root)
        except store_errors():
            raise OSError(f"{error}; what was there before is kept in {str(kept)!r}") from error
        with suppress(*store_errors()):
            _clear(aside)
        raise
    with suppress(*store_errors()):  # the next run of that name removes it
        _clear(aside)


def _existing(objects: Objects, root: Path | None) -> list[Path]:
    """What there is of a product, that which makes it one last; of a store without root nothing."""
    main = objects[-1][1]
    if root is None:
        return [there for _, there in objects if there.exists()]
    return [*(each for each in _files(root) if each != main), main] if main.exists() else []


def _put_back(kept: Path, objects: Objects, root: Path | None) -> None:
    """Have what was replaced take its place again."""
    back = [(each, kept.parent.parent / _within(each, kept)) for each in _files(kept)]
    main = objects[-1][1]
    _clear(root, main)
    if root is None:
        known = {str(there) for _, there in back}
        _remove(there for _, there in objects if str(there) not in known)
    if back:
        _in_order(_copy, sorted(back, key=lambda pair: pair[1] == main))


def _moved(there: Path, kept: Path) -> Path:
    """What an object is called while it is kept."""
    return kept / _within(there, kept.parent.parent)


def _within(there: Path, folder: Path) -> str:
    return str(there).removeprefix(str(folder)).lstrip("/")


def _files(folder: Path) -> list[Path]:
    store, key = store_of(folder)
    found = store.find(key) if folder.exists() else []
    return [folder / each[len(key) :].lstrip("/") for each in found]


def _copy(here: Path, there: Path) -> None:
    store, key = store_of(here)
    tried(partial(store.cp_file, key, store_of(there)[1]))


def _in_order(send: Callable[[Path, Path], None], objects: Objects) -> None:
    """All at once but the last, which waits for them."""
    *others, last = objects
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="hsi-xr-upload") as pool:
        try:
            for done in [pool.submit(send, *each) for each in others]:
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    send(*last)


def _clear(root: Path | None, first: Path | None = None) -> None:
    """Empty a folder, beginning with what makes it a product."""
    if root is None or not root.exists():
        return
    store, key = store_of(root)
    if first is not None:
        tried(partial(first.unlink, missing_ok=True))
    if root.exists():
        tried(partial(store.rm, key, recursive=True))


def _remove(objects: Iterable[Path]) -> None:
    with suppress(*store_errors()):  # whoever calls has worse to tell
        for each in objects:
            each.unlink(missing_ok=True)
