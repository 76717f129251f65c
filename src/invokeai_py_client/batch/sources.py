"""The sources of a plan: columns of values, and rows from Python or from files. The values are not checked here.

`taken` reads sources that can be read only once, such as generators, in the caller's thread. `read_rows` reads a file.
"""

from __future__ import annotations

import csv
import glob
import io
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, cast

from invokeai_py_client.batch.row_values import MOST_COMBINATIONS, MOST_ROWS
from invokeai_py_client.files import image_type, path_of
from invokeai_py_client.json_text import decoded, read_json
from invokeai_py_client.workflow.fields import shortened

_TABLES = {".csv": "", ".tsv": "\t"}
_JSON_LINES = {".jsonl", ".ndjson"}
_DELIMITERS = ",;\t|"


class Frame(Protocol):
    """The part of a pandas or polars frame that type checkers need."""

    @property
    def columns(self) -> Any:
        """The names of the columns."""
        ...


class Absent:
    """The cell of a row that lacks the column."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


class SourceError(ValueError):
    """A source that no plan can be made from; the message says why."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """A column that replaces text in the values of another column; see `replace`."""

    column: Any
    old: str
    new: Sequence[str]


def replace(column: int | str | tuple[str, str], old: str, new: Iterable[str]) -> Replacement:
    """Make a column that replaces text in another column's values, or in the workflow's own value (prompt S/R).

    Args:
        column: the text input: a label, an index, or (node id, label or type, field name).
        old: the text to search for. Each value must contain it.
        new: the replacements: the values of this column. Include `old` itself to keep the unchanged text as well.

    Returns:
        A column for `wf.plan`, under any name. The name is displayed with a leading `#` and does not set an input.

    Raises:
        TypeError: `new` is a single string.

    Example:
        >>> plan = wf.plan({"animal": replace("Positive Prompt", "cat", ["cat", "dog", "owl"])})
    """
    if isinstance(new, str):
        raise TypeError(f"`new` must be a list of strings, got the string {new!r}: pass [{new!r}]")
    return Replacement(column, old, [*new])


# A narrower type for the values would reject correct code: mypy infers dict[str, object] for a range beside a list.
PlanSource = Mapping[Any, Any] | Iterable[Mapping[Any, Any]] | Frame | str | os.PathLike[str]
"""Columns by input, rows, a pandas or polars frame, or the path of a file of rows."""


@dataclass(slots=True)
class Table:
    """Rows as columns of unchecked cells.

    Attributes:
        columns: the cells by column name; ABSENT where a row lacks the column.
        length: the number of rows.
        problems: the problems of whole rows, by index.
        is_text: whether the cells are text that has to be converted to values.
        decimal_comma: whether "7,5" is a number.
        folder: the folder that image paths are relative to.
        lines: the line number in the file for each row; empty for rows from Python.
        source: the path of the file; empty for rows from Python.
    """

    columns: dict[str, list[Any]]
    length: int
    problems: dict[int, str] = field(default_factory=dict)
    is_text: bool = False
    decimal_comma: bool = False
    folder: Path = field(default_factory=Path)
    lines: Sequence[int] = ()
    source: str = ""


def taken(what: Any) -> Any:
    """Return the source of a plan, with everything that can be read only once read into lists.

    Returns:
        A dict of columns, a `Path`, or a `Table`.

    Raises:
        SourceError: it is not a source for a plan.
        UnsafePathError: it is a string that cannot be a path.
    """
    if isinstance(what, Mapping):
        return {key: _taken_column(key, values) for key, values in what.items()}
    if isinstance(what, str | os.PathLike):
        return path_of(what)
    records = _records(what)
    if records is not None:
        return table_of([{name: _without_nan(cell) for name, cell in row.items()} for row in records])
    if isinstance(what, Iterable) and not isinstance(what, bytes):
        rows = [*islice(what, MOST_ROWS + 1)]
        for index, row in enumerate(rows):
            if not isinstance(row, Mapping):
                raise SourceError(f"row {index} is {shortened(row)}, not a mapping of columns to values")
        return table_of(rows)
    raise SourceError(
        f"{shortened(what)} is not a mapping of columns, a list of rows, the path of a CSV, JSONL or JSON file, or a "
        "frame"
    )


def _taken_column(key: Any, values: Any) -> Any:
    if isinstance(values, range) and values[:MOST_COMBINATIONS] != values:
        raise SourceError(f"the values of {key!r} are more than {MOST_COMBINATIONS:,}")
    if isinstance(values, str | os.PathLike | Replacement | range | list | tuple):
        return values
    if isinstance(values, Mapping | bytes) or not isinstance(values, Iterable):
        raise SourceError(f"the values of {key!r} are {shortened(values)}, not a list: pass [...] for one value")
    if hasattr(values, "columns"):
        raise SourceError(f"the values of {key!r} are a whole frame: pass one of its columns, such as frame['name']")
    # A generator may be infinite.
    return [*islice(values, MOST_ROWS + 1)]


def _records(what: Any) -> list[Mapping[str, Any]] | None:
    """Return the rows of a pandas or polars frame; None for anything else."""
    if not hasattr(what, "columns"):
        return None
    names = [*what.columns]
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise SourceError(f"the frame has several columns named {repeated[0]!r}")
    if callable(getattr(what, "to_dicts", None)):
        return cast("list[Mapping[str, Any]]", what.to_dicts())
    if callable(getattr(what, "to_dict", None)):
        return cast("list[Mapping[str, Any]]", what.to_dict("records"))
    return None


def _without_nan(cell: Any) -> Any:
    # In columns that are not floats, pandas has classes of its own for empty cells.
    is_missing = type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and math.isnan(cell))
    return None if is_missing else cell


def table_of(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return rows as a table, with the columns in the order in which they first appear."""
    names: dict[Any, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    return Table({name: [row.get(name, ABSENT) for row in rows] for name in names}, len(rows))


def read_rows(path: Path) -> Table:
    """Read a file of rows: CSV or TSV with a header, JSON with a list of objects, or one JSON object per line.

    Raises:
        SourceError: the file cannot be read, or has another format.
    """
    kind = path.suffix.lower()
    if kind not in {*_TABLES, *_JSON_LINES, ".json"}:
        raise SourceError(
            f"the file {str(path)!r} is not a .csv, .tsv, .jsonl, .ndjson or .json file; if its lines are values of "
            "one input, name it: {'Positive Prompt': Path(...)}"
        )
    try:
        text = decoded(path.read_bytes())
    except OSError as error:
        raise SourceError(f"the file {str(path)!r} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        what = f"the file {str(path)!r} is not UTF-8, UTF-16 or UTF-32 text"
        raise SourceError(f"{what}: {error}. Save it as UTF-8") from None
    if kind in _TABLES:
        table = _read_table(text, _TABLES[kind], path)
    elif kind == ".json":
        table = _read_list(text, path)
    else:
        table = _read_lines(text)
    table.folder = path.absolute().parent
    table.source = str(path)
    return table


def _read_table(text: str, delimiter: str, path: Path) -> Table:
    delimiter = delimiter or _delimiter(text)
    # Without strict, the reader takes everything after an unpaired quote as one cell.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    before = 0
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(before + 1)
            before = reader.line_num
    except csv.Error as error:
        what = f"the row that begins in line {before + 1} of {str(path)!r} cannot be read: {error}"
        raise SourceError(f"{what}. A cell that contains quotes must be quoted, with each quote doubled") from None
    while len(rows) > 1 and len(rows[-1]) > 1 and not "".join(rows[-1]).strip():
        # Spreadsheets may end a file with lines that consist of delimiters only.
        rows.pop()
        lines.pop()
    if not rows:
        raise SourceError(f"the file {str(path)!r} is empty; its first line must name the columns")
    header, *rows = rows
    names = [name.strip() for name in header]
    if not names[-1] and not any(len(row) >= len(names) and row[len(names) - 1].strip() for row in rows):
        # Each line ends with a delimiter.
        names.pop()
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or not all(names):
        what = f"names {', '.join(map(repr, repeated))} twice" if repeated else "has a column without a name"
        raise SourceError(f"the first line of {str(path)!r} {what}")
    width = len(names)
    problems: dict[int, str] = {}
    for index, row in enumerate(rows):
        surplus = [cell for cell in row[width:] if cell.strip()]
        if len(row) < width or surplus:
            why = (
                f"it has {len(row)} {'cell' if len(row) == 1 else 'cells'}, and the first line of the file has {width}"
            )
            problems[index] = why + (f"; a cell that contains {delimiter!r} must be quoted" if surplus else "")
            row += [""] * (width - len(row))
    columns: dict[str, list[Any]] = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return Table(columns, len(rows), problems, is_text=True, decimal_comma=delimiter == ";", lines=lines[1:])


def _delimiter(text: str) -> str:
    """Return the delimiter that occurs most often in the first line, outside of quotes."""
    line = text.lstrip().partition("\n")[0]
    quoted = False
    counts = dict.fromkeys(_DELIMITERS, 0)
    for character in line:
        if character == '"':
            quoted = not quoted
        elif not quoted and character in counts:
            counts[character] += 1
    return max(_DELIMITERS, key=lambda one: counts[one])


def _read_list(text: str, path: Path) -> Table:
    try:
        rows = read_json(text)
    except ValueError as error:
        raise SourceError(f"the file {str(path)!r} is not JSON: {error}") from None
    if not isinstance(rows, list):
        raise SourceError(f"the file {str(path)!r} does not contain a list of rows")
    return _checked_objects([(row, "") for row in rows])


def _read_lines(text: str) -> Table:
    rows: list[tuple[Any, str]] = []
    lines = []
    for number, line in enumerate(io.StringIO(text), 1):
        if line.strip():
            lines.append(number)
            try:
                rows.append((read_json(line), ""))
            except ValueError as error:
                rows.append((None, f"the line is not JSON: {error}"))
    table = _checked_objects(rows)
    table.lines = lines
    return table


def _checked_objects(rows: Sequence[tuple[Any, str]]) -> Table:
    problems = {
        index: why or f"it is {shortened(row)}, not an object"
        for index, (row, why) in enumerate(rows)
        if not isinstance(row, Mapping)
    }
    table = table_of([row if isinstance(row, Mapping) else {} for row, _ in rows])
    table.problems = problems
    return table


def lines_of(path: Path) -> list[str]:
    """Return the nonempty lines of a text file.

    Raises:
        SourceError: the file cannot be read, or has no lines.
    """
    try:
        lines = [line.rstrip("\r") for line in decoded(path.read_bytes()).split("\n") if line.strip()]
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise SourceError(f"the file of lines {str(path)!r} cannot be read: {why}") from None
    if not lines:
        raise SourceError(f"the file of lines {str(path)!r} is empty")
    return lines


def images_of(where: str | os.PathLike[str]) -> list[Path]:
    """Return the image files in a folder, or those that match a glob pattern or a path, sorted by name.

    Raises:
        SourceError: there are none.
    """
    text = os.fspath(where)
    if os.path.isdir(text):
        try:
            names = [name for name in os.listdir(text) if not name.startswith(".")]
        except OSError as error:
            raise SourceError(f"the folder {text!r} cannot be read: {error.strerror or error}") from None
        found = [path for name in names if os.path.isfile(path := os.path.join(text, name)) and _is_image(Path(path))]
        what = f"the folder {text!r} has no image files"
    else:
        found = [
            path
            for path in ([text] if os.path.isfile(text) else glob.glob(text, recursive=True))
            if os.path.isfile(path)
        ]
        what = f"no file matches {text!r}"
    if not found:
        raise SourceError(f"{what}: pass a folder, or a pattern such as 'photos/*.png'")
    return sorted(Path(path).absolute() for path in found)


def _is_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return image_type(file.read(16)) is not None
    except OSError:
        # Using the file reports it as a bad cell.
        return True
