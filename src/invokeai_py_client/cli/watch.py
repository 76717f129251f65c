"""`jobs watch`: what happens in a queue, on the whole screen or as a line for each event."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.commands import Command
from invokeai_py_client.cli.keys import ending_as_interrupted
from invokeai_py_client.cli.queue_argument import STATUSES, queue_option
from invokeai_py_client.cli.screen import FRAMES, has_screen, show_on_screen
from invokeai_py_client.cli.session import Session, with_session

if TYPE_CHECKING:
    from invokeai_py_client.cli.queue_view import QueueView
    from invokeai_py_client.client import InvokeAIClient
    from invokeai_py_client.live.connection_changes import ConnectionChange
    from invokeai_py_client.wire.events import Event

_STATUS_EVERY = 5.0
"""Seconds between two questions for what no event tells, such as a pause."""

_FOLLOW_AFTER = 0.5
"""Seconds that an item has run before its progress is followed; most short items have ended by then."""

_MOST_ITEMS = 1_000
"""Items of the queue that are listed at most, the newest."""

_EVENT_FACTS = (
    "item_id",
    "batch_id",
    "status",
    "node_id",
    "step",
    "total_steps",
    "progress_percentage",
    "message",
    "error_type",
    "error_message",
    "enqueued",
    "requested",
    "priority",
    "item_ids",
    "seconds",
)


@click.command(
    "watch",
    cls=Command,
    help="""Watch all items of the queue live, also those that other programs have submitted.

