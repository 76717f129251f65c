"""HTML from plain values, which are escaped. The colors are readable on light and dark pages."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

COLOURS = {"completed": "#2e9e5b", "failed": "#d9534f", "in_progress": "#3b82d6"}
"""The colors of bars and marks by status. Text has the color of the page."""

GREY = "#8c8c8c"
"""The color for every other status."""

_EMPTY_ELEMENTS = frozenset({"img"})


class Html(str):
    """Markup, as opposed to text that has to be escaped."""

    __slots__ = ()


class Picture(NamedTuple):
    """The content of an image file, and its caption."""

    content: bytes
    content_type: str
    caption: str = ""
    width: int | None = None
    """The display width in pixels; None for the width of the image, at most 256."""


def element(name: str, *children: object, style: str = "", **attributes: object) -> Html:
    """Return an element. Children that are not `Html`, and the values of attributes, are escaped.

    Example:
        >>> element("td", "a < b", title='"x"')
        '<td title="&quot;x&quot;">a &lt; b</td>'
    """
    given = ({"style": style} if style else {}) | attributes
    head = "".join(f' {key.replace("_", "-")}="{_escaped(value)}"' for key, value in given.items())
    if name in _EMPTY_ELEMENTS:
        return Html(f"<{name}{head}>")
    return Html(f"<{name}{head}>{joined(children)}</{name}>")


def joined(children: Iterable[object]) -> Html:
    """Concatenate children, escaped unless they are `Html`."""
    return Html("".join(child if isinstance(child, Html) else _escaped(child) for child in children))


def _escaped(value: object) -> str:
    # A notebook's messages are UTF-8, which cannot contain unpaired surrogates.
    return html.escape(str(value).encode("utf-8", "replace").decode("utf-8"))


def shortened(text: object, letters: int) -> str:
    """Truncate text to a length, with an ellipsis if it is longer."""
    whole = str(text)
    return whole if len(whole) <= letters else f"{whole[: letters - 1].rstrip()}…"


def bar(parts: Mapping[str, float], label: str) -> Html:
    """Return a progress bar.

    Args:
        parts: the percentage of the bar for each status, from the left.
        label: the label for screen readers.
    """
    segments = (
        element("div", style=f"width:{percentage:.2f}%;background:{COLOURS.get(status, GREY)}")
        for status, percentage in parts.items()
        if percentage > 0
    )
    return element(
        "div",
        *segments,
        style="display:flex;height:8px;border-radius:4px;overflow:hidden;background:rgba(128,128,128,.3);margin:4px 0",
        role="img",
        aria_label=label,
    )


def pictures(shown: Sequence[Picture]) -> Html:
    """Return images side by side, with their captions."""
    if not shown:
        return Html("")
    style = "display:flex;flex-wrap:wrap;gap:8px;align-items:flex-start;margin:6px 0"
    return element("div", *map(_figure, shown), style=style)


def _figure(picture: Picture) -> Html:
    encoded = base64.b64encode(picture.content).decode()
    width = "auto" if picture.width is None else f"{picture.width}px"
    image = element(
        "img",
        style=f"width:{width};max-width:100%;display:block;margin:0;border-radius:3px",
        src=f"data:{picture.content_type};base64,{encoded}",
        alt=picture.caption,
    )
    style = "font-size:85%;opacity:.8;overflow-wrap:anywhere"
    caption = element("figcaption", picture.caption, style=style) if picture.caption else ""
    return element("figure", image, caption, style=f"margin:0;max-width:{picture.width or 256}px")


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
    """Return a table with headings."""
    cell = "text-align:left;vertical-align:top;padding:2px 10px 2px 0;overflow-wrap:break-word;max-width:40em"
    head = element("tr", *(element("th", heading, style=f"{cell};white-space:nowrap") for heading in headings))
    body = (element("tr", *(element("td", one, style=cell) for one in row)) for row in rows)
    return element("table", element("thead", head), element("tbody", *body), style="border-collapse:collapse")
