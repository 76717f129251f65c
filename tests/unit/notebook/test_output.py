from __future__ import annotations

import base64
import sys
from types import SimpleNamespace

import pytest
from tests.unit.notebook.conftest import Shown

from invokeai_py_client.notebook.elements import Html
from invokeai_py_client.notebook.output import MOST_BYTES, LiveOutput, image_bundle, mimebundle

PNG = b"\x89PNG\r\n\x1a\nrest"


def show_three() -> None:
    output = LiveOutput()
    output.show(Html("<b>1</b>"), "one")
    output.show(Html("<b>2</b>"), "two")
    output.show(Html("<b>3</b>"), "three", is_last=True)


def test_jupyter_has_one_output_that_is_updated(jupyter: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    show_three()
    assert [one["text/html"] for one in jupyter] == ["<b>1</b>", "<b>2</b>", "<b>3</b>"]
    assert [one["text/plain"] for one in jupyter] == ["one", "two", "three"]
    assert capsys.readouterr().out == ""


def test_marimo_has_one_output_that_is_replaced(marimo: list[tuple[str, dict[str, str]]]) -> None:
    show_three()
    assert [(verb, bundle["text/html"]) for verb, bundle in marimo] == [
        ("append", "<b>1</b>"),
        ("replace", "<b>2</b>"),
        ("replace", "<b>3</b>"),
    ]


@pytest.mark.parametrize("where", ["script", "terminal", "marimo as a library"])
def test_without_a_notebook_the_first_and_the_last_state_are_printed(
    where: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if where == "terminal":
        request.getfixturevalue("terminal")
    if where == "marimo as a library":
        monkeypatch.setitem(sys.modules, "marimo", SimpleNamespace(running_in_notebook=lambda: False))
    show_three()
    assert capsys.readouterr().out == "one\nthree\n"


def test_an_object_is_html_and_an_error_is_text(jupyter: Shown) -> None:
    assert mimebundle(lambda: "<p>") == {"text/html": "<p>"}
    assert mimebundle(lambda: str(int("x"))) == {
        "text/plain": "This cannot be shown: ValueError: invalid literal for int() with base 10: 'x'"
    }


@pytest.mark.usefixtures("terminal")
def test_a_terminal_is_not_asked_for() -> None:
    def make() -> str:
        raise AssertionError("nothing can be shown")

    assert mimebundle(make) == {}
    assert image_bundle(lambda: make().encode(), "<Image a.png>") == {}


@pytest.mark.parametrize(("content", "kind"), [(PNG, "image/png"), (b"\xff\xd8\xff\xe0rest", "image/jpeg")])
def test_an_image_is_whole(content: bytes, kind: str) -> None:
    bundle = image_bundle(lambda: content, "<Image a.png>")
    assert {name: base64.b64decode(text) for name, text in bundle.items()} == {kind: content}


def raising(error: Exception) -> bytes:
    raise error


@pytest.mark.parametrize(
    ("error", "reason"), [(TimeoutError(), "it took too long to download"), (OSError("no route"), "no route")]
)
def test_an_image_that_cannot_be_fetched_is_replaced_by_the_reason(error: Exception, reason: str) -> None:
    bundle = image_bundle(lambda: raising(error), "<Image a.png>")
    assert bundle == {"text/plain": f"<Image a.png>: not shown, as {reason}"}


def test_neither_is_an_image_that_is_too_large_or_none_at_all_put_into_a_notebook() -> None:
    large = image_bundle(lambda: PNG + bytes(MOST_BYTES), "i")
    assert large == {"text/plain": "i: not shown, as it has 32 MiB"}
    assert image_bundle(lambda: b"<svg>", "i") == {"text/plain": "i: not shown, as its type is unknown"}
