"""`fleet`: many servers that run one batch."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.commands import Group
from invokeai_py_client.cli.failures import ADDRESS, Failure, failure_of
from invokeai_py_client.cli.keys import ending_as_interrupted
from invokeai_py_client.cli.output import Output
from invokeai_py_client.cli.screen import has_screen, show_on_screen
from invokeai_py_client.cli.session import Session, with_session
from invokeai_py_client.cli.tokens import read_token

if TYPE_CHECKING:
    from invokeai_py_client.cli.fleet_view import FleetView
    from invokeai_py_client.fleet.fleet import Fleet
    from invokeai_py_client.fleet.server import Server
    from invokeai_py_client.fleet.status import FleetStatus, ServerStatus, StatusReader

command = Group("fleet", help="Look at the servers of a fleet. The commands batch and sweep run rows on one.")

_PAUSE = 2.0
"""Seconds between two readings of a fleet that is watched."""


@command.command("status", example="invokeai-client fleet status --fleet fleet.toml --watch")
@click.option(
    "--fleet",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default="fleet.toml",
    show_default=True,
    help="File with a [[server]] for each server: its url, and name, slots and token_env if wanted.",
)
@click.option("--watch", is_flag=True, help="Go on showing it, until q or Ctrl-C.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    help="Seconds in which a server must respond.",
)
@with_session
def status(session: Session, path: Path, watch: bool, timeout: float) -> None:
    """Show of each server whether it can be used, and what it runs.

    The exit code is 1 if a server cannot be used. With --watch, it is shown on the whole screen; in a pipe, stdout is a
    line of JSON for each reading.
    """
    from invokeai_py_client.fleet.status import StatusReader

    output = session.output
    with StatusReader(servers_in(path), timeout=timeout) as reader:
        if not watch:
            _show(output, reader.read())
            return
        with ending_as_interrupted():
            if has_screen(output):
                _show_screen(output, reader)
            else:
                _print_readings(output, reader)


@contextlib.contextmanager
def opened_fleet(session: Session, path: Path) -> Iterator[Fleet]:
    """Open the fleet that a file names. The session uses its first server that can be used, for plans and checks.

    Raises:
        Failure: no server can be used, or another option chooses a server.
        SettingsError: the file cannot be used.
    """
    from invokeai_py_client.cli.fleet_view import reason
    from invokeai_py_client.fleet.fleet import Fleet
    from invokeai_py_client.fleet.status import StatusReader

    session.refuse_server_options("--fleet")
    servers = servers_in(path)
    with StatusReader(servers) as reader:
        found = reader.read()
    usable = [server for server, status in zip(servers, found, strict=True) if status.is_usable]
    if not usable:
        raise _unusable(found)
    for status in found:
        if not status.is_usable:
            session.output.note(f"note: {status.name} cannot be used now: {reason(status)}")
    session.use_server(usable[0])
    with Fleet(servers) as fleet:
        yield fleet


def servers_in(path: Path) -> list[Server]:
    """Read the servers of a fleet from a file; tokens that it does not have are those of `login`.

    Raises:
        SettingsError: the file cannot be used.
    """
    from invokeai_py_client.fleet.servers_file import read_servers

    return read_servers(path, token_of=read_token)


def _show(output: Output, fleet: FleetStatus) -> None:
    from invokeai_py_client.cli.fleet_view import COLUMNS, reason, summary

    unusable = [server for server in fleet if not server.is_usable]
    if output.is_human:
        output.table(
            [column.title for column in COLUMNS],
            [[column.text(server) for column in COLUMNS] for server in fleet],
        )
        output.note(summary(fleet))
        for server in unusable:
            output.note(f"{server.name}: {reason(server)}")
        for server in fleet:
            if server.last_failure:
                output.note(f"{server.name}: the latest row that failed: {server.last_failure}")
    if unusable:
        if output.format == "quiet":
            _print_usable(output, fleet)
        raise _unusable(fleet)
    output.done(_facts(fleet), quiet=[server.url for server in fleet])


def _unusable(fleet: FleetStatus) -> Failure:
    unusable = [server for server in fleet if not server.is_usable]
    names = ", ".join(server.name for server in unusable)
    return Failure(
        "servers_unusable",
        f"{len(unusable)} of {len(fleet)} servers cannot be used: {names}.",
        _hint(unusable[0]),
        _facts(fleet),
    )


def _print_usable(output: Output, fleet: FleetStatus) -> None:
    for server in fleet:
        if server.is_usable:
            output.say(server.url)


def _print_readings(output: Output, reader: StatusReader) -> None:
    """Print a line for each reading, until Ctrl-C or until nobody reads them any more."""
    from invokeai_py_client.cli.fleet_view import summary

    while True:
        fleet = reader.read()
        if output.format == "json":
            output.line({"event": "fleet_status", **_facts(fleet)})
        elif output.is_human:
            output.say(summary(fleet))
        else:
            _print_usable(output, fleet)
        sys.stdout.flush()
        time.sleep(_PAUSE)


def _show_screen(output: Output, reader: StatusReader) -> None:
    from invokeai_py_client.cli.fleet_view import FleetScreen, FleetView

    view = FleetView()
    with _Readings(reader, view) as readings:
        show_on_screen(output, FleetScreen(view), readings.check)


class _Readings:
    """Reads the status of a fleet again and again, in a thread of its own."""

    def __init__(self, reader: StatusReader, view: FleetView) -> None:
        self._reader = reader
        self._view = view
        self._ended = threading.Event()
        self._failure: BaseException | None = None

    def __enter__(self) -> _Readings:
        threading.Thread(target=self._read, name="status of the fleet", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()

    def check(self) -> None:
        """Raise what has ended the reading, if something has."""
        if self._failure is not None:
            raise self._failure

    def _read(self) -> None:
        try:
            while not self._ended.is_set():
                self._view.update(self._reader.read(), time.monotonic())
                self._ended.wait(_PAUSE)
        except Exception as error:
            # After the end it is that the reader was closed.
            if not self._ended.is_set():
                self._failure = error


def _facts(fleet: FleetStatus) -> dict[str, Any]:
    return {
        "usable": fleet.usable,
        "slots": fleet.slots,
        "pending": fleet.pending,
        "in_progress": fleet.in_progress,
        "rows_per_hour": round(fleet.rows_per_hour, 1),
        "servers": [_facts_of(server) for server in fleet],
    }


def _hint(server: ServerStatus) -> str:
    if server.error is None:
        return ""
    if server.state == "not_allowed":
        return f"Run invokeai-client login --url {server.url}, or add token_env to its [[server]] in the file."
    return f"{server.name}: {failure_of(server.error).hint.replace(ADDRESS, 'url in the file')}"


def _facts_of(server: ServerStatus) -> dict[str, Any]:
    from invokeai_py_client.cli.fleet_view import reason

    return {
        "name": server.name,
        "url": server.url,
        "state": server.state,
        "error": reason(server),
        "hint": _hint(server),
        "version": server.version,
        "devices": server.devices,
        "slots": server.slots,
        "models": server.models,
        "pending": server.pending,
        "in_progress": server.in_progress,
        "own": server.own,
        "others": server.others,
        "rows_per_hour": None if server.rows_per_hour is None else round(server.rows_per_hour, 1),
        "failed": server.failed,
        "last_failure": server.last_failure,
    }
