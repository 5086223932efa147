"""Memory of a program, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak in /proc")

_TELL = """
from pathlib import Path
status = Path("/proc/self/status").read_text().split()
print(1024 * int(status[status.index("VmHWM:") + 1]))
"""


def peak(code: str, *arguments: object, path: Sequence[Path] = ()) -> int:
    """Resident bytes of a new interpreter at its peak, which runs the code with the arguments.

    It says so of itself: what getrusage tells of a child begins at the peak of its parent.
    """
    done = subprocess.run(
        [sys.executable, "-c", code + _TELL, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [*path, *sys.path]))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])
