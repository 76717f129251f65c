"""Dynamic prompts: text with alternatives and wildcards, such as `a {red|blue} __animal__`.

The wildcard `__animal__` stands for any line of the file `animal.txt` in a folder of wildcards. Alternatives nest, and
the lines of a wildcard file may contain alternatives and wildcards. Empty lines and lines that begin with `#` are
ignored. `\\{`, `\\}`, `\\|` and `\\_` stand for the character itself. Weights (`0.5::red`) and numbers of alternatives
(`2$$`), which some other programs support, are rejected.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from invokeai_py_client.files import read_regular_file

MOST_VARIANTS = 1_000_000
"""The maximum number of variants of a prompt, if all of them are requested."""

_DEEPEST = 50
"""The maximum nesting depth of alternatives and wildcards."""

_LARGEST_FILE = 64 * 2**20

_TOKEN = re.compile(r"\\([{}|_])|([{}|])|__([^\s_{}|](?:[^{}|\n]*?[^\s_{}|])?)__")

_FOREIGN = re.compile(r"\s*(?:\d+(?:-\d+)?\$\$|(?:\d+(?:\.\d*)?|\.\d+)::)")
"""Prefixes of an alternative in other programs: the number of alternatives (`2$$`), or a weight (`0.5::`)."""


class PromptError(ValueError):
    """A prompt that cannot be expanded; the message says why."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """Alternatives: sequences of which one is chosen."""

    options: Sequence[_Sequence]


_Sequence = Sequence[str | _Choice]


class DynamicPrompts:
    """Expands dynamic prompts, with the wildcards of one folder. Each file is read once.

    Args:
        folder: the folder; None for no wildcards.
        lines: the lines of wildcards by name; used instead of files.
    """

    def __init__(self, folder: Path | None = None, lines: Mapping[str, Sequence[str]] | None = None) -> None:
        self._folder = folder
        self.lines: dict[str, Sequence[str]] = dict(lines or {})
        """The lines of the wildcards that were used so far, by name."""
        self._wildcards: dict[str, _Choice] = {}
        self._texts: dict[str, _Sequence] = {}

    def is_dynamic(self, text: str) -> bool:
        """Return whether text has alternatives or wildcards.

        Raises:
            PromptError: a wildcard is unknown, or a brace is not matched; also in the files of wildcards.
        """
        return bool(text) and self._parsed(text) != [text]

    def draw(self, text: str, pick: Callable[[int], int]) -> str:
        """Return one of the variants of a prompt.

        Args:
            text: the text.
            pick: returns a number below its argument, at least 0. Called for each choice, from left to right.
        """
        return _drawn(self._parsed(text), pick)

    def variants(self, text: str) -> list[str]:
        """Return all variants of a prompt, the last choice changing fastest.

        Raises:
            PromptError: as for `is_dynamic`, or there are more than `MOST_VARIANTS`.
        """
        parsed = self._parsed(text)
        count = _count(parsed)
        if count > MOST_VARIANTS:
            raise PromptError(f"it has {count:,} variants, more than {MOST_VARIANTS:,}")
        return [*_all(parsed)]

    def _parsed(self, text: str) -> _Sequence:
        parsed = self._texts.get(text)
        if parsed is None:
            parsed = self._texts[text] = _Parser(text, self._wildcard, ()).sequence()
        return parsed

    def _wildcard(self, name: str, inside: tuple[str, ...]) -> _Choice:
        if name in inside:
            raise PromptError(f"the wildcard {name!r} leads back to itself: {' > '.join((*inside, name))}")
        if len(inside) >= _DEEPEST:
            raise PromptError(f"its wildcards nest more than {_DEEPEST} deep")
        found = self._wildcards.get(name)
        if found is None:
            chain = (*inside, name)
            lines = self.lines.get(name)
            if lines is None:
                lines = self.lines[name] = self._read(name)
            found = _Choice([_Parser(line, self._wildcard, chain).sequence() for line in lines])
            self._wildcards[name] = found
        return found

    def _read(self, name: str) -> Sequence[str]:
        if self._folder is None:
            raise PromptError(
                f"it has the wildcard {name!r}: pass wildcards='folder', or write \\_\\_{name}__ for the text itself"
            )
        root = os.path.realpath(self._folder)
        path = os.path.realpath(os.path.join(root, *name.split("/")) + ".txt")
        if "\\" in name or "\0" in name or os.path.commonpath((root, path)) != root:
            raise PromptError(f"the wildcard {name!r} would lead out of the folder {root!r}")
        try:
            text = read_regular_file(Path(path), limit=_LARGEST_FILE).decode("utf-8-sig")
        except FileNotFoundError:
            raise PromptError(f"the wildcard {name!r} is unknown: {self._others(name, root)}") from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise PromptError(f"the file of the wildcard {name!r} cannot be read: {why}") from None
        lines = [line.strip() for line in text.splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        if not lines:
            raise PromptError(f"the file of the wildcard {name!r} has no lines")
        return lines

    def _others(self, name: str, root: str) -> str:
        known = sorted(path.relative_to(root).with_suffix("").as_posix() for path in Path(root).rglob("*.txt"))
        near = difflib.get_close_matches(name, known, n=5) or known[:5]
        return f"the folder {root!r} has {', '.join(near)}" if near else f"the folder {root!r} has no .txt files"


class _Parser:
    """Parses one text.

    Args:
        text: the text.
        wildcard: returns the lines of a wildcard, given its name and the wildcards that enclose it.
        inside: the wildcards that enclose the text.
    """

    def __init__(self, text: str, wildcard: Callable[[str, tuple[str, ...]], _Choice], inside: tuple[str, ...]) -> None:
        self._text = text
        self._tokens = _TOKEN.finditer(text)
        self._wildcard = wildcard
        self._inside = inside
        self._end = 0

    def sequence(self) -> _Sequence:
        """Parse the whole text."""
        parsed, _ = self._until("", 0)
        return parsed

    def _until(self, ends: str, depth: int) -> tuple[_Sequence, str]:
        """Parse up to one of the characters in `ends`, and return it too. Without `ends`, parse to the end."""
        parts: list[str | _Choice] = []
        for token in self._tokens:
            _add_text(parts, self._text[self._end : token.start()])
            self._end = token.end()
            escaped, mark, name = token.groups()
            if escaped is not None:
                _add_text(parts, escaped)
            elif name is not None:
                parts.append(self._wildcard(name, self._inside))
            elif mark == "{":
                parts.append(self._choice(depth + 1))
            elif mark in ends:
                return parts, mark
            elif mark == "}":
                raise PromptError("a '}' has no '{' before it; write \\} for the character itself")
            else:
                _add_text(parts, mark)
        if ends:
            raise PromptError("a '{' has no '}' after it; write \\{ for the character itself")
        _add_text(parts, self._text[self._end :])
        return parts, ""

    def _choice(self, depth: int) -> _Choice:
        if depth > _DEEPEST:
            raise PromptError(f"its braces nest more than {_DEEPEST} deep")
        options: list[_Sequence] = []
        end = "|"
        while end == "|":
            if foreign := _FOREIGN.match(self._text, self._end):
                raise PromptError(f"{foreign[0].strip()!r} is not supported: write out all alternatives")
            option, end = self._until("|}", depth)
            options.append(option)
        return _Choice(options)


def _add_text(parts: list[str | _Choice], text: str) -> None:
    if text:
        last = parts[-1] if parts else None
        if isinstance(last, str):
            parts[-1] = last + text
        else:
            parts.append(text)


def _drawn(parsed: _Sequence, pick: Callable[[int], int]) -> str:
    return "".join(
        part if isinstance(part, str) else _drawn(part.options[pick(len(part.options))], pick) for part in parsed
    )


def _count(parsed: _Sequence) -> int:
    return math.prod(sum(map(_count, part.options)) for part in parsed if isinstance(part, _Choice))


def _all(parsed: _Sequence) -> Iterator[str]:
    parts = [[part] if isinstance(part, str) else [one for way in part.options for one in _all(way)] for part in parsed]
    return map("".join, product(*parts))