On a terminal, it is shown on the whole screen until q or Ctrl-C; what runs goes on. In a pipe, or with --events, stdout
is a line of JSON for each event: the state of the queue at first, and again when the connection was lost meanwhile.""",
    example="invokeai-client jobs watch",
)
@queue_option()
@click.option("--events", is_flag=True, help="Print a line of JSON for each event, also on a terminal.")
@with_session
def command(session: Session, queue_id: str, events: bool) -> None:
    """Watch the queue."""
    output = session.output
    if events:
        output.format = "json"
    client = session.client
    with ending_as_interrupted():
        if has_screen(output):
            _show_screen(session, client, queue_id)
        else:
            _print_events(session, client, queue_id)


def _print_events(session: Session, client: InvokeAIClient, queue_id: str) -> None:
    """Print what happens, until Ctrl-C or until nobody reads it any more."""
    output = session.output
    show: Callable[[Mapping[str, Any]], None] = output.line
    if output.format == "human":
        show = lambda facts: output.say(_sentence(facts))  # noqa: E731
    elif output.format == "quiet":
        show = lambda facts: output.say(str(facts["item_id"])) if _is_end(facts) else None  # noqa: E731
    feed = _Feed(client, queue_id)
    with feed:
        show(_status(client, queue_id))
        for event in feed.events():
            facts = event if isinstance(event, dict) else _facts(event)
            show(facts)
            sys.stdout.flush()
            if facts["event"] == "reconnected":
                show(_status(client, queue_id))


def _show_screen(session: Session, client: InvokeAIClient, queue_id: str) -> None:
    from invokeai_py_client.cli.queue_view import QueueScreen, QueueView

    view = QueueView(client.settings.url, queue_id)
    with _Keeper(client, queue_id, view) as keeper:
        show_on_screen(session.output, QueueScreen(view), keeper.check)


class _Feed:
    """The events of a queue with the changes of the connection between them, read in a thread of its own."""

    def __init__(self, client: InvokeAIClient, queue_id: str) -> None:
        self._client = client
        self._stream = client.stream_queue_events(queue_id)
        self._arrived: queue.SimpleQueue[Event | dict[str, Any] | BaseException] = queue.SimpleQueue()

    def __enter__(self) -> _Feed:
        self._stop = self._client.on_connection(self._connection_changed)
        self._stream.__enter__()
        threading.Thread(target=self._read, name="events of the queue", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._stream.close()

    def events(self) -> Iterator[Event | dict[str, Any]]:
        """Yield what happens, without an end.

        Raises:
            InvokeAIError: the server no longer accepts the token.
        """
        while True:
            try:
                # With a limit, as Ctrl-C does not end an unlimited wait on Windows.
                arrived = self._arrived.get(timeout=0.5)
            except queue.Empty:
                continue
            if isinstance(arrived, BaseException):
                raise arrived
            yield arrived

    def _read(self) -> None:
        try:
            for event in self._stream:
                # What the connection tells has its own line.
                if event.type != "reconnected":
                    self._arrived.put(event)
        except Exception as error:
            self._arrived.put(error)

    def _connection_changed(self, change: ConnectionChange) -> None:
        facts = {"reason": change.reason, "seconds": change.seconds}
        self._arrived.put({"event": change.state, **{name: one for name, one in facts.items() if one is not None}})


class _Keeper:
    """Keeps a view of a queue up to date: events in one thread, and in another what no event tells."""

    def __init__(self, client: InvokeAIClient, queue_id: str, view: QueueView) -> None:
        self._client = client
        self._queue_id = queue_id
        self._view = view
        self._feed = _Feed(client, queue_id)
        self._is_stale = threading.Event()
        self._ended = threading.Event()
        self._failure: BaseException | None = None

    def __enter__(self) -> _Keeper:
        self._is_stale.set()
        self._feed.__enter__()
        for target in (self._apply, self._ask):
            threading.Thread(target=target, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._feed.__exit__()

    def check(self) -> None:
        """Raise what has ended the watch, if something has.

        Raises:
            InvokeAIError: the server no longer accepts the token.
        """
        if self._failure is not None:
            raise self._failure

    def _apply(self) -> None:
        try:
            for event in self._feed.events():
                if isinstance(event, dict):
                    self._view.lost_at = time.monotonic() if event["event"] == "disconnected" else None
                    self._is_stale.set()
                elif self._view.apply(event, time.monotonic()):
                    self._is_stale.set()
        except Exception as error:
            self._failure = error

    def _ask(self) -> None:
        from invokeai_py_client.errors import AuthenticationError, ClientClosedError, ForbiddenError, InvokeAIError

        queue_now = self._client.queue_repo.get_queue(self._queue_id)
        asked = 0.0
        while not self._ended.wait(1 / FRAMES):
            try:
                if self._is_stale.is_set():
                    self._is_stale.clear()
                    asked = 0.0
                    self._view.load([*islice(queue_now.list_items(), _MOST_ITEMS)], time.monotonic())
                if time.monotonic() - asked >= _STATUS_EVERY:
                    asked = time.monotonic()
                    found = queue_now.get_status()
                    self._view.set_status(dict(found.queue), is_paused=not found.processor.is_started)
                self._follow()
            except ClientClosedError:
                return
            except (AuthenticationError, ForbiddenError) as error:
                self._failure = error
                return
            except InvokeAIError:
                # The server is away; the connection tells when it is back.
                self._is_stale.set()

    def _follow(self) -> None:
        from invokeai_py_client.errors import NotFoundError

        for item in self._view.unfollowed(time.monotonic(), _FOLLOW_AFTER):
            try:
                item.run = self._client.run(item.item_id, queue_id=self._queue_id)
            except NotFoundError:
                self._is_stale.set()


def _facts(event: Event) -> dict[str, Any]:
    facts = {name: event.get(name) for name in _EVENT_FACTS}
    return {"event": event.type, **{name: value for name, value in facts.items() if value is not None}}


def _status(client: InvokeAIClient, queue_id: str) -> dict[str, Any]:
    found = client.queue_repo.get_queue(queue_id).get_status()
    counts = {name: getattr(found.queue, name) for name in STATUSES}
    return {"event": "queue_status", "queue": queue_id, **counts, "is_paused": not found.processor.is_started}


def _is_end(facts: Mapping[str, Any]) -> bool:
    return facts["event"] == "queue_item_status_changed" and facts["status"] in ("completed", "failed", "canceled")


def _sentence(facts: Mapping[str, Any]) -> str:
    from invokeai_py_client.cli.output import printable

    rest = "  ".join(f"{name}={printable(value)}" for name, value in facts.items() if name != "event")
    return f"{facts['event']:<26}{rest}"
