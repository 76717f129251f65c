"""Previews in terminals that can show pictures, by the protocol of kitty or by sixel, as iTerm2 and xterm do."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from invokeai_py_client.wire.preview import Preview

if TYPE_CHECKING:
    from textual_image.renderable import SixelImage, TGPImage

_LINES = 12
"""How many lines of the terminal a preview takes."""


def preview_maker() -> Callable[[Preview], SixelImage | TGPImage] | None:
    """Return what makes a preview something that rich can show; None if this terminal shows no pictures.

    The terminal is asked, which takes up to a fifth of a second. It keeps a picture until `cleanup` is called.
    """
    if not _can_ask_terminal():
        return None
    # Else its warnings would be printed where the progress is.
    logging.getLogger("textual_image").addHandler(logging.NullHandler())
    # The terminal is asked when the module is imported.
    from textual_image.renderable import Image, SixelImage, TGPImage

    for kind in (SixelImage, TGPImage):
        if Image is kind:
            return lambda preview: kind(preview.pil(), width="auto", height=_LINES)
    return None


def _can_ask_terminal() -> bool:
    """Return whether the terminal would answer: a program in the background is stopped when it reads from it."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") in ("dumb", "linux"):
        return False
    if sys.platform == "win32":
        return True
    try:
        has_size = os.get_terminal_size(sys.stdout.fileno()).columns > 0
        return has_size and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        # It is not the terminal that controls this program.
        return False
