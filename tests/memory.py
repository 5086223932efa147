"""Peak memory of a program, measured in a separate process."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak in /proc")

_PRINT_PEAK = """
from pathlib import Path
status = Path("/proc/self/status").read_text().split()
print(1024 * int(status[status.index("VmHWM:") + 1]))
"""


def peak(code: str, *arguments: object, path: Sequence[Path] = ()) -> int:
    """Returns the peak resident bytes of a new interpreter that runs code with arguments.

    The interpreter reports it itself: getrusage of a child starts at the peak of its parent.
    """
    done = subprocess.run(
        [sys.executable, "-c", code + _PRINT_PEAK, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [*path, *sys.path]))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])
