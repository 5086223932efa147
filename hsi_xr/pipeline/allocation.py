"""How the C library hands out memory, set for networks."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of malloc.h


def keep_freed_memory() -> None:
    """Asks glibc to reuse large blocks instead of handing each back to the kernel.

    A layer's activations are tens of megabytes. By default each is mapped anew, and the kernel
    zeroes every page of it again: measured, that is two thirds of the time of a large tile. What
    is kept is bounded by the peak of one batch, and returned when more than 1 GiB lies idle.
    Only the first arena can keep blocks of that size; the thread that is started next gets it.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return
    for option, value in (_MMAP_THRESHOLD, 1 << 30), (_TRIM_THRESHOLD, 1 << 30), (_ARENA_MAX, 1):
        libc.mallopt(option, value)
