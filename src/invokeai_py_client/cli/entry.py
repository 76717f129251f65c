"""`main`: what `invokeai-client` runs. It can tell that the extra `cli` is missing."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: those of the command line; `sys.argv` if they are left out.

    Returns:
        The exit code; `invokeai-client discover` lists them.
    """
    if importlib.util.find_spec("click") is None or importlib.util.find_spec("rich") is None:
        print(
            "error: The command line needs click and rich, which are not installed. Install them with: "
            'pip install "invokeai-py-client[cli]"',
            file=sys.stderr,
        )
        return 2
    from invokeai_py_client.cli.app import run

    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        # The shell, or what started this process, may have closed it.
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What the code page of a Windows console or a pipe lacks is escaped instead of raising an error.
            stream.reconfigure(errors="backslashreplace")
    return run(sys.argv[1:] if arguments is None else arguments)
