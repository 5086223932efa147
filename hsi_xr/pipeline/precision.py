"""Runs networks in single precision, by disabling TF32 while they run."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class _SinglePrecision:
    """Runs networks in single precision, without TF32 on a GPU.

    By default, cuDNN rounds the factors of convolutions to 10 bits (TF32). Log-likelihoods of
    colours have large terms that nearly cancel: with TF32, spectra are wrong by several per cent.
    The setting belongs to the process, and several devices run at once: the first one that enters
    changes it, the last one that leaves restores what other code had chosen.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._previous = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._inside:
                self._previous = torch.backends.cudnn.allow_tf32
                torch.backends.cudnn.allow_tf32 = False
            self._inside += 1
        try:
            with torch.inference_mode():
                yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    torch.backends.cudnn.allow_tf32 = self._previous


single_precision = _SinglePrecision()
