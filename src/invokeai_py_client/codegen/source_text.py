"""Python source for data, in the layout of `ruff format` and Black: literals, docstrings, calls.

Whatever a string contains, the result is a single literal or docstring: quotes, line breaks, backslashes and invisible
characters are escaped.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

WIDTH = 88


def text_literal(text: str) -> str:
    """Return a string as a literal on one line, in the quotes that need fewer escapes.

    Example:
        >>> print(text_literal('a "tiger"'))
        'a "tiger"'
    """
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(map(_escaped, text)).replace(quote, f"\\{quote}") + quote


def literal(value: object) -> str:
    """Return a string, a number, a boolean, None, or a tuple of these as a literal on one line."""
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    return text_literal(value) if isinstance(value, str) else repr(value)


def assignment(target: str, value: object, indent: str = "") -> list[str]:
    """Return the lines of an assignment of a value that `literal` can write. A long string is split.

    Args:
        target: the target of the assignment, such as `steps: int`.
        value: the value.
        indent: the indentation of each line.
    """
    flat = f"{indent}{target} = {literal(value)}"
    if len(flat) <= WIDTH:
        return [flat]
    if isinstance(value, tuple):
        return [f"{indent}{target} = (", *(f"{indent}    {literal(one)}," for one in value), f"{indent})"]
    pieces = [literal(value)]
    if isinstance(value, str) and len(indent) + 4 + len(pieces[0]) > WIDTH:
        pieces = [text_literal(piece) for piece in _pieces(value, WIDTH - len(indent) - 6)]
    return [f"{indent}{target} = (", *(f"{indent}    {piece}" for piece in pieces), f"{indent})"]


def exploded(head: str, items: Sequence[str], brackets: str, *, end: str = "") -> list[str]:
    """Return the lines of a call, a subscript or a signature: on one line if that fits, otherwise one item per line.

    With one item per line and a trailing comma, formatters do not change the layout, whatever their line length.

    Args:
        head: the text before the opening bracket, including the indentation.
        items: the items in the brackets.
        brackets: the opening and the closing bracket.
        end: the text after the closing bracket.
    """
    flat = f"{head}{brackets[0]}{', '.join(items)}{brackets[1]}{end}"
    if len(flat) <= WIDTH:
        return [flat]
    indent = " " * (len(head) - len(head.lstrip()))
    return [f"{head}{brackets[0]}", *(f"{indent}    {item}," for item in items), f"{indent}{brackets[1]}{end}"]


def docstring(*paragraphs: str, indent: str = "") -> list[str]:
    """Return the lines of a wrapped docstring, which displays the paragraphs unchanged."""
    starts_with_quote = paragraphs[0].startswith('"') and not paragraphs[0].startswith('"""')
    opening = '""" ' if starts_with_quote else '"""'
    width = WIDTH - len(indent)
    lines = _wrapped(f"{opening}{paragraphs[0]}", width)
    if len(lines) == len(paragraphs) == 1 and len(lines[0]) + 3 > width:
        lines = _wrapped(f"{opening}{paragraphs[0]}", width - 3)
    for paragraph in paragraphs[1:]:
        lines += ["", *_wrapped(paragraph, width)]
    lines[0] = lines[0].removeprefix(opening)
    lines = [line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"') for line in lines]
    lines[0] = f"{opening}{lines[0]}"
    if len(lines) == 1:
        return [f'{indent}{lines[0]}"""']
    return [*(f"{indent}{line}" if line else "" for line in lines), f'{indent}"""']


def sentence(text: str) -> str:
    """Return a text on one line, with invisible characters escaped, and a full stop at the end."""
    line = "".join(one if one.isprintable() else _escaped(one) for one in " ".join(text.split()))
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _wrapped(paragraph: str, width: int) -> list[str]:
    # Each backslash takes two characters in the source.
    return textwrap.wrap(paragraph, max(width - paragraph.count("\\"), 40), break_on_hyphens=False)


def _pieces(text: str, width: int) -> list[str]:
    """Split a string into pieces whose literals fit into a width, after line breaks and spaces if possible."""
    pieces: list[str] = []
    piece = ""
    for word in re.findall(r"\n+|[^\n ]+ *| +", text):
        if piece and (len(text_literal(piece + word)) > width + 2 or (piece.endswith("\n") and word[0] != "\n")):
            pieces.append(piece)
            piece = ""
        for one in word:
            if len(text_literal(piece + one)) > width + 2:
                pieces.append(piece)
                piece = ""
            piece += one
    return [*pieces, piece]


def _escaped(one: str) -> str:
    if one == "\\":
        return "\\\\"
    return one if one.isprintable() else one.encode("unicode_escape").decode()
