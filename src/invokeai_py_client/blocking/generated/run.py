# Generated from run.py by scripts/generate_blocking.py. Do not edit.
"""`Run`: the methods of `AsyncRun`, blocking."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from invokeai_py_client.blocking.generated.image import Image
from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.live.stream import EventStream
from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.run import POLL_INTERVAL, AsyncRun, PollInterval, ProgressCallback
from invokeai_py_client.runtime.twins import Blocking
from invokeai_py_client.wire.events import Event


class Run(Blocking[AsyncRun], ReadsAsMapping):
    """One submission: its ids, state and images. `Run` blocks, `AsyncRun` (`run.aio`) is awaited.

    A run can also be read as a mapping: `submission["item_id"]`, `submission.get("batch_id")`. `run["session_id"]` of
    a `Run` is fetched if no event has contained it yet.

    Example:
        >>> run = wf.submit_sync()
        >>> run.result(timeout=120)
        >>> [image.save("out") for image in run.images]
    """

    @property
    def batch_id(self) -> str:
        """The id of the batch."""
        return self._aio.batch_id

    @property
    def queue_id(self) -> str:
        """The id of the queue."""
        return self._aio.queue_id

    @property
    def item_ids(self) -> tuple[int, ...]:
        """The ids of the queue items, in the order in which they were created."""
        return self._aio.item_ids

    @property
    def item_id(self) -> int:
        """The id of the first queue item. Most runs have only one.

        Raises:
            NotSubmittedError: the batch is still being submitted, or its submission failed.
        """
        return self._aio.item_id

    @property
    def enqueued(self) -> int:
        """The number of queue items."""
        return self._aio.enqueued

    @property
    def session_id(self) -> str | None:
        """The session id of the first item; None until an event contains it. `fetch_session_id` fetches it."""
        return self._aio.session_id

    @property
    def session_ids(self) -> tuple[str, ...]:
        """The session ids of the items that are known without a request."""
        return self._aio.session_ids

    @property
    def item(self) -> QueueItem:
        """The state of the run as a queue item, without a request."""
        return self._aio.item

    @property
    def status(self) -> str:
        """`pending`, `in_progress`, `waiting`, `completed`, `failed` or `canceled`."""
        return self._aio.status

    @property
    def progress(self) -> float:
        """The estimated progress in percent, from 0 to 100; see `QueueItem.progress_percentage`."""
        return self._aio.progress

    @property
    def started_at(self) -> str | None:
        """The time at which the first item started, as the server formats it; None before that."""
        return self._aio.started_at

    @property
    def children(self) -> tuple[QueueItem, ...]:
        """The current state of the queue items of called workflows, including nested calls.

        `item_ids`, `enqueued` and `outputs` do not include these items.

        Example:
            >>> [(child.item_id, child.parent_item_id, child.call_path, child.status) for child in run.children]
            [(319, 318, ('call',), 'completed')]
        """
        return self._aio.children

    @property
    def events(self) -> tuple[Event, ...]:
        """The events so far. Only the latest 1,000 progress events are kept."""
        return self._aio.events

    @property
    def images(self) -> Sequence[Image]:
        """The images that the output nodes have made so far, in the order of `map_outputs_to_images`."""
        return [Image(each) for each in self._aio.images]

    def wait(
        self,
        timeout: float | None = None,
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
        return self._aio._wait_blocking(timeout, poll_interval=poll_interval, progress_callback=progress_callback)

    def display(self, timeout: float | None = None) -> None:
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
        return self._aio._display_blocking(timeout)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the notebook representation: the progress, the error, and the images that arrive within 2 s."""
        return self._aio._repr_mimebundle_(include, exclude)

    def result(self, timeout: float | None = None) -> QueueItem:
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
        return self._aio._result_blocking(timeout)

    def cancel(self) -> None:
        """Cancel the items of the run that have not ended. A wait for it then ends with status `canceled`.

        Items that have ended are not changed.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_by_batch_ids
        Endpoint: PUT /api/v1/queue/{queue_id}/i/{item_id}/cancel (for a single item of a batch)

        Raises:
            InvokeAIError: a request failed.
        """
        return self._aio._engine.block(self._aio.cancel())

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
        return self._aio.stream(session_id)

    def fetch_session_id(self) -> str:
        """Return the session id of the first item. Sends one request if no event has contained it yet."""
        return self._aio._engine.block(self._aio.fetch_session_id())

    def fetch_session(self) -> Mapping[str, Any]:
        """Fetch the graph execution state of the first item."""
        return self._aio._engine.block(self._aio.fetch_session())

    def _names(self) -> Collection[str]:
        """Return the keys of the mapping: some properties of the run, and the keys of its item."""
        return self._aio._names()

    def __getitem__(self, name: str) -> Any:
        """Return the value of a key.

        Raises:
            KeyError: there is no such key.
        """
        return self._aio._getitem_blocking(name)

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
