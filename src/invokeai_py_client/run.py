"""A run: the queue items of one submission, their state and their results."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import inspect
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import (
    ClientClosedError,
    InvokeAIError,
    NotSubmittedError,
    RunCanceled,
    RunFailed,
    RunTimeout,
)
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.image import AsyncImage, thumbnails_now, thumbnails_of
from invokeai_py_client.live.event_handlers import EventHandlers
from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.live.state.run_snapshot import RunSnapshot
from invokeai_py_client.live.stream import EventStream
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.mailbox import Mailbox
from invokeai_py_client.runtime.reporting import checked_callback, plain_callback
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.events import Event, GeneratorProgress
from invokeai_py_client.workflow.outputs import NodePath

if TYPE_CHECKING:
    from invokeai_py_client.notebook.elements import Html

ProgressCallback = Callable[[QueueItem], object]

PollInterval = float | Callable[[int], float]
"""Seconds, or a function of the attempt (0, 1, ...) that returns them.

The function is called up front, for 1,000 attempts or until it returns more than an hour.
"""

POLL_INTERVAL = 2.0
"""Seconds between two calls of a progress callback, and between two polls of the server while the socket is down."""

_MOST_ATTEMPTS, _LONGEST = 1000, 3600.0

_LEFT = "No longer updated. The run continues."
"""The note that a notebook shows after `display` was interrupted."""


def poll_pauses(poll_interval: PollInterval) -> tuple[float, ...]:
    """Return the pauses of a poll interval, one for each attempt; the last is repeated.

    Raises:
        ValueError: a pause is not above 0.
    """
    if callable(poll_interval):
        pauses: list[float] = []
        while len(pauses) < _MOST_ATTEMPTS and (not pauses or pauses[-1] <= _LONGEST):
            pauses.append(float(poll_interval(len(pauses))))
    else:
        pauses = [float(poll_interval)]
    if not all(pause > 0 for pause in pauses):
        raise ValueError(f"poll_interval must be seconds above 0, got {min(pauses)!r}")
    return tuple(pauses)


class AsyncRun(FixedAttributes, ReadsAsMapping):
    """One submission: its ids, state and images. `Run` blocks, `AsyncRun` (`run.aio`) is awaited.

    A run can also be read as a mapping: `submission["item_id"]`, `submission.get("batch_id")`. `run["session_id"]` of
    a `Run` is fetched if no event has contained it yet.

    Example:
        >>> run = wf.submit_sync()
        >>> run.result(timeout=120)
        >>> [image.save("out") for image in run.images]
    """

    def __init__(
        self,
        engine: Engine,
        http: HttpTransport,
        tracker: RunTracker,
        live: TrackedRun,
        images_of: Callable[[QueueItem], Sequence[AsyncImage]],
        handlers: EventHandlers | None = None,
    ) -> None:
        self._engine = engine
        self._http = http
        self._tracker = tracker
        self._live = live
        self._images_of = images_of
        self._handlers = EventHandlers(engine, tracker) if handlers is None else handlers

    @property
    def _snapshot(self) -> RunSnapshot:
        """The state that is known without a request. Immutable: any thread may read it."""
        return self._live.state.snapshot

    @property
    def batch_id(self) -> str:
        """The id of the batch."""
        return self._live.state.batch_id

    @property
    def queue_id(self) -> str:
        """The id of the queue."""
        return self._live.state.queue_id

    @property
    def item_ids(self) -> tuple[int, ...]:
        """The ids of the queue items, in the order in which they were created."""
        return self._snapshot.facts.item_ids

    @property
    def item_id(self) -> int:
        """The id of the first queue item. Most runs have only one.

        Raises:
            NotSubmittedError: the batch is still being submitted, or its submission failed.
        """
        item_ids = self.item_ids
        if not item_ids:
            raise NotSubmittedError(
                f"The queue has no items of batch {self.batch_id} yet.",
                hint="Read `item_id` after `submit` has returned.",
            )
        return item_ids[0]

    @property
    def enqueued(self) -> int:
        """The number of queue items."""
        return len(self.item_ids)

    @property
    def session_id(self) -> str | None:
        """The session id of the first item; None until an event contains it. `fetch_session_id` fetches it."""
        return self._snapshot.facts.base.session_id

    @property
    def session_ids(self) -> tuple[str, ...]:
        """The session ids of the items that are known without a request."""
        return self._snapshot.session_ids()

    @property
    def item(self) -> QueueItem:
        """The state of the run as a queue item, without a request."""
        return self._presented(self._snapshot.item())

    @property
    def status(self) -> str:
        """`pending`, `in_progress`, `waiting`, `completed`, `failed` or `canceled`."""
        return self._snapshot.facts.status

    @property
    def progress(self) -> float:
        """The estimated progress in percent, from 0 to 100; see `QueueItem.progress_percentage`."""
        return self._snapshot.progress_percentage

    @property
    def started_at(self) -> str | None:
        """The time at which the first item started, as the server formats it; None before that."""
        return self._snapshot.facts.started_at

    @property
    def children(self) -> tuple[QueueItem, ...]:
        """The current state of the queue items of called workflows, including nested calls.

        `item_ids`, `enqueued` and `outputs` do not include these items.

        Example:
            >>> [(child.item_id, child.parent_item_id, child.call_path, child.status) for child in run.children]
            [(319, 318, ('call',), 'completed')]
        """
        return self._snapshot.children()

    @property
    def events(self) -> tuple[Event, ...]:
        """The events so far. Only the latest 1,000 progress events are kept."""
        return tuple(self._live.history)

    @property
    def images(self) -> Sequence[AsyncImage]:
        """The images that the output nodes have made so far, in the order of `map_outputs_to_images`."""
        return self._images_of(self.item)

    async def wait(
        self,
        timeout: float | None = None,  # noqa: ASYNC109
        *,
        poll_interval: PollInterval = POLL_INTERVAL,
        progress_callback: ProgressCallback | None = None,
    ) -> QueueItem:
        """Wait until the run has ended, successfully or not.

        Interrupting the wait, by a timeout, Ctrl-C or a cancelled task, does not affect the run. When the wait returns,
        the event handlers that are called in this thread or on this loop have received the run's last event, unless
        awaited handlers take longer than `timeout`.

        Args:
            timeout: seconds; None waits without a limit.
            poll_interval: seconds, or a function of the attempt (0, 1, ...) that returns them. `progress_callback` is
                called at least this often, and the server is polled this often while the socket is down. Events end a
                pause early.
            progress_callback: called in the waiting thread, or on the awaiting loop, with the current item: at the
                start, after each change (simultaneous changes count as one), and with the finished item. An exception
                that it raises ends the wait, but not the run. If the wait is awaited, it may be an `async` function.

        Returns:
            The finished item, with status `completed`, `failed` or `canceled`.

        Raises:
            RunTimeout: the run had not ended in time.
            AuthenticationError: the server no longer accepts the token.
            ProcessorStoppedError: the server's queue processor has stopped, so the run would never end.
            ClientClosedError: the client was closed during the wait.

        Example:
            >>> run.wait(timeout=300, progress_callback=lambda item: print(item.progress_percentage)).status
            'completed'
        """
        began = time.monotonic()
        callback, pauses = checked_callback(progress_callback), poll_pauses(poll_interval)
        self._handlers.adopt()
        if callback is None:
            item = await self._engine.call(self._ended(timeout, pauses))
        else:
            item = await self._tell_until_ended(callback, timeout, pauses)
        if self._handlers:
            left = None if timeout is None else max(0.0, began + timeout - time.monotonic())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._handlers.caught_up()
        return item

    async def _ended(self, timeout: float | None, pauses: tuple[float, ...]) -> QueueItem:  # noqa: ASYNC109
        try:
            view = await self._tracker.wait(self._live, seconds=timeout, pauses=pauses)
        except TimeoutError as error:
            if timeout is None or isinstance(error, InvokeAIError):
                raise
            raise self._timed_out(timeout) from None
        return self._presented(view)

    async def _tell_until_ended(
        self,
        callback: ProgressCallback,
        timeout: float | None,  # noqa: ASYNC109
        pauses: tuple[float, ...],
    ) -> QueueItem:
        async def tell() -> None:
            returned = callback(self.item)
            if inspect.isawaitable(returned):
                await returned

        attempt = 0
        limit = asyncio.timeout_at(None if timeout is None else asyncio.get_running_loop().time() + timeout)
        bursts: Mailbox[None] = Mailbox(capacity=1)
        watching = self._tracker.watching(
            self._live, lambda: bursts.put(None, key="changed"), seconds=timeout, pauses=pauses
        )
        await self._engine.call(watching.__aenter__())
        try:
            async with limit:
                while not self._has_ended():
                    await tell()
                    try:
                        await asyncio.wait_for(bursts.take_async(), pauses[min(attempt, len(pauses) - 1)])
                    except TimeoutError:
                        attempt += 1
        except TimeoutError:
            if not limit.expired():
                raise
            assert timeout is not None
            raise self._timed_out(timeout) from None
        finally:
            with contextlib.suppress(ClientClosedError):
                await self._engine.call(watching.__aexit__(None, None, None))
        await tell()
        return self.item

    def _wait_blocking(
        self,
        timeout: float | None = None,
        *,
        poll_interval: PollInterval = POLL_INTERVAL,
        progress_callback: ProgressCallback | None = None,
    ) -> QueueItem:
        """Wait in this thread, and call the handlers and the callback in it."""
        callback = plain_callback(progress_callback)
        pauses = poll_pauses(poll_interval)
        handlers, live = self._handlers, self._live
        deadline = None if timeout is None else time.monotonic() + timeout
        attempt = 0
        bursts: Mailbox[None] = Mailbox(capacity=1)

        def wake() -> None:
            if callback is not None or handlers or live.is_over:
                bursts.put(None, key="changed")

        def tell() -> None:
            handlers.drain()
            if callback is not None:
                callback(self.item)

        watching = self._tracker.watching(live, wake, seconds=timeout, pauses=pauses)
        self._engine.block(watching.__aenter__())
        try:
            while not self._has_ended():
                tell()
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    assert timeout is not None
                    raise self._timed_out(timeout)
                if callback is None:
                    bursts.take(left)
                    continue
                pause = pauses[min(attempt, len(pauses) - 1)]
                attempt += not bursts.take(pause if left is None else min(left, pause))
        finally:
            # When this returns, the handlers' mailboxes contain the run's last event.
            with contextlib.suppress(ClientClosedError):
                self._engine.block(watching.__aexit__(None, None, None))
        handlers.drain()
        item = self.item
        if callback is not None:
            callback(item)
        return item

    async def display(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Wait until the run has ended, and show its progress and previews in the notebook.

        One output below the cell is updated: the progress and the latest preview, and at the end the images or the
        error. Supports Jupyter, VS Code, Colab and marimo. Outside a notebook, the first and the last state are
        printed. Like `wait`, this does not raise if the run fails; call `run.result()` to stop the notebook in that
        case. Interrupting it, by a timeout or by interrupting the kernel, does not affect the run.

        Args:
            timeout: seconds; None waits without a limit.

        Raises:
            RunTimeout: the run had not ended in time.
            InvokeAIError: as for `wait`.

        Example:
            >>> run = wf.submit_sync()
            >>> run.display()
            >>> run.images[0]
        """
        from invokeai_py_client.notebook.output import PAUSE, LiveOutput

        output = LiveOutput()

        async def tell(item: QueueItem) -> None:
            if not item.is_finished:
                output.show(self._html(), self._text())
                await asyncio.sleep(PAUSE)

        try:
            await self.wait(timeout, progress_callback=tell)
            found = await self._engine.call(thumbnails_of(self._http, [image.name for image in self._shown_images()]))
        except BaseException:
            output.show(self._html(note=_LEFT), self._text(), is_last=True)
            raise
        output.show(self._html(found), self._text(), is_last=True)

    def _display_blocking(self, timeout: float | None = None) -> None:
        from invokeai_py_client.notebook.output import PAUSE, LiveOutput

        output = LiveOutput()

        def tell(item: QueueItem) -> None:
            if not item.is_finished:
                output.show(self._html(), self._text())
                time.sleep(PAUSE)

        try:
            self._wait_blocking(timeout, progress_callback=tell)
            found = thumbnails_now(self._engine, self._http, [image.name for image in self._shown_images()])
        except BaseException:
            output.show(self._html(note=_LEFT), self._text(), is_last=True)
            raise
        output.show(self._html(found), self._text(), is_last=True)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the notebook representation: the progress, the error, and the images that arrive within 2 s."""
        from invokeai_py_client.notebook.output import mimebundle

        def html() -> str:
            names = [image.name for image in self._shown_images()]
            return self._html(thumbnails_now(self._engine, self._http, names))

        return mimebundle(html)

    def _html(self, thumbnails: Mapping[str, bytes] = MappingProxyType({}), note: str = "") -> Html:
        """Return the HTML for a notebook, with the images that have thumbnails, or else with the latest preview."""
        from invokeai_py_client.notebook.elements import Picture
        from invokeai_py_client.notebook.views import run_view

        item, message = self.item, ""
        shown = [
            Picture(thumbnails[image.name], "image/webp", f"images[{number}]")
            for number, image in enumerate(self._shown_images() if thumbnails else ())
            if image.name in thumbnails
        ]
        if not item.is_finished:
            reports = [event for event in self._live.history if isinstance(event, GeneratorProgress)]
            message = reports[-1].message if reports else ""
            preview = next((found for event in reversed(reports) if (found := event.preview) is not None), None)
            if preview is not None and not shown:
                # A preview has one pixel per latent. At that width the page would jump when the image replaces it.
                shown = [Picture(preview.content, preview.content_type, width=min(preview.width, 256) or None)]
        return run_view(item, items=self.enqueued, message=message, shown=shown, note=note)

    def _shown_images(self) -> Sequence[AsyncImage]:
        from invokeai_py_client.notebook.views import MOST_PICTURES

        return self.images[:MOST_PICTURES]

    def _text(self) -> str:
        item = self.item
        return f"batch {self.batch_id}: {item.status}, {item.progress_percentage:.0f} %"

    async def result(self, timeout: float | None = None) -> QueueItem:  # noqa: ASYNC109
        """Wait until the run has completed, and raise an error if it failed or was canceled.

        Args:
            timeout: seconds; None waits without a limit.

        Returns:
            The completed item.

        Raises:
            RunFailed: a node raised an error. The exception has the node, and the type, message and traceback of the
                error. For a node of a called workflow, `call_path` has the ids of the call nodes that lead to it.
            RunCanceled: the run was canceled.
            RunTimeout: the run had not ended in time.
            InvokeAIError: as for `wait`.

        Example:
            >>> run.result(timeout=300)
            >>> paths = [image.save("out") for image in run.images]
        """
        return _completed(await self.wait(timeout))

    def _result_blocking(self, timeout: float | None = None) -> QueueItem:
        return _completed(self._wait_blocking(timeout))

    @on_engine
    async def cancel(self) -> None:
        """Cancel the items of the run that have not ended. A wait for it then ends with status `canceled`.

        Items that have ended are not changed.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_by_batch_ids
        Endpoint: PUT /api/v1/queue/{queue_id}/i/{item_id}/cancel (for a single item of a batch)

        Raises:
            InvokeAIError: a request failed.
        """
        state = self._live.state
        with self._tracker.canceling([self._live]):
            if state.only is None:
                await self._http.send(queue.cancel_batches(state.queue_id, [state.batch_id]))
            else:
                for item_id in state.only:
                    await self._http.send(queue.cancel_queue_item(state.queue_id, item_id))

    def stream(self, session_id: str | None = None) -> EventStream:
        """Stream the run's events from its start until it has ended. Past events are included.

        Args:
            session_id: only the events of the item with this session; None for all items.

        Returns:
            A stream for `for` and `async for`. Leaving the loop unsubscribes.

        Raises:
            NotSubmittedError: no item of the run is known to have that session.

        Example:
            >>> for event in run.stream():
            ...     print(event.type)
        """
        item_id = None if session_id is None else self._item_of(session_id)
        return EventStream(
            self._engine,
            lambda mailbox: self._tracker.stream(self._live, mailbox, item_id=item_id),
            self._tracker.losses,
        )

    def _has_session(self, session_id: str) -> bool:
        """Return whether one of the run's items is known to have a session."""
        return self._live.state.item_of_session(session_id) is not None

    def _item_of(self, session_id: str) -> int:
        item_id = self._live.state.item_of_session(session_id)
        if item_id is not None:
            return item_id
        raise NotSubmittedError(
            f"No item of batch {self._live.state.batch_id} is known to have the session {session_id!r}.",
            hint="Pass run.session_id, or omit it to stream the events of all items.",
        )

    @on_engine
    async def fetch_session_id(self) -> str:
        """Return the session id of the first item. Sends one request if no event has contained it yet."""
        view = self._live.state.view()
        if view.session_id is not None:
            return view.session_id
        session_id = (await self._http.send(queue.get_queue_item(view.queue_id, view.item_id))).session_id
        self._live.state.learned_session(view.item_id, session_id)
        return session_id

    @on_engine
    async def fetch_session(self) -> Mapping[str, Any]:
        """Fetch the graph execution state of the first item."""
        view = self._live.state.view()
        return (await self._http.send(queue.get_queue_item(view.queue_id, view.item_id))).session

    def _has_ended(self) -> bool:
        """Return whether the run has ended and its outputs or error are known.

        Raises:
            InvokeAIError: following the run failed permanently.
        """
        failure = self._live.failure
        if failure is not None:
            raise copy.copy(failure)
        return self._snapshot.facts.is_finished

    def _timed_out(self, timeout: float) -> RunTimeout:
        """Return the error for a wait that ended before the run."""
        view = self._live.state.view()
        return RunTimeout(
            f"Item {view.item_id} of batch {view.batch_id} is still {view.status} after {timeout:g} s "
            f"({view.progress_percentage:.0f} %).",
            batch_id=view.batch_id,
            item_id=view.item_id,
            timeout=timeout,
            hint="It continues: wait again, or cancel it with run.cancel() or client.cancel_workflow(item_id).",
        )

    def _presented(self, view: QueueItem) -> QueueItem:
        return replace(view, session_fetcher=lambda: self._engine.block(self.fetch_session()))

    def _names(self) -> Collection[str]:
        """Return the keys of the mapping: some properties of the run, and the keys of its item."""
        return {*_KEYS, *self.item}

    def __getitem__(self, name: str) -> Any:
        """Return the value of a key.

        Raises:
            KeyError: there is no such key.
        """
        return getattr(self, name) if name in _KEYS else self.item[name]

    def _getitem_blocking(self, name: str) -> Any:
        if name == "session_id":
            return self.session_id or self._engine.block(self.fetch_session_id())
        return self[name]

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<AsyncRun {self.batch_id} items={list(self.item_ids)} {self.status}>"


