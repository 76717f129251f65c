"""The output of a notebook cell, for Jupyter and compatible notebooks and for marimo; otherwise, plain text."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from typing import Any

from invokeai_py_client.notebook.elements import Html

MOST_BYTES = 32 << 20
"""The largest image that is put into a notebook."""

_HEADS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
"""The first bytes of the file types that all notebooks can show."""

PAUSE, BATCH_PAUSE = 0.1, 0.25
"""Seconds between two updates of a run, and of a batch, which has more images. A page cannot keep up with more."""


def mimebundle(make: Callable[[], str]) -> dict[str, str]:
    """Return the result of `_repr_mimebundle_` for an object that is shown as HTML. Never raises.

    IPython also calls it in a terminal, where HTML cannot be shown; an empty result makes it use the object's `repr`.

    Args:
        make: returns the HTML.
    """
    if not is_shown():
        return {}
    try:
        # The serializers of some notebooks do not accept a subclass of `str`.
        return {"text/html": str(make())}
    except Exception as error:
        # An exception would make the cell show a traceback of IPython instead of the object.
        return {"text/plain": f"This cannot be shown: {type(error).__name__}: {error}"}


def image_bundle(fetch: Callable[[], bytes], name: str) -> dict[str, str]:
    """Return the result of `_repr_mimebundle_` for an image. Never raises.

    Args:
        fetch: returns the content of the image file.
        name: the name of the image, which is shown if the image cannot be shown.
    """
    if not is_shown():
        return {}
    try:
        content = fetch()
    except TimeoutError:
        reason = "it took too long to download"
    except Exception as error:
        reason = str(error)
    else:
        kind = next((kind for kind, head in _HEADS.items() if content.startswith(head)), None)
        if kind is not None and len(content) <= MOST_BYTES:
            return {kind: base64.b64encode(content).decode("ascii")}
        reason = "its type is unknown" if kind is None else f"it has {len(content) / 2**20:.0f} MiB"
    return {"text/plain": f"{name}: not shown, as {reason}"}


def is_shown() -> bool:
    """Return whether HTML and images can be shown. Only IPython in a terminal reports that they cannot."""
    formatter = getattr(_shell(), "display_formatter", None)
    return formatter is None or [*formatter.active_types] != ["text/plain"]


def _shell() -> Any:
    """Return IPython's shell; None outside of IPython."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def show(thing: object) -> Callable[[object], object] | None:
    """Show an object below the running cell.

    Returns:
        A function that replaces it by another object; None if no notebook is running, so that nothing was shown.
    """
    marimo = sys.modules.get("marimo")
    if marimo is not None and marimo.running_in_notebook():
        marimo.output.append(thing)
        # In marimo, a cell has a single output.
        replace: Callable[[object], object] = marimo.output.replace
        return replace
    if hasattr(_shell(), "kernel"):
        handle = sys.modules["IPython"].display.display(thing, display_id=True)
        update: Callable[[object], object] = handle.update
        return update
    return None


class LiveOutput:
    """An output that is updated. Outside of a notebook, the first and last state are printed."""

    def __init__(self) -> None:
        self._replace: Callable[[object], object] | None = None
        self._is_open = False

    def show(self, html: Html, text: str, *, is_last: bool = False) -> None:
        """Replace the output.

        Args:
            html: the output in a notebook.
            text: the output elsewhere.
            is_last: whether this is the last update.
        """
        view = _View(html, text)
        if self._replace is not None:
            self._replace(view)
        elif not self._is_open:
            self._replace = show(view)
            self._is_open = True
            if self._replace is None:
                print(text)
        elif is_last:
            print(text)


class _View:
    """One state of an output."""

    def __init__(self, html: Html, text: str) -> None:
        self._html = html
        self._text = text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": str(self._html), "text/plain": self._text}

    def __repr__(self) -> str:
        return self._text
