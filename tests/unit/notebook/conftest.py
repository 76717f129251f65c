"""Notebooks without a notebook: what a cell's output would be shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from invokeai_py_client.notebook import output


class Shown(list[dict[str, str]]):
    """All states of the outputs, one after another; `then` is called with each."""

    then: Callable[[dict[str, str]], object] = staticmethod(lambda bundle: None)

    def append(self, bundle: dict[str, str]) -> None:
        super().append(bundle)
        self.then(bundle)


class Handle:
    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def update(self, thing: object) -> None:
        self._shown.append(bundle_of(thing))


def bundle_of(thing: object) -> dict[str, str]:
    """Return what a notebook gets of an object."""
    bundle: dict[str, str] = thing._repr_mimebundle_()  # type: ignore[attr-defined]
    assert all(type(content) is str for content in bundle.values()), "marimo cannot send anything else"
    return {"text/plain": repr(thing), **bundle}


@pytest.fixture
def jupyter(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """A notebook of Jupyter: all states of its outputs, one after another."""
    shown = Shown()
    monkeypatch.setattr(output, "PAUSE", 0.01)
    monkeypatch.setattr(output, "BATCH_PAUSE", 0.01)

    def display(thing: object, *, display_id: bool) -> Handle:
        assert display_id
        shown.append(bundle_of(thing))
        return Handle(shown)

    formatter = SimpleNamespace(active_types=["text/plain", "text/html", "image/png"])
    shell = SimpleNamespace(kernel=object(), display_formatter=formatter)
    fake = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython", fake)
    return shown


@pytest.fixture
def marimo(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """A notebook of marimo: what it was told to do with the output of the cell."""
    done: list[tuple[str, dict[str, str]]] = []
    cell = SimpleNamespace(
        append=lambda thing: done.append(("append", bundle_of(thing))),
        replace=lambda thing: done.append(("replace", bundle_of(thing))),
    )
    monkeypatch.setitem(sys.modules, "marimo", SimpleNamespace(running_in_notebook=lambda: True, output=cell))
    return done


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """IPython in a terminal."""
    shell = SimpleNamespace(display_formatter=SimpleNamespace(active_types=["text/plain"]))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
