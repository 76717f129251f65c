from __future__ import annotations

import base64
from html.parser import HTMLParser

import pytest

from invokeai_py_client.notebook.elements import Html, Picture, bar, element, joined, pictures, shortened, table

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(1)> \"'&"


class Parsed(HTMLParser):
    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data: str) -> None:
        self.text += data


def test_text_and_attributes_are_escaped_and_markup_is_not() -> None:
    parsed = Parsed(element("p", HOSTILE, element("b", HOSTILE), title=HOSTILE))
    assert parsed.tags == ["p", "b"]
    assert parsed.attributes == [("title", HOSTILE)]
    assert parsed.text == HOSTILE * 2


def test_only_markup_is_taken_as_it_is() -> None:
    assert joined(["<", Html("<"), 1]) == "&lt;<1"


def test_an_unpaired_surrogate_can_be_sent() -> None:
    assert element("p", "a\ud800b").encode("utf-8") == b"<p>a?b</p>"


def test_a_table_is_escaped() -> None:
    parsed = Parsed(table([HOSTILE], [[HOSTILE], [3]]))
    assert parsed.tags == ["table", "thead", "tr", "th", "tbody", "tr", "td", "tr", "td"]
    assert parsed.text == HOSTILE * 2 + "3"


def test_a_picture_is_in_the_page_itself() -> None:
    parsed = Parsed(pictures([Picture(b"\x89PNG", "image/png", HOSTILE)]))
    source = dict(parsed.attributes)["src"] or ""
    assert source.startswith("data:image/png;base64,")
    assert base64.b64decode(source.partition(",")[2]) == b"\x89PNG"
    assert parsed.text == HOSTILE
    assert pictures([]) == ""


def test_a_bar_has_a_part_for_each_status_that_is_there() -> None:
    parsed = Parsed(bar({"completed": 50, "failed": 0, "unheard of": 25}, "75 %"))
    styles = [value or "" for name, value in parsed.attributes if name == "style"]
    assert [style.partition(";")[0] for style in styles[1:]] == ["width:50.00%", "width:25.00%"]
    assert ("aria-label", "75 %") in parsed.attributes


@pytest.mark.parametrize(("text", "shown"), [("abc", "abc"), ("abcd", "ab…"), ("a bcd", "a…"), (12345, "12…")])
def test_a_long_text_is_cut_off(text: object, shown: str) -> None:
    assert shortened(text, 3) == shown
