"""The event handlers of one workflow handle."""

from __future__ import annotations

import contextlib
import difflib
import threading
import weakref
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from invokeai_py_client.errors import SettingsError
from invokeai_py_client.live.event_delivery import tell
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.runtime.delivery import Delivery
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.wire.events import RUN_EVENT_TYPES, Event

_OTHER_NAMES = {"invocation_progress": "generator_progress"}
"""Event types by the server's own name, where this client uses another."""


@dataclass(frozen=True, eq=False, slots=True)
class _Handler:
    delivery: Delivery[Event]
    types: frozenset[str] | None
    runs: weakref.WeakSet[TrackedRun] = field(default_factory=weakref.WeakSet)
    """The runs whose events are passed to the handler. Used on the engine only."""


class EventHandlers:
    """Calls the handlers of one workflow handle with the events of its runs.

    A handler gets all events of the latest run, of every run that is being submitted, and of later runs. It is called
    on the loop that ran when it was registered, otherwise by the waits for those runs.

    Args:
        engine: the engine on which the runs are followed.
        tracker: follows the runs, and counts the events that slow handlers do not receive.
    """

    def __init__(self, engine: Engine, tracker: RunTracker) -> None:
        self._engine = engine
        self._tracker = tracker
        self._lock = threading.Lock()
        self._handlers: tuple[_Handler, ...] = ()
        self._submitting: list[TrackedRun] = []
        self._latest: TrackedRun | None = None

    def __bool__(self) -> bool:
        """Return whether there is a handler."""
        return bool(self._handlers)

    def add(self, handler: Callable[[Event], Any], types: str | Collection[str] | None) -> Callable[[], None]:
        """Register a handler.

        Returns:
            A function that unregisters it.

        Raises:
            SettingsError: `types` contains an unknown event type, or is empty.
        """
        wanted = event_types(types)
        entry = _Handler(Delivery(handler, losses=self._tracker.losses), wanted)
        with self._lock:
            # `submission` adds every later run to the new handler.
            self._handlers = (*self._handlers, entry)
            runs = [*self._submitting]
            if self._latest is not None and self._latest not in runs:
                runs.append(self._latest)
        if runs:
            self._engine.block(self._tell_all(runs, entry))

        def stop() -> None:
            entry.delivery.close()
            with self._lock:
                self._handlers = tuple(other for other in self._handlers if other is not entry)

        return stop

    async def _tell_all(self, runs: list[TrackedRun], entry: _Handler) -> None:
        for run in runs:
            self._tell(run, entry)

    def _tell(self, run: TrackedRun, entry: _Handler) -> None:
        # A batch that is submitted again under its id is the same run.
        if run not in entry.runs:
            entry.runs.add(run)
            tell(run, entry.delivery.mailbox, types=entry.types)

    @contextlib.contextmanager
    def submission(self) -> Iterator[Callable[[TrackedRun], None]]:
        """Wrap a submission, on the engine: call the yielded function with the run as soon as it is followed."""
        followed: list[TrackedRun] = []

        def on_followed(run: TrackedRun) -> None:
            with self._lock:
                followed.append(run)
                self._submitting.append(run)
                handlers = self._handlers
            for entry in handlers:
                self._tell(run, entry)

        try:
            yield on_followed
            with self._lock:
                self._latest = followed[-1] if followed else self._latest
        finally:
            with self._lock:
                self._submitting = [run for run in self._submitting if run not in followed]

    def drain(self) -> None:
        """Call the handlers in this thread with all pending events, except those that are called on a loop."""
        for entry in self._handlers:
            entry.delivery.drain()

    def adopt(self) -> None:
        """Have the handlers that belong to no loop called on this thread's running loop."""
        for entry in self._handlers:
            entry.delivery.adopt()

    async def caught_up(self) -> None:
        """Wait until the handlers that are called on this loop have processed all pending events."""
        for entry in self._handlers:
            await entry.delivery.caught_up()


def event_types(types: str | Collection[str] | None) -> frozenset[str] | None:
    """Check and normalize the names of event types.

    Args:
        types: one name, or several; None for all.

    Returns:
        The names as this client spells them; None for all.

    Raises:
        SettingsError: a name is not an event type of a run, or `types` is empty.
    """
    if types is None:
        return None
    names = [types] if isinstance(types, str) else list(types)
    known = sorted(RUN_EVENT_TYPES)
    for name in names:
        if not isinstance(name, str) or _OTHER_NAMES.get(name, name) not in RUN_EVENT_TYPES:
            near = difflib.get_close_matches(name, known, n=1) if isinstance(name, str) else []
            raise SettingsError(
                f"Unknown event type {name!r} in `types`.",
                setting="types",
                hint=(f"Did you mean {near[0]!r}? " if near else "") + f"A run has the events {', '.join(known)}.",
            )
    if not names:
        raise SettingsError(
            "`types` is empty, so the handler would never be called.",
            setting="types",
            hint=f"Omit it for all events, or pass some of {', '.join(known)}.",
        )
    return frozenset(_OTHER_NAMES.get(name, name) for name in names)
