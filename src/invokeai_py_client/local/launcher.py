"""Becomes a server: `python -P launcher.py PARENT PROGRAM ARGUMENT...`.

Run by the Python of a server's environment; it imports nothing of this package. PARENT is the id of the process that
the server must not outlive, or 0. The server's program runs in this process, after its settings.
"""

from __future__ import annotations

import ctypes
import gc
import os
import runpy
import signal
import sys

ALLOCATIONS_PER_COLLECTION = 100_000
"""Objects allocated between two searches for garbage. A start imports more than a million objects that stay: with
Python's own 700, a fifth of its CPU time is spent on going through them again and again."""


def end_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends. Only Linux can do that."""
    if sys.platform == "linux":
        # Asked for here, after the fork and the exec: threads make it unsafe to run Python code between the two.
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the process that started this server is gone")


if __name__ == "__main__":
    if sys.argv[1] != "0":
        end_with(int(sys.argv[1]))
    gc.set_threshold(ALLOCATIONS_PER_COLLECTION)
    del sys.argv[:2]
    runpy.run_path(sys.argv[0], run_name="__main__")
