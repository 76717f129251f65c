"""What a command prints: data on stdout, as a person, a script or a pipe wants it, and all else on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from invokeai_py_client.cli.failures import Failure

if TYPE_CHECKING:
    from rich.console import Console

_AGENT_VARIABLES = ("AI_AGENT", "CLAUDECODE", "CLAUDE_CODE", "CODEX_SANDBOX", "CURSOR_AGENT", "GEMINI_CLI")
"""Environment variables with which agents say that nobody looks at a terminal."""

_WIDE = 10_000

_GAP = 2
"""Spaces between two columns of a table: the padding of a cell, left and right."""

BAR_WIDTH = 24
"""The width of progress bars. Where a line fills the terminal, the ^C that Ctrl-C shows would break it."""


def format_for(chosen: str | None, *, is_terminal: bool, environment: Mapping[str, str]) -> str:
    """Return the format to use: `human`, `json` or `quiet`."""
    if chosen not in (None, "auto"):
        assert chosen is not None
        return chosen
    return "human" if is_terminal and not _is_agent(environment) else "json"


def _is_agent(environment: Mapping[str, str]) -> bool:
    return any(environment.get(name, "") not in ("", "0", "false") for name in _AGENT_VARIABLES)


class Output:
    """Prints what a command has done.

    Args:
        chosen: the value of `--format`.
        no_color: use no colours.
    """

    def __init__(self, chosen: str | None = None, *, no_color: bool = False) -> None:
        self.format = format_for(chosen, is_terminal=sys.stdout.isatty(), environment=os.environ)
        self._no_color = no_color or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"

    @property
    def is_human(self) -> bool:
        """Whether a person reads stdout."""
        return self.format == "human"

    @property
    def can_ask(self) -> bool:
        """Whether a person can be asked a question on stderr, wherever stdout goes."""
        return sys.stdin.isatty() and sys.stderr.isatty() and not _is_agent(os.environ)

    @property
    def is_live(self) -> bool:
        """Whether somebody watches stderr, and may be shown how far the work is."""
        return self.is_human and sys.stderr.isatty()

    def console(self, file: TextIO | None = None) -> Console:
        """Return a console of rich for stdout or another stream; a pipe gets neither colours nor line breaks."""
        from rich.console import Console

        stream = sys.stdout if file is None else file
        is_terminal = stream.isatty()
        return Console(
            file=stream,
            no_color=self._no_color,
            color_system=None if self._no_color or not is_terminal else "auto",
            force_terminal=is_terminal,
            width=None if is_terminal else _WIDE,
            soft_wrap=not is_terminal,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def done(self, data: Any, *, quiet: Iterable[object] = (), human: Callable[[], None] | None = None) -> None:
        """Print what a command has to say, once and at the end.

        Args:
            data: what the JSON document has.
            quiet: ids or paths, one a line.
            human: prints it for a person.
        """
        if self.format == "json":
            self.line({"ok": True, "data": plain(data)})
        elif self.format == "quiet":
            for one in quiet:
                self.say(str(one))
        elif human is not None:
            human()

    def line(self, document: Mapping[str, Any]) -> None:
        """Print a JSON document on a line of its own."""
        is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        text = json.dumps(document, ensure_ascii=not is_unicode, default=str)
        # Unpaired surrogates, which JSON can escape and UTF-8 cannot have.
        print(text.encode("utf-8", "backslashreplace").decode(), flush=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table for a person; only its headings if there are no rows.

        In a narrow terminal, cells are broken between words. Where that does not suffice, as for ids and URLs, which
        must stay whole, each row has its first cell on a line, and the others below it.
        """
        from rich.cells import cell_len
        from rich.table import Table
        from rich.text import Text

        console = self.console()
        cells = [[printable(cell) for cell in row] for row in rows]
        texts = [(column, *(row[number] for row in cells)) for number, column in enumerate(columns)]
        widths = _widths(
            [max(map(cell_len, column)) for column in texts],
            [max(cell_len(word) for text in column for word in text.split(" ")) for column in texts],
            console.width - _GAP * (len(columns) - 1),
        )
        if widths is None:
            for first, *others in cells:
                rest = "; ".join(f"{column}: {cell}" for column, cell in zip(columns[1:], others, strict=True) if cell)
                print(f"{first}\n{_wrapped('  ' + rest, console.width, indent='  ')}")
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column, width in zip(columns, widths, strict=True):
            table.add_column(column, width=width)
        for row in cells:
            table.add_row(*map(Text, row))
        with console.capture() as captured:
            console.print(table)
        for line in captured.get().splitlines():
            print(line.rstrip())

    def facts(self, facts: Mapping[str, object]) -> None:
        """Print names and values for a person, one a line."""
        width = max(map(len, facts), default=0)
        for name, value in facts.items():
            self.say(f"{name:<{width}}  {printable(value)}")

    def say(self, text: str) -> None:
        """Print lines of data; control characters in them are escaped."""
        print("\n".join(map(printable, text.split("\n"))))

    def sentence(self, text: str, *, indent: int) -> None:
        """Print data that is a sentence. In a terminal, it is broken between words, and goes on indented."""
        print(_fitted(text, sys.stdout, indent=" " * indent))

    def note(self, text: str) -> None:
        """Tell a person something that is not data, on stderr."""
        print(_fitted(text, sys.stderr), file=sys.stderr, flush=True)

    def failed(self, failure: Failure) -> None:
        """Print a failure: as the JSON document, or on stderr, as also where stdout cannot be written."""
        if self.format == "json":
            with contextlib.suppress(OSError):
                self.line({"ok": False, "error": plain(failure.document())})
                return
        self.console(sys.stderr).print(f"error: {printable(failure.message)}", style="red")
        if failure.hint:
            self.note(f"hint: {failure.hint}")


def _widths(whole: Sequence[int], words: Sequence[int], room: int) -> Sequence[int] | None:
    """Return the widths of the columns of a table, such that no word is broken; None if there is not enough room.

    Args:
        whole: the widths of the columns if no line is broken.
        words: those of their longest words.
        room: what there is for all columns.
    """
    spare = room - sum(words)
    if spare < 0:
        return None
    widths = [*words]
    needs = [full - width for full, width in zip(whole, widths, strict=True)]
    for done, number in enumerate(sorted(range(len(needs)), key=needs.__getitem__)):
        more = min(needs[number], spare // (len(needs) - done))
        widths[number] += more
        spare -= more
    return widths


def _fitted(text: str, stream: TextIO, *, indent: str = "") -> str:
    """Return a line as a person reads it, broken between words if the stream is a terminal."""
    text = printable(text)
    return _wrapped(text, shutil.get_terminal_size().columns, indent=indent) if stream.isatty() else text


def _wrapped(text: str, width: int, *, indent: str = "") -> str:
    """Break a line between words. Longer ones are left to the terminal, so that they can be copied."""
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: records and dataclasses as objects, paths as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def local_time(text: str | None) -> str | None:
    """Return a time of the server, which is in UTC, as a clock of this machine shows it."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return text
    return f"{time.replace(tzinfo=time.tzinfo or UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def counted(counts: Mapping[str, int]) -> str:
    """Return how many there are of each, as a person reads it."""
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def printable(value: object) -> str:
    """Return a value as a person reads it; control characters, which could move the cursor, are escaped."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    text = " ".join(str(value).split("\n"))
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