def _completed(item: QueueItem) -> QueueItem:
    """Return a finished item if it has completed.

    Raises:
        RunFailed: a node raised an error.
        RunCanceled: the item was canceled.
    """
    if item.status == "completed":
        return item
    name = f"Item {item.item_id} of batch {item.batch_id}"
    if item.status == "canceled":
        raise RunCanceled(
            f"{name} was canceled" + (f": {item.error}" if item.error else "."),
            batch_id=item.batch_id,
            item_id=item.item_id,
            hint="Submit it again to run it.",
        )
    where = ""
    if item.error_node_id:
        path = NodePath(item.error_node_id, item.error_call_path)
        where = f" at node {str(path)!r} ({item.error_node_type})"
    raise RunFailed(
        f"{name} failed{where}: {(item.error or 'the server gave no reason').removesuffix('.')}.",
        batch_id=item.batch_id,
        item_id=item.item_id,
        error_type=item.error_type,
        error_message=item.error_message,
        error_traceback=item.error_traceback,
        node_id=item.error_node_id,
        node_type=item.error_node_type,
        call_path=item.error_call_path,
        hint="The server's traceback is in `error_traceback`.",
    )


_KEYS = ("batch_id", "queue_id", "item_id", "item_ids", "session_id", "enqueued", "status")
