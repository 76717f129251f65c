"""The output of a notebook's cell: Jupyter's with its kin, marimo's, and plain text where there is no notebook."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from typing import Any

from invokeai_py_client.notebook.elements import Html

MOST_BYTES = 32 << 20
"""The largest image that is put into a notebook."""

_HEADS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
"""How files begin of the types that all notebooks show."""

PAUSE, BATCH_PAUSE = 0.1, 0.25
"""Seconds between two updates, of a run and of a batch, which has more images: with more the page falls behind."""


def mimebundle(make: Callable[[], str]) -> dict[str, str]:
    """Return what `_repr_mimebundle_` returns for an object that is shown as HTML; never raises.

    IPython asks for it in a terminal as well, where nothing can be shown: it then uses the object's `repr`.

    Args:
        make: makes the HTML.
    """
    if not is_shown():
        return {}
    try:
        # Some notebooks' serializers take no subclass of `str`.
        return {"text/html": str(make())}
    except Exception as error:
        # Otherwise the cell would show a traceback of IPython's in place of the object.
        return {"text/plain": f"This cannot be shown: {type(error).__name__}: {error}"}


def image_bundle(fetch: Callable[[], bytes], name: str) -> dict[str, str]:
    """Return what `_repr_mimebundle_` returns for an image; never raises.

    Args:
        fetch: returns the content of the image file.
        name: stands for the image where it cannot be shown.
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
    """Return whether more than text can be shown. Only IPython in a terminal says that it cannot."""
    formatter = getattr(_shell(), "display_formatter", None)
    return formatter is None or [*formatter.active_types] != ["text/plain"]


def _shell() -> Any:
    """Return IPython's shell; None outside of IPython."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def show(thing: object) -> Callable[[object], object] | None:
    """Show an object below the cell that runs.

    Returns:
        What shows another object in its place; None if no notebook runs, and nothing was shown.
    """
    marimo = sys.modules.get("marimo")
    if marimo is not None and marimo.running_in_notebook():
        marimo.output.append(thing)
        # The output of a cell is one thing there.
        replace: Callable[[object], object] = marimo.output.replace
        return replace
    if hasattr(_shell(), "kernel"):
        handle = sys.modules["IPython"].display.display(thing, display_id=True)
        update: Callable[[object], object] = handle.update
        return update
    return None


class LiveOutput:
    """An output that is replaced again and again. Without a notebook, its first and last state are printed."""

    def __init__(self) -> None:
        self._replace: Callable[[object], object] | None = None
        self._is_open = False

    def show(self, html: Html, text: str, *, is_last: bool = False) -> None:
        """Show this in place of what was shown before.

        Args:
            html: for a notebook.
            text: for everything else.
            is_last: nothing will follow.
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
