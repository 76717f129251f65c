"""How a file is opened: in the browser, or in the program that the system has for it."""

from __future__ import annotations

from pathlib import Path

from invokeai_py_client.cli.output import Output


def open_file(output: Output, path: Path) -> None:
    """Open a file, and say so where that is not possible."""
    import webbrowser

    if not webbrowser.open(path.absolute().as_uri()):
        output.note(f"note: there is no browser here to open {path}")
