"""Process-wide options."""

import ctypes
import os
import sys
import threading
from types import TracebackType

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # from malloc.h
_KEEP = {_MMAP_THRESHOLD: 1 << 30, _TRIM_THRESHOLD: 1 << 30, _ARENA_MAX: 1}
_DEFAULTS = {
    _MMAP_THRESHOLD: 128 << 10,
    _TRIM_THRESHOLD: 128 << 10,
    _ARENA_MAX: 8 * (os.cpu_count() or 1),
}


class set_options:  # noqa: N801  # used like a function, as xarray.set_options
    """Sets options of the whole process, for good or within a `with` block.

    Args:
        keep_freed_memory: True (default) makes the C library keep large freed blocks for reuse.
            The activations of a layer are tens of megabytes; glibc would return each of them to
            the kernel, which clears its pages again on the next allocation: about two thirds of
            the time of a large tile on a CPU. The memory that is kept is bounded by the peak of
            one batch, and returned when more than 1 GiB is unused. The setting takes effect when a
            model first runs on a CPU and then holds for everything in the process, with a single
            malloc arena. False leaves the C library alone; if it has been changed already, its
            default thresholds are restored. Without glibc (macOS, Windows, musl) it does nothing.

    Examples:
        >>> hsi_xr.set_options(keep_freed_memory=False)
        >>> with hsi_xr.set_options(keep_freed_memory=False):
        ...     cube = hsi_xr.reconstruct("scene.tif").compute()
    """

    def __init__(self, *, keep_freed_memory: bool) -> None:
        self._before = _memory.set_keep(keep_freed_memory)

    def __enter__(self) -> None:
        """Does nothing: the options are set already."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _memory.set_keep(self._before)


class _Memory:
    """The option `keep_freed_memory`, and the state of the C library."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keep = True
        self._in_use = False
        self._applied = False

    def set_keep(self, keep: bool) -> bool:
        """Returns the previous setting."""
        with self._lock:
            previous, self._keep = self._keep, keep
            if self._in_use:
                self._apply()
        return previous

    def use(self) -> None:
        """Applies the setting, now and whenever it changes."""
        with self._lock:
            self._in_use = True
            self._apply()

    def _apply(self) -> None:
        if self._keep != self._applied:
            _set_malloc(_KEEP if self._keep else _DEFAULTS)
            self._applied = self._keep


_memory = _Memory()


def apply_memory_options() -> None:
    """Applies `keep_freed_memory`; to be called before the thread that runs models starts.

    With a single arena, only the thread that is started next can keep blocks of that size.
    """
    _memory.use()


def _set_malloc(values: dict[int, int]) -> None:
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        for option, value in values.items():
            libc.mallopt(option, value)
