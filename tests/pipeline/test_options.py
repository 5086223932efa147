"""Process-wide options."""

import os
import subprocess
import sys

import pytest

import hsi_xr
from hsi_xr.pipeline import options

_RUN = """
import ctypes
import resource
import sys
from pathlib import Path

import hsi_xr
from hsi_xr.pipeline.options import apply_memory_options

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
libc.malloc.argtypes = [ctypes.c_size_t]

def kept():
    before = resident()
    block = libc.malloc(64 << 20)
    ctypes.memset(block, 1, 64 << 20)
    libc.free(block)
    return resident() - before > 32 << 20

SCRIPT
"""


def _run(script: str) -> list[str]:
    """Returns what a script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN.replace("SCRIPT", script)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


glibc = pytest.mark.skipif(
    sys.platform != "linux" or "glibc" not in os.confstr("CS_GNU_LIBC_VERSION"),
    reason="the option changes glibc only",
)


@glibc
def test_freed_memory_is_kept_once_models_run_on_a_cpu():
    assert _run("print(kept()); apply_memory_options(); print(kept())") == ["False", "True"]


@glibc
def test_freed_memory_is_returned_if_the_option_is_off():
    off = "hsi_xr.set_options(keep_freed_memory=False); "
    use = "apply_memory_options(); "
    assert _run(off + use + "print(kept())") == ["False"]
    assert _run(use + off + "print(kept())") == ["False"]


@pytest.fixture
def applied(monkeypatch):
    """The settings that the C library would get."""
    applied = []
    monkeypatch.setattr(options, "_memory", options._Memory())
    monkeypatch.setattr(options, "_set_malloc", applied.append)
    return applied


def test_a_context_restores_the_option(applied):
    with hsi_xr.set_options(keep_freed_memory=False):
        options.apply_memory_options()
        assert applied == []
    assert applied == [options._KEEP]
    with hsi_xr.set_options(keep_freed_memory=False):
        assert applied == [options._KEEP, options._DEFAULTS]
    assert applied[2:] == [options._KEEP]


def test_an_option_that_does_not_change_does_nothing(applied):
    options.apply_memory_options()
    options.apply_memory_options()
    hsi_xr.set_options(keep_freed_memory=True)
    assert applied == [options._KEEP]
