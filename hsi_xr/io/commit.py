"""Upload the files of a product so that all of them replace the old product, or none does.

An object store cannot replace many objects in one step. So the main object, without which the
others cannot be opened, is uploaded last, and replaced objects are kept elsewhere until then:

    cube.zarr.part/new/0, 1, ...             uploaded objects
    cube.zarr.part/replaced/cube.zarr/...    replaced objects
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from hsi_xr.errors import Incomplete
from hsi_xr.io.remote import store_errors
from hsi_xr.io.stores import metadata_file
from hsi_xr.io.upload import retry, store_and_key, upload
from hsi_xr.io.write_plan import WritePlan

Transfers = Sequence[tuple[Path, Path]]
"""Pairs of a source (a local file or an object) and its destination object."""

_CONCURRENT = 8
"""Number of objects that are uploaded or copied at a time."""


def commit_product(plan: WritePlan, remote: Path, finished: Path) -> None:
    """Upload the finished files of a run, the main file last.

    Args:
        plan: The plan of the run.
        remote: Folder of the object store.
        finished: Local folder of the finished files.

    Raises:
        Incomplete: They could not be uploaded; everything is kept for a run that resumes this one.
    """
    files = [] if plan.style_path is None else [finished / plan.style_path.name]
    for file in reversed(plan.files):
        whole = finished / file.path.name
        files += [*file.format.sidecars(whole).values(), *_objects_of(whole)]
    main = remote / plan.main.path.name
    root = (
        None if files[-1].parent == finished else main
    )  # only a store consists of several objects
    try:
        plan.upload_mark.touch()
        commit(
            [(file, remote / file.relative_to(finished).as_posix()) for file in files],
            remote / plan.folder.name,
            root=root,
        )
    except store_errors() as error:
        raise Incomplete(
            f"{str(main)!r} could not be uploaded ({error}); all computed blocks are kept in "
            f"{str(plan.folder)!r}, and the same call with resume (--resume) continues from there"
        ) from error


def _objects_of(whole: Path) -> list[Path]:
    """Returns a file, or all files of a store, of which readers open the last first."""
    if whole.is_file():
        return [whole]
    root = metadata_file(whole)
    others = sorted(path for path in whole.rglob("*") if path.is_file() and path != root)
    return [*others, root]


def commit(transfers: Transfers, temporary: Path, *, root: Path | None) -> None:
    """Upload files; after a failure, the old objects are in place, and no new ones are left.

    Args:
        transfers: Local files and their objects, the main object last.
        temporary: Folder for temporary objects. Objects that an interrupted run left in it are
            restored if that run had started to replace objects, and removed otherwise.
        root: Folder that contains only these objects; any others in it are removed. None if the
            objects share a folder with unrelated ones.

    Raises:
        OSError: The store refused a request, or did not respond after several retries. Stores
            also raise the other errors of `store_errors`.
    """
    main, kept = transfers[-1][1], temporary / "replaced"
    if _kept_name(main, kept).exists() and not main.exists():
        _restore(kept, transfers, root)
    _clear(temporary)
    old = _existing(transfers, root)
    if old and len(transfers) > 1:
        _replace(transfers, old, temporary, root)
        return
    try:
        _clear(root)
        _transfer(upload, transfers)
    except BaseException:
        if not old:  # a single object is always complete: the old one or the new one
            _remove(destination for _, destination in transfers)
        raise


def _replace(transfers: Transfers, old: Sequence[Path], temporary: Path, root: Path | None) -> None:
    kept = temporary / "replaced"
    new = [(file, temporary / "new" / str(at)) for at, (file, _) in enumerate(transfers)]
    try:
        _transfer(upload, new)
        _transfer(_copy, [(path, _kept_name(path, kept)) for path in old])
    except BaseException:
        with suppress(*store_errors()):  # the first error matters more
            _clear(temporary)
        raise
    try:
        _clear(root, transfers[-1][1])
        _transfer(_copy, [(source, path) for (_, source), (_, path) in zip(new, transfers)])
    except BaseException as error:
        try:
            _restore(kept, transfers, root)
        except store_errors():
            raise OSError(f"{error}; the replaced objects are kept in {str(kept)!r}") from error
        with suppress(*store_errors()):
            _clear(temporary)
        raise
    with suppress(*store_errors()):  # the next run to this destination removes it
        _clear(temporary)


def _existing(transfers: Transfers, root: Path | None) -> list[Path]:
    """Returns the objects of the old product, main object last; none if its root is missing."""
    main = transfers[-1][1]
    if root is None:
        return [path for _, path in transfers if path.exists()]
    return [*(path for path in _objects(root) if path != main), main] if main.exists() else []


def _restore(kept: Path, transfers: Transfers, root: Path | None) -> None:
    """Copy the replaced objects back, main object last."""
    back = [(path, kept.parent.parent / _relative(path, kept)) for path in _objects(kept)]
    main = transfers[-1][1]
    _clear(root, main)
    if root is None:
        known = {str(path) for _, path in back}
        _remove(path for _, path in transfers if str(path) not in known)
    if back:
        _transfer(_copy, sorted(back, key=lambda pair: pair[1] == main))


def _kept_name(path: Path, kept: Path) -> Path:
    return kept / _relative(path, kept.parent.parent)


def _relative(path: Path, folder: Path) -> str:
    return str(path).removeprefix(str(folder)).lstrip("/")


def _objects(folder: Path) -> list[Path]:
    store, key = store_and_key(folder)
    names = store.find(key) if folder.exists() else []
    return [folder / name[len(key) :].lstrip("/") for name in names]


def _copy(source: Path, destination: Path) -> None:
    store, key = store_and_key(source)
    retry(partial(store.cp_file, key, store_and_key(destination)[1]))


def _transfer(send: Callable[[Path, Path], None], transfers: Transfers) -> None:
    """Transfer all objects concurrently except the last, which waits for the others."""
    *others, last = transfers
    with ThreadPoolExecutor(_CONCURRENT, thread_name_prefix="hsi-xr-upload") as pool:
        try:
            for done in [pool.submit(send, *pair) for pair in others]:
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    send(*last)


def _clear(folder: Path | None, first: Path | None = None) -> None:
    """Remove a folder, starting with the main object."""
    if folder is None or not folder.exists():
        return
    store, key = store_and_key(folder)
    if first is not None:
        retry(partial(first.unlink, missing_ok=True))
    if folder.exists():
        retry(partial(store.rm, key, recursive=True))


def _remove(paths: Iterable[Path]) -> None:
    with suppress(*store_errors()):  # the first error matters more
        for path in paths:
            path.unlink(missing_ok=True)
