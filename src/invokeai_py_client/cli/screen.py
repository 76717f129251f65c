"""The whole screen of a terminal, drawn anew several times a second until a key or Ctrl-C ends it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from invokeai_py_client.cli.keys import single_keys, state_of_terminal
from invokeai_py_client.cli.output import Output

if TYPE_CHECKING:
    from rich.console import RenderableType

FRAMES = 5
"""Frames a second."""


def has_screen(output: Output) -> bool:
    """Return whether stdout is a terminal on which the whole screen can be drawn, and a person reads it."""
    return output.is_human and output.console().is_terminal and not output.console().is_dumb_terminal


def show_on_screen(output: Output, screen: RenderableType, check: Callable[[], object]) -> None:
    """Draw on the whole screen until q is pressed.

    Args:
        output: of the command.
        screen: what is drawn, in as much room as there is at that moment.
        check: is called before each drawing; what it raises ends it.
    """
    from rich.live import Live

    for name in ("COLUMNS", "LINES"):
        # A shell that exports them means the size of now, and rich would take it for that of ever.
        os.environ.pop(name, None)
    live = Live(screen, console=output.console(), screen=True, refresh_per_second=FRAMES)
    with single_keys() as read_key, state_of_terminal(live.start, live.stop):
        while read_key(1 / FRAMES) not in ("q", "Q"):
            check()
