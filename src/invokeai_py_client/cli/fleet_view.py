"""How the servers of a fleet are shown to a person: as a table, and live on a screen of any size."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from invokeai_py_client.cli.failures import failure_of
from invokeai_py_client.cli.output import printable

if TYPE_CHECKING:
    from invokeai_py_client.fleet.status import FleetStatus, ServerStatus

_LOW = 8
"""Lines below which the screen has no heading and no footer."""

_MOST_NAME = 40
"""The widest column that names servers."""

_GAP = 2
"""Columns between two columns of the table."""


@dataclass(frozen=True)
class Column:
    """A column of the table."""

    title: str
    text: Callable[[ServerStatus], str]
    rank: int
    """Where there is no room for all columns, those with the lowest ranks are shown."""


COLUMNS = (
    Column("Server", lambda one: one.name, 0),
    Column("State", lambda one: one.state, 1),
    Column("Running", lambda one: f"{_count(one.in_progress)}/{one.slots}", 2),
    Column("Pending", lambda one: _count(one.pending), 3),
    Column("Rows/h", lambda one: "-" if one.rows_per_hour is None else f"{one.rows_per_hour:.0f}", 4),
    Column("Failed", lambda one: _count(one.failed), 5),
    Column("Version", lambda one: one.version or "-", 6),
    Column("Devices", lambda one: ", ".join(f"{device} {name}" for device, name in (one.devices or {}).items()), 7),
    Column("Models", lambda one: ", ".join(one.models or ()), 8),
)


class FleetView:
    """The latest status of a fleet, and since when servers cannot be used. Threads may set it while it is drawn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fleet: FleetStatus | None = None
        self._lost_at: dict[str, float] = {}

    def update(self, fleet: FleetStatus, now: float) -> None:
        """Take over a reading."""
        with self._lock:
            self._fleet = fleet
            lost = {server.name for server in fleet if not server.is_usable}
            self._lost_at = {name: self._lost_at.get(name, now) for name in lost}

    def lines(self, width: int, height: int, now: float) -> list[Text]:
        """Return what a screen of a size shows, line by line."""
        with self._lock:
            lines = [*self._lines(width, height, now)][:height]
        for line in lines:
            line.truncate(width, overflow="ellipsis" if width > 1 else "crop")
        return lines

    def _lines(self, width: int, height: int, now: float) -> Iterator[Text]:
        if self._fleet is None:
            yield Text("asking the servers", style="dim")
            return
        is_low = height < _LOW
        yield Text(summary(self._fleet), style="bold" if self._fleet.usable == len(self._fleet) else "bold red")
        servers = [*self._fleet]
        room = height - (1 if is_low else 5)
        if len(servers) > room:
            # What cannot be used must not be what is cut off.
            servers.sort(key=lambda server: server.is_usable)
        shown = servers[: max(1, room)]
        heading, *table = _table(shown, width, with_titles=not is_low)
        if not is_low:
            yield Text("")
            yield heading
        for server, line in zip(shown, table, strict=True):
            yield line if server.is_usable else self._with_reason(line, server, now)
        if is_low:
            return
        rest = len(servers) - len(shown)
        yield Text(f"and {rest} more" if rest else "", style="dim")
        for _ in range(room - len(shown)):
            yield Text("")
        yield Text("q quits. What runs goes on.", style="dim")

    def _with_reason(self, line: Text, server: ServerStatus, now: float) -> Text:
        seconds = round(now - self._lost_at.get(server.name, now))
        return line.copy().append(f"  for {seconds} s: {printable(reason(server))}")


class FleetScreen:
    """Draws the status of a fleet in as much room as there is, each time anew."""

    def __init__(self, view: FleetView) -> None:
        self._view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._view.lines(options.max_width, options.height or console.height, time.monotonic())


def reason(server: ServerStatus) -> str | None:
    """Return why a server cannot be used, None if it can be."""
    return None if server.error is None else failure_of(server.error).message


def summary(fleet: FleetStatus) -> str:
    """Return the status of the whole fleet as a sentence."""
    rows = f"{fleet.rows_per_hour:.0f} rows an hour"
    usable = f"{fleet.usable} of {len(fleet)} servers usable"
    return f"{usable}, {fleet.in_progress} rows on {fleet.slots} slots, {fleet.pending} pending, {rows}"


def _table(servers: list[ServerStatus], width: int, *, with_titles: bool) -> Iterator[Text]:
    """Yield the heading and a line for each server, with the columns that fit."""
    columns = [
        [column.title if with_titles else "", *(printable(column.text(server)) for server in servers)]
        for column in COLUMNS
        # An empty column tells nothing.
        if column.rank < 6 or any(column.text(server) for server in servers)
    ]
    kept: list[list[str]] = []
    taken = 0
    for number, cells in enumerate(columns):
        wide = min(max(map(cell_len, cells)), _MOST_NAME)
        if number and taken + wide > width:
            break
        taken += wide + _GAP
        kept.append([_padded(cell, wide) for cell in cells])
    for number, cells_of_line in enumerate(zip(*kept, strict=True)):
        style = "bold" if not number else "" if servers[number - 1].is_usable else "red"
        yield Text((" " * _GAP).join(cells_of_line).rstrip(), style=style)


def _padded(cell: str, width: int) -> str:
    text = Text(cell)
    text.truncate(width, overflow="ellipsis", pad=True)
    return text.plain


def _count(number: int | None) -> str:
    return "-" if number is None else str(number)
