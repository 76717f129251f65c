"""The names of a batch's files: filled in from a template, valid on every system, unique in their folder."""

from __future__ import annotations

import itertools
import re
import string
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from invokeai_py_client.errors import SettingsError, UnsafePathError
from invokeai_py_client.files import image_path, safe_name

DEFAULT_TEMPLATE = "{index:05d}-{Positive Prompt:.40}-{seed}"

FACTS = frozenset({"index", "row_id", "seed", "repetition"})
"""Names that a template can contain, besides the columns of the plan."""

_OPTIONAL = frozenset({"Positive Prompt"})
"""The columns of the default template that a plan may lack."""

_MOST_BYTES = 200
"""The maximum length of a name without number and suffix. File systems allow 255 bytes."""

_SHEETS = "contact_sheet"
"""The beginning of the names of the contact sheets, which the report replaces and deletes."""

_UNSAFE = re.compile(r'[/\\:*?"<>|]')


class FileNames:
    """Gives each row a unique name, in the order in which names are claimed.

    Args:
        template: such as `{index:05d}-{Steps}-{seed}`: columns of the plan and the names in `FACTS`, each with a format
            as in `str.format`. A part that is empty in a row is left out, together with the text before it. For an
            image file, the part is the file name without the suffix.
        columns: the names of the plan's columns.
        taken: the file names that are in use by other rows.

    Raises:
        SettingsError: the template is invalid, or contains an unknown name.
    """

    def __init__(self, template: str, columns: Collection[str], taken: Iterable[str] = ()) -> None:
        self._parts = _parsed(template, {*FACTS, *columns} | (_OPTIONAL if template == DEFAULT_TEMPLATE else set()))
        self._files = {name.casefold() for name in taken}
        self._stems = {PurePath(name).stem for name in self._files}
        self._last: dict[str, int] = {}
        """The last number that each name was given, where the search for the next one begins."""

    def claim(self, facts: Mapping[str, Any]) -> str:
        """Reserve the name of a row's files, without number and suffix, and return it.

        Args:
            facts: the row's values by column, and its `index`, `row_id`, `seed` and `repetition`.
        """
        name = plain_name(_filled(self._parts, facts))
        if name.casefold().startswith(_SHEETS):
            name = f"_{name}"
        start = self._last.get(name.casefold(), 1)
        number, unique = next(each for each in _numbered(name, start) if each[1].casefold() not in self._stems)
        self._last[name.casefold()] = number
        self._stems.add(unique.casefold())
        return unique

    def release(self, claimed: str) -> None:
        """Free the name of a row that did not leave any files."""
        self._stems.discard(claimed.casefold())

    def files_of(self, claimed: str, suffixes: Sequence[str]) -> list[str]:
        """Reserve the names of the files of a row, which are numbered if there are several, and return them.

        Args:
            claimed: the name that `claim` returned for the row.
            suffixes: the suffix of each file, such as `.png`.
        """
        numbers = [""] if len(suffixes) == 1 else [f"-{number}" for number in range(1, len(suffixes) + 1)]
        ends = [number + suffix for number, suffix in zip(numbers, suffixes, strict=True)]
        stem = next(
            stem for _, stem in _numbered(claimed) if self._files.isdisjoint((stem + end).casefold() for end in ends)
        )
        names = [stem + end for end in ends]
        self._files.update(name.casefold() for name in names)
        return names

    def forget(self, names: Iterable[str]) -> None:
        """Free names that `files_of` returned, because the files could not be created."""
        self._files.difference_update(name.casefold() for name in names)


def plain_name(text: str) -> str:
    """Convert text to a file name that is valid on every system, at most 200 bytes long.

    Example:
        >>> plain_name("a cat: 1/2")
        'a cat_ 1_2'
    """
    text = " ".join(unicodedata.normalize("NFC", text).split())
    text = "".join(each for each in text if unicodedata.category(each)[0] != "C")
    text = _UNSAFE.sub("_", text).encode()[:_MOST_BYTES].decode(errors="ignore").strip(" .")
    try:
        return safe_name(text)
    except UnsafePathError:
        # The name is empty, or that of a device.
        return f"_{text}"


def _numbered(name: str, start: int = 1) -> Iterator[tuple[int, str]]:
    return ((number, name if number == 1 else f"{name}_{number}") for number in itertools.count(start))


Part = tuple[str, str | None, str]
"""Literal text, and the name and format of the replacement field after it."""


def _parsed(template: str, known: Collection[str]) -> list[Part]:
    try:
        parsed = [*string.Formatter().parse(template)]
    except ValueError as error:
        raise _unusable(template, f"{error}", "Write names in braces, such as {index:05d}.") from None
    parts = [(text, name, spec or "") for text, name, spec, _ in parsed]
    named = [name for _, name, _ in parts if name is not None]
    unknown = [name for name in named if name not in known]
    if unknown:
        raise _unusable(template, f"{unknown[0]!r} is unknown", f"Use one of: {', '.join(sorted(known))}.")
    if not named:
        raise _unusable(template, "all rows would have the same name", "Name the index, for example: {index:05d}.")
    if any(conversion for _, _, _, conversion in parsed):
        raise _unusable(template, "it has a conversion", "Remove the exclamation mark and the letter after it.")
    if any("{" in spec for _, _, spec in parts):
        raise _unusable(template, "a format has braces", "Write out the format, such as {index:05d}.")
    for spec in {spec for _, _, spec in parts}:
        if not any(_fits(value, spec) for value in (0, "")):
            raise _unusable(
                template, f"{spec!r} is not a format", "Write {index:05d} for digits, {Prompt:.40} for text."
            )
    if any(_UNSAFE.search(text) for text, _, _ in parts):
        raise _unusable(template, "it has a character that is not allowed", r'Remove / \ : * ? " < > and |.')
    return parts


def _unusable(template: str, why: str, hint: str) -> SettingsError:
    return SettingsError(f"The file name template {template!r} cannot be used: {why}.", setting="file_name", hint=hint)


def _filled(parts: Iterable[Part], facts: Mapping[str, Any]) -> str:
    filled = ""
    for text, name, spec in parts:
        value = None if name is None else facts.get(name)
        if name is None or value is not None:
            filled += text + ("" if name is None else _formatted(value, spec))
    return filled


def _fits(value: object, spec: str) -> bool:
    try:
        format(value, spec)
    except ValueError:
        return False
    return True


def _formatted(value: object, spec: str) -> str:
    path = image_path(value)
    value = value if path is None else path.stem
    for each in (value, str(value)):
        try:
            return format(each, spec)
        except (TypeError, ValueError):
            continue
    return str(value)
