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
    """One submission: its ids, its state, its end and its images. `Run` blocks, `AsyncRun` (`run.aio`) is awaited.

    It also reads as a mapping: `submission["item_id"]`, `submission.get("batch_id")`. `run["session_id"]` of a `Run`
    is fetched if no event has told it yet.

    Example:
        >>> run = wf.submit_sync()
        >>> run.result(timeout=120)
        >>> [image.save("out") for image in run.images]
    """

    @property
    def batch_id(self) -> str:
        """The batch's id, which the client chose."""
        return self._aio.batch_id

    @property
    def queue_id(self) -> str:
        """The queue it is in."""
        return self._aio.queue_id

    @property
    def item_ids(self) -> tuple[int, ...]:
        """The ids of its queue items, in the order in which they were made."""
        return self._aio.item_ids

    @property
    def item_id(self) -> int:
        """The id of its first, and most often only, queue item.

        Raises:
            NotSubmittedError: its batch is still being submitted, or could not be.
        """
        return self._aio.item_id

    @property
    def enqueued(self) -> int:
        """How many items it has."""
        return self._aio.enqueued

    @property
    def session_id(self) -> str | None:
        """The session id of its first item, None until an event has told it; `fetch_session_id` asks the server."""
        return self._aio.session_id

    @property
    def session_ids(self) -> tuple[str, ...]:
        """The session ids of its items, as far as they are known without asking the server."""
        return self._aio.session_ids

    @property
    def item(self) -> QueueItem:
        """What is known of it now, without asking the server."""
        return self._aio.item

    @property
    def status(self) -> str:
        """`pending`, `in_progress`, `waiting`, `completed`, `failed` or `canceled`."""
        return self._aio.status

    @property
    def progress(self) -> float:
        """The estimated part of its run time that is over, 0..100; see `QueueItem.progress_percentage`."""
        return self._aio.progress

    @property
    def started_at(self) -> str | None:
        """When its first item began, as the server tells it; None before."""
        return self._aio.started_at

    @property
    def children(self) -> tuple[QueueItem, ...]:
        """The items of the workflows that the run calls, and of those that these call, as they are now.

        They are told apart from the run's own items: `item_ids`, `enqueued` and `outputs` do not contain them.

        Example:
            >>> [(child.item_id, child.parent_item_id, child.call_path, child.status) for child in run.children]
            [(319, 318, ('call',), 'completed')]
        """
        return self._aio.children

    @property
    def events(self) -> tuple[Event, ...]:
        """Its events so far. Of very many progress events only the latest 1,000 are kept."""
        return self._aio.events

    @property
    def images(self) -> Sequence[Image]:
        """The images that its output nodes have made so far, in the order of `map_outputs_to_images`."""
        return [Image(each) for each in self._aio.images]

    def wait(
        self,
        timeout: float | None = None,
        *,
        poll_interval: PollInterval = POLL_INTERVAL,
        progress_callback: ProgressCallback | None = None,
    ) -> QueueItem:
        """Wait until the run has ended, however it ended.

        Pushed events end the wait. Giving it up, by a timeout, Ctrl-C or a cancelled task, leaves the run as it is. By
        the time that it returns, the event handlers that are called in this thread or on this loop have seen the run's
        last event, unless awaited handlers take longer than `timeout`.

        Args:
            timeout: seconds; None waits as long as it takes.
            poll_interval: seconds, or a function of the attempt, counted from 0, that returns them:
                `progress_callback` is called at least this often, and the server is asked this often while its socket
                is down. Pushed events wake the wait at once, whatever this is.
            progress_callback: called in the waiting thread, or on the loop that awaits, with the item as it is: at
                first, at each change (several at once count as one), and last with the finished item. What it raises
                ends the wait, not the run. It may be an `async` function where the wait is awaited.

        Returns:
            The finished item, with status `completed`, `failed` or `canceled`.

        Raises:
            RunTimeout: it had not ended in time.
            AuthenticationError: the server no longer accepts the token.
            ProcessorStoppedError: the server's queue processor has died, so that nothing would ever end.
            ClientClosedError: the client was closed meanwhile.
        """
        return self._aio._wait_blocking(timeout, poll_interval=poll_interval, progress_callback=progress_callback)

    def display(self, timeout: float | None = None) -> None:
        """Wait until the run has ended, and show its progress in the notebook meanwhile, with previews.

        One output below the cell is updated: the progress and the latest preview, and at the end the images or the
        error. It works in Jupyter, VS Code, Colab and marimo. Where no notebook runs, the first and the last state are
        printed. Like `wait` it raises nothing if the run fails; call `run.result()` where the notebook is to stop then.
        Giving it up, by a timeout or by interrupting the kernel, leaves the run as it is.

        Args:
            timeout: seconds; None waits as long as it takes.

        Raises:
            RunTimeout: it had not ended in time.
            InvokeAIError: as `wait`.

        Example:
            >>> run = wf.submit_sync()
            >>> run.display()
            >>> run.images[0]
        """
        return self._aio._display_blocking(timeout)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return what a notebook shows: the progress, the error, and the images, if these come soon."""
        return self._aio._repr_mimebundle_(include, exclude)

    def result(self, timeout: float | None = None) -> QueueItem:
        """Wait until the run has completed.

        Returns:
            The completed item.

        Raises:
            RunFailed: a node raised an error; it has the node, the error's type and message, and the traceback. If it
                was a node of a called workflow, they are that node's, and `call_path` says which calls lead to it.
            RunCanceled: it was canceled.
            RunTimeout: it had not ended in time.
        """
        return self._aio._result_blocking(timeout)

    def cancel(self) -> None:
        """Cancel what has not ended of the run; its wait then ends with status `canceled`.

        An item that has ended stays as it is.

        Endpoint: PUT /api/v1/queue/{queue_id}/cancel_by_batch_ids
        Endpoint: PUT /api/v1/queue/{queue_id}/i/{item_id}/cancel (for a single item of a batch)
        """
        return self._aio._engine.block(self._aio.cancel())

    def stream(self, session_id: str | None = None) -> EventStream:
        """The run's events from its start, whenever this is called, until it has ended.

        Args:
            session_id: of the one item that is of interest, where the run has several.

        Raises:
            NotSubmittedError: none of its items has that session.
        """
        return self._aio.stream(session_id)

    def fetch_session_id(self) -> str:
        """Return the session id of the first item: from its events, else from the server (one request)."""
        return self._aio._engine.block(self._aio.fetch_session_id())

    def fetch_session(self) -> Mapping[str, Any]:
        """Fetch the graph execution state of the first item."""
        return self._aio._engine.block(self._aio.fetch_session())

    def _names(self) -> Collection[str]:
        """Return the names of the run's own properties, and of what is known of its item."""
        return self._aio._names()

    def __getitem__(self, name: str) -> Any:
        """What is under a name.

        Raises:
            KeyError: nothing is.
        """
        return self._aio._getitem_blocking(name)

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
