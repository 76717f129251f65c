"""`doctor`: what is in the way between this program and a picture."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from invokeai_py_client.cli.commands import Command
from invokeai_py_client.cli.failures import Failure, failure_of
from invokeai_py_client.cli.session import Session, with_session

if TYPE_CHECKING:
    from invokeai_py_client.client import InvokeAIClient
    from invokeai_py_client.settings import Settings

_OLDEST = (6, 0)
"""The oldest version of InvokeAI that the client is tested with."""

_LEAST_FREE = 1 << 30

SOCKET_WAIT = 10.0
"""Seconds in which the websocket must be open."""


@dataclass(frozen=True)
class Finding:
    """What one check has found; `fix` says what to do where it is not ok."""

    check: str
    ok: bool
    found: str
    fix: str = ""


@click.command(
    "doctor",
    cls=Command,
    help="Check everything that a run needs: the connection, the version, the login, events, models, the queue and the "
    "disk; and say what to do about what is wrong. The exit code is 1 if something is.",
    example="invokeai-client doctor --url http://127.0.0.1:9090",
)
@with_session
def command(session: Session) -> None:
    """Check everything that a run needs."""
    output = session.output
    findings = []
    for finding in _findings(session):
        findings.append(finding)
        if output.is_human:
            output.sentence(f"{'ok ' if finding.ok else 'BAD'}  {finding.check:<10}  {finding.found}", indent=17)
            if not finding.ok:
                output.sentence(f"{'':17}{finding.fix}", indent=17)
    checks = [{**asdict(finding), "fix": "" if finding.ok else finding.fix} for finding in findings]
    bad = [finding for finding in findings if not finding.ok]
    if bad:
        raise Failure("unhealthy", f"{len(bad)} of {len(findings)} checks failed.", bad[0].fix, {"checks": checks})
    output.done({"checks": checks}, quiet=[])


def _findings(session: Session) -> Iterator[Finding]:
    from invokeai_py_client.errors import AuthenticationError, ForbiddenError, InvokeAIError

    settings = session.settings
    yield Finding("address", True, settings.url)
    yield encryption(settings)
    yield Finding("proxy", True, "a proxy is used" if settings.proxy else "none")
    try:
        client = session.client
        health = client.health_check()
        if not health.is_reachable and health.error is not None:
            raise health.error
    except InvokeAIError as error:
        failure = failure_of(error)
        yield Finding("server", False, failure.message, failure.hint)
        return
    yield Finding("server", True, f"responds in {(health.latency or 0) * 1000:.0f} ms")
    version = health.version or ""
    yield Finding(
        "version",
        _numbers(version) >= _OLDEST,
        f"InvokeAI {version}",
        f"Update the server to InvokeAI {'.'.join(map(str, _OLDEST))} or later.",
    )
    if health.error is not None:
        failure = failure_of(health.error)
        is_access = isinstance(health.error, AuthenticationError | ForbiddenError)
        fix = "Log in with: invokeai-client login --email EMAIL" if is_access else failure.hint
        yield Finding("access" if is_access else "queue", False, failure.message, fix)
        return
    yield Finding("access", True, "the server can be used")
    for name, check in (("events", _events), ("models", _models), ("queue", _queue)):
        try:
            yield check(client)
        except InvokeAIError as error:
            failure = failure_of(error)
            yield Finding(name, False, failure.message, failure.hint)
    free = shutil.disk_usage(os.getcwd()).free
    yield Finding("disk", free >= _LEAST_FREE, f"{free / (1 << 30):.1f} GiB free here", "Make room for images.")


def encryption(settings: Settings) -> Finding:
    """Tell whether others can read what is sent, and whether that matters."""
    has_secret = settings.token is not None or settings.password is not None
    return Finding(
        "encryption",
        not (settings.is_open and has_secret),
        "what is sent can be read on the way" if settings.is_open else "TLS, or this machine alone",
        "Use https://, or a tunnel: a token that crosses a network in the clear can be taken.",
    )


def _events(client: InvokeAIClient) -> Finding:
    import threading

    changed = threading.Event()
    stop = client.on_connection(lambda change: changed.set() if change.state == "connected" else None)
    try:
        with client.stream_queue_events():
            is_connected = changed.wait(SOCKET_WAIT)
    finally:
        stop()
    return Finding(
        "events",
        is_connected,
        "the server pushes events" if is_connected else "no websocket could be opened",
        "Let websockets pass the proxy before the server. Without them, the client polls.",
    )


def _models(client: InvokeAIClient) -> Finding:
    count = len(client.models.list_models(type="main"))
    return Finding(
        "models",
        count > 0,
        f"{count} main model{'' if count == 1 else 's'}",
        "Install one with: invokeai-client models install SOURCE",
    )


def _queue(client: InvokeAIClient) -> Finding:
    status = client.queue.get_status()
    is_running = status.processor.is_started
    found = f"{status.queue.pending} pending, {status.queue.in_progress} in progress"
    return Finding(
        "queue", is_running, found if is_running else f"paused, {found}", "Go on with: invokeai-client queue resume"
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
