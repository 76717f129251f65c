"""Programs of their own: what a process does at Ctrl-C, at a fork and at its exit can only be seen from outside."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable

import pytest

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_program() -> Program:
    """Run Python code in a process of its own, every warning shown, and return what came of it."""

    def run(code: str, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "always", "-X", "faulthandler", "-c", textwrap.dedent(code), *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
