"""`server`: a server on this machine, and how any server is."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.commands import Group
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.keys import ending_as_interrupted
from invokeai_py_client.cli.output import printable
from invokeai_py_client.cli.session import Session, with_session

if TYPE_CHECKING:
    from invokeai_py_client.local import LocalServer, RunningServer

command = Group(
    "server",
    help="Install, start and stop an InvokeAI server on this machine, and ask how any server is.\n\n"
    "Commands that are not told an address use the server that was started here, if exactly one runs.",
)

_DEFAULT_PORT = 9090

_PAUSE = 0.2
"""Seconds between two looks at a log that grows."""

_ROOT = click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Root folder of the server. If several are running, this or --url is needed.",
)
_VERSION = click.option("--version", metavar="VERSION", help="Version of InvokeAI, such as 6.14.2.")


@command.command("install", example="invokeai-client server install")
@_VERSION
@with_session
def install(session: Session, version: str | None) -> None:
    """Install an InvokeAI server of its own, unless it is there. It takes about 7 GB of disk."""
    output = session.output
    local = _local_server(session, None, version)
    local.install()
    facts = {"version": local.version, "folder": local.environment}
    output.done(facts, quiet=[local.environment], human=lambda: output.facts(facts))


@command.command("start", example="invokeai-client server start --tiny-model")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Root folder with its database, models and images; one in the cache if it is left out.",
)
@_VERSION
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_DEFAULT_PORT,
    show_default=True,
    help="Port to listen on, or the next one that is free; 0 for any.",
)
@click.option("--foreground", is_flag=True, help="Show its log, and stop it at Ctrl-C, in place of leaving it running.")
@click.option("--tiny-model", is_flag=True, help="Install a tiny model with random weights, to try workflows with.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=180.0,
    show_default=True,
    help="Seconds until it must respond.",
)
@with_session
def start(
    session: Session,
    root: Path | None,
    version: str | None,
    port: int,
    foreground: bool,
    tiny_model: bool,
    timeout: float,
) -> None:
    """Start an InvokeAI server on this machine, and leave it running.

    It is installed first if it is not there. It listens on 127.0.0.1 only. If one is running on the root folder
    already, that one is shown.
    """
    from invokeai_py_client.local.running import running_server_on

    output = session.output
    local = _local_server(session, root, version, port=port, timeout=timeout)
    server = running_server_on(local.root)
    if server is not None:
        if foreground:
            raise Failure(
                "local_server",
                f"A server is running on {local.root} already, as process {server.pid}.",
                "Stop it with: invokeai-client server stop",
            )
        _show_started(session, server)
        return
    if foreground:
        with ending_as_interrupted():
            _run_in_foreground(session, local, tiny_model)
        return
    local.start(detached=True)
    try:
        if tiny_model:
            local.install_tiny_model()
        server = running_server_on(local.root)
        if server is None:
            raise Failure("local_server", "The server has ended.", f"Its log is {local.log_path}.")
    except BaseException:
        local.stop()
        raise
    _show_started(session, server)
    output.note("It goes on running. Stop it with: invokeai-client server stop")


@command.command("stop", example="invokeai-client server stop")
@_ROOT
@with_session
def stop(session: Session, root: Path | None) -> None:
    """Stop a server that was started here, and nothing else: not a process that has got its id since."""
    output = session.output
    server = _running(session, root)
    output.note(f"stopping process {server.pid}, the server on {server.root}")
    server.stop()
    facts = _facts(server)
    output.done(
        {"stopped": facts}, quiet=[server.pid], human=lambda: output.say(f"stopped {server.url or server.root}")
    )


@command.command("status", example="invokeai-client server status --url http://127.0.0.1:9090")
@click.option("--wait", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Wait until it is ready.")
@with_session
def status(session: Session, wait: float | None) -> None:
    """Show whether the server can be reached and used, its version, and its process if it was started here.

    The exit code is 3 if it cannot be reached, and 4 if it wants a token.
    """
    if wait is not None:
        session.unchecked_client.wait_until_ready(wait)
    client = session.client
    health = client.health_check()
    if health.error is not None:
        raise health.error
    server = _started_here(client.settings.url)
    facts = {
        "url": client.settings.url,
        "version": health.version,
        "latency": health.latency,
        "is_paused": health.is_processing_started is False,
        "process": None if server is None else _facts(server),
    }

    def human() -> None:
        shown = {**facts, "latency": None if health.latency is None else f"{1000 * health.latency:.0f} ms"}
        session.output.facts({name: value for name, value in shown.items() if name != "process"})
        if server is not None:
            session.output.facts({name: value for name, value in _facts(server).items() if name not in facts})

    session.output.done(facts, quiet=[health.version], human=human)


@command.command("logs", example="invokeai-client server logs --follow")
@_ROOT
@click.option("--lines", type=click.IntRange(0), default=50, show_default=True, help="How many of the last lines.")
@click.option("--follow", is_flag=True, help="Go on with new lines, until the server ends or Ctrl-C.")
@with_session
def logs(session: Session, root: Path | None, lines: int, follow: bool) -> None:
    """Show the log of a server that was started here, also after it has ended.

    With --follow, json is a line for each line of the log, and a document at the end.
    """
    from invokeai_py_client.local.running import running_server_on

    output = session.output
    server: RunningServer | None
    if root is None and (session.named_url is not None or _all_running()):
        server = _running(session, None)
        path = Path(server.log_path)
    else:
        local = _local_server(session, root, None)
        server, path = running_server_on(local.root), local.log_path
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            last = [_plain(line) for line in file.readlines()[-lines:] if lines]
            if not follow:
                output.done(
                    {"log": path, "lines": last},
                    quiet=[path],
                    human=lambda: output.say("\n".join(last)) if last else None,
                )
                return
            count = 0
            for line in _followed(last, file, server):
                count += 1
                if output.format == "json":
                    output.line({"event": "log_line", "text": line})
                else:
                    output.say(line)
    except FileNotFoundError:
        raise Failure(
            "not_found", f"There is no log {path}.", "Start a server with: invokeai-client server start"
        ) from None
    output.done({"log": path, "lines": count})


def _local_server(
    session: Session, root: Path | None, version: str | None, *, port: int = 0, timeout: float = 180.0
) -> LocalServer:
    from invokeai_py_client.local import DEFAULT_VERSION, LocalServer

    return LocalServer(
        root,
        version=version or DEFAULT_VERSION,
        config={"port": port} if port else None,
        start_timeout=timeout,
        report=session.output.note,
    )


def _all_running() -> list[RunningServer]:
    from invokeai_py_client.local.running import running_servers

    return running_servers()


def _running(session: Session, root: Path | None) -> RunningServer:
    """Return the running server on a root folder or at the address that an option names, or the only one.

    Raises:
        Failure: there is none, or there are several.
    """
    servers = _all_running()
    path = None if root is None else os.path.abspath(root)
    url = session.named_url
    fitting = [
        server for server in servers if (path is None or server.root == path) and (url is None or _is_at(server, url))
    ]
    if len(fitting) > 1:
        raise Failure(
            "ambiguous",
            f"{len(fitting)} servers that were started here are running.",
            "Name the address of one with --url, or its root folder with --root.",
            {"choices": [server.root for server in fitting]},
        )
    if not fitting:
        where = ("" if path is None else f" on {path}") + ("" if url is None else f" at {url}")
        raise Failure(
            "not_found",
            f"No server that was started here is running{where}.",
            "Start one with: invokeai-client server start. A server of another program is stopped by that program.",
            {"running": [server.root for server in servers]},
        )
    return fitting[0]


def _started_here(url: str) -> RunningServer | None:
    return next((server for server in _all_running() if _is_at(server, url)), None)


def _is_at(server: RunningServer, url: str) -> bool:
    return server.url == url.replace("//localhost:", "//127.0.0.1:")


def _facts(server: RunningServer) -> dict[str, Any]:
    return {
        "url": server.url,
        "version": server.version,
        "pid": server.pid,
        "root": server.root,
        "log": server.log_path,
        "started_at": datetime.fromtimestamp(server.started_at, UTC).isoformat(timespec="seconds"),
    }


def _show_started(session: Session, server: RunningServer) -> None:
    facts = _facts(server)
    session.output.done(facts, quiet=[server.url], human=lambda: session.output.facts(facts))


def _run_in_foreground(session: Session, local: LocalServer, tiny_model: bool) -> None:
    """Run a server until it ends, or until Ctrl-C or a signal to end stops it.

    Raises:
        KeyboardInterrupt: it was stopped so.
        Failure: it has ended by itself.
    """
    from invokeai_py_client.local.running import running_server_on

    output = session.output
    try:
        local.start(detached=True)
        if tiny_model:
            local.install_tiny_model()
        server = running_server_on(local.root)
        if server is None:
            raise Failure("local_server", "The server has ended.", f"Its log is {local.log_path}.")
        if output.format == "json":
            output.line({"event": "started", **_facts(server)})
        elif output.is_human:
            output.facts(_facts(server))
        else:
            output.say(str(server.url))
        output.note("Stop it with Ctrl-C.")
        with local.log_path.open(encoding="utf-8", errors="replace") as file:
            for line in _followed([], file, server):
                output.note(line)
    finally:
        # Ctrl-C again does not wait for its orderly end.
        try:
            local.stop()
        except KeyboardInterrupt:
            local.kill()
    raise Failure("local_server", "The server has ended.", f"Its log is {local.log_path}.")


def _followed(last: list[str], file: Any, server: RunningServer | None) -> Iterator[str]:
    """Yield lines, and then those that are appended to a file while a server runs."""
    yield from last
    unfinished = ""
    while True:
        # Asked before the file is read, so that its last lines are not missed.
        is_running = server is not None and server.is_running
        unfinished += file.read()
        *whole, unfinished = unfinished.split("\n")
        yield from map(_plain, whole)
        if not is_running:
            break
        time.sleep(_PAUSE)
    if unfinished:
        yield _plain(unfinished)


def _plain(line: str) -> str:
    return printable(re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line.rstrip("\r\n")))
