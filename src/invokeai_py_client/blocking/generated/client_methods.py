# Generated from async_client.py by scripts/generate_blocking.py. Do not edit.
"""`ClientMethods`: the methods of `AsyncClient`, blocking."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import invokeai_py_client as public
from invokeai_py_client.runtime.twins import Blocking, read_here
from invokeai_py_client.wire.call import Query


class ClientMethods(Blocking["public.AsyncClient"]):
    """`client.aio`: the client's own methods and its repositories, awaited.

    They may be used from any loop, beside the blocking ones.
    """

    @cached_property
    def app(self) -> public.App:
        """The server itself: version, health, settings, cache."""
        return public.App(self._aio.app)

    @cached_property
    def auth(self) -> public.Auth:
        """Users, and which of them the client is."""
        return public.Auth(self._aio.auth)

    @cached_property
    def board_repo(self) -> public.Boards:
        """The boards."""
        return public.Boards(self._aio.board_repo)

    @cached_property
    def dnn_model_repo(self) -> public.Models:
        """The installed models, and their installation."""
        return public.Models(self._aio.dnn_model_repo)

    @cached_property
    def models(self) -> public.Models:
        """The installed models, and their installation: the same as `dnn_model_repo`."""
        return public.Models(self._aio.models)

    @cached_property
    def image_repo(self) -> public.Images:
        """The images."""
        return public.Images(self._aio.image_repo)

    @cached_property
    def queue(self) -> public.Queue:
        """The default queue."""
        return public.Queue(self._aio.queue)

    @cached_property
    def queue_repo(self) -> public.Queues:
        """All queues, by id."""
        return public.Queues(self._aio.queue_repo)

    @cached_property
    def style_preset_repo(self) -> public.StylePresets:
        """The style presets: prompts around the user's own."""
        return public.StylePresets(self._aio.style_preset_repo)

    @cached_property
    def video_repo(self) -> public.Videos:
        """The videos, of servers from 6.14."""
        return public.Videos(self._aio.video_repo)

    @cached_property
    def workflow_repo(self) -> public.Workflows:
        """Workflows, from files and in the server's library."""
        return public.Workflows(self._aio.workflow_repo)

    def load_plan(self, path: str | os.PathLike[str]) -> public.Plan:
        """Load a plan that `plan.save` has written, on this or another machine, for this server.

        Its rows have the same `row_id` as when it was saved. Models are found by key, else by hash.

        Args:
            path: of the file.

        Returns:
            The plan. A plan that was made with `on_bad_row="skip"` also skips rows that cannot run here.

        Raises:
            PlanError: the file cannot be read, or rows cannot run on this server; it lists every bad cell.
            WorkflowError: the workflow of the plan cannot be used.
            InvokeAIError: as any request.

        Example:
            >>> plan = client.load_plan("cats.plan.json")
        """
        work = self._aio.load_plan(path)
        del path
        return public.Plan(self._aio._engine.block(work))

    def batch_run(
        self, folder: str | os.PathLike[str] | None = None, *, batch_id: str | None = None, queue_id: str = "default"
    ) -> public.BatchRun:
        """Return a batch that was submitted earlier, by this or another program.

        By its `folder`, it goes on where it was: what is in the queue is followed, and what was not sent yet is sent.
        Rows that have failed or were canceled stay so; `retry_failed` runs the failed ones again, and submitting the
        plan to the folder runs again what failed, was canceled, or has lost its files.

        By its `batch_id`, only what is in the queue is followed, and nothing is downloaded. Each item is a row, so one
        that was run again is there more than once. The values of its rows have names such as `noise.seed`, of the
        node's id and the field.

        Endpoint: GET /api/v1/queue/{queue_id}/item_ids, and the queue's lists of items.

        Args:
            folder: the folder of the batch; or
            batch_id: its id, `batch.batch_id`, which a batch with a folder keeps when it goes on.
            queue_id: the queue, for a batch that is found by its id.

        Raises:
            TypeError: not exactly one of folder and id is given.
            BatchFolderError: the folder is in use by another process, or cannot be written.
            PlanError: the folder has no batch, or rows of its plan cannot run on this server.
            NotFoundError: the queue has no item of that batch (any more).
            InvokeAIError: as any request.

        Example:
            >>> client.batch_run("out").wait(progress_callback=print)
        """
        work = self._aio.batch_run(folder, batch_id=batch_id, queue_id=queue_id)
        del folder, batch_id, queue_id
        return public.BatchRun(self._aio._engine.block(work))

    def run(
        self,
        item_id: int | None = None,
        *,
        batch_id: str | None = None,
        session_id: str | None = None,
        queue_id: str = "default",
    ) -> public.Run:
        """Return a run that was submitted earlier, by this or another program.

        The states of all its items, and the outputs of those that have ended, are fetched before this returns. Earlier
        events are not available. The `invocation_complete` of each node that had ended before is told when its item has
        ended, marked `recovered`.

        Endpoint: GET /api/v1/queue/{queue_id}/i/{item_id}, and the queue's lists of items.

        Args:
            item_id: one item; or
            batch_id: a whole batch; or
            session_id: the item of that session, which is looked for from the newest item on.
            queue_id: its queue.

        Raises:
            TypeError: not exactly one of the ids is given, or one of a wrong type, such as a text as `item_id`.
            NotFoundError: the queue has no such item, or none of that batch (any more).
            InvokeAIError: as any request.

        Example:
            >>> client.run(batch_id="5f9c...").wait(timeout=600)
        """
        work = self._aio.run(item_id, batch_id=batch_id, session_id=session_id, queue_id=queue_id)
        del item_id, batch_id, session_id, queue_id
        return public.Run(self._aio._engine.block(work))

    def runs(
        self,
        batch_ids: Iterable[str] | None = None,
        *,
        destination: str | None = None,
        origin: str | None = None,
        queue_id: str = "default",
    ) -> dict[str, public.Run]:
        """Find runs that were submitted earlier, by any program, with one look at the queue.

        Batches that the queue does not have (any more) are left out. So after a crash, this tells which of many
        batches were submitted, however many there are. The states of all items, and the outputs of those that have
        ended, are fetched before this returns.

        Endpoint: GET /api/v1/queue/{queue_id}/item_ids
        Endpoint: POST /api/v1/queue/{queue_id}/item_summaries_by_ids

        Args:
            batch_ids: only these batches.
            destination: only what was submitted with this `destination`.
            origin: only what was submitted with this `origin`.
            queue_id: the queue.

        Returns:
            The runs by batch id, in the order in which they were enqueued.

        Raises:
            TypeError: none of `batch_ids`, `destination` and `origin` is given, or `batch_ids` is a single `str`.
            InvokeAIError: as any request.

        Example:
            >>> runs = client.runs(["5f9c...", "77aa..."])
            >>> [run.wait().status for run in runs.values()]
        """
        work = self._aio.runs(read_here(batch_ids), destination=destination, origin=origin, queue_id=queue_id)
        del batch_ids, destination, origin, queue_id
        return {key: public.Run(each) for key, each in self._aio._engine.block(work).items()}

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Query | None = None,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,
    ) -> public.Response:
        """Send a request to any route of the server; a bad answer raises the same errors as everywhere.

        `repositories/raw.py` has the table of the few routes that mean more here than on the server.

        Args:
            method: the HTTP method. GET, HEAD, OPTIONS and DELETE are sent again after a transient failure; any other
                only if the server has certainly not carried it out. A DELETE whose repeat finds nothing more has
                succeeded: its response has the status 204.
            path: below the server's root, such as `/api/v2/custom_nodes/`; it may have a query.
            json: the body. Where its names, or those of the query, speak of a token, password or secret, errors quote
                neither.
            params: the query, or more of it; of a list each is sent.
            headers: sent beside the client's own, and in place of one of the same name: `Authorization`, say.
            timeout: seconds, in place of the client's.

        Returns:
            The answer, with `.json()`, `.status_code`, `.content`, `.text` and `.headers`.

        Raises:
            UnsafePathError: the path is a whole URL, or has control characters.
            InvalidRequestError: HTTP cannot carry the method, the query or a header.
            RequestBodyError: the body cannot be written as JSON.
            TransportError: the server cannot be reached, or redirects to another one.
            ApiError: a status of 400 or more, by kind.

        Example:
            >>> client.request("GET", "/api/v2/custom_nodes/").json()["node_packs"]
        """
        work = self._aio.request(method, path, json=read_here(json), params=params, headers=headers, timeout=timeout)
        del method, path, json, params, headers, timeout
        return self._aio._engine.block(work)

    def stream_queue_events(self, queue_id: str = "default") -> public.EventStream:
        """Every event of a queue, whose ever it is, for `for` and for `async for`. It has no end.

        It begins when a `with` or `async with` of it is entered, else with the first event that is asked for. A
        `reconnected` tells that the socket was away, and that what came then is missing.

        What the client has no type for comes as `UnknownEvent`, with the server's `name` and `raw`.

        Example:
            >>> for event in client.stream_queue_events():
            ...     print(event.type)
        """
        return self._aio.stream_queue_events(queue_id)

    def temporary_images(self) -> public.TemporaryImages:
        """Return a block, for `with` or `async with`, whose images are deleted when it is left.

        Deleted is what is uploaded inside, and what the runs that are submitted inside have made; see
        `TemporaryImages`.

        Endpoint: POST /api/v1/images/delete

        Example:
            >>> with client.temporary_images():
            ...     wf.inputs["Image"].value = client.image_repo.upload_image("photo.png")
            ...     wf.submit_sync().result()
        """
        return self._aio.temporary_images()

    def on_connection(self, handler: Callable[[public.ConnectionChange], Any]) -> Callable[[], None]:
        """Call `handler` when the socket comes and goes: `connected`, `disconnected` (why), `reconnected`.

        It is called on the loop that runs when it is registered, or, where none does, on a thread of its own, which
        ends when the client is closed. The socket is opened by the first submission, stream or re-attached run.

        Args:
            handler: a function, or an `async` one. What it raises is logged once.

        Returns:
            A function that ends it.
        """
        return self._aio.on_connection(handler)

    def stats(self) -> public.ClientStats:
        """Counts since the client was made: events, losses of slow consumers, reconnects, requests."""
        return self._aio.stats()

    def cancel_workflow(self, item_id: int, queue_id: str = "default") -> public.QueueItemRecord:
        """Cancel a queue item; one that has ended stays as it is.

        Endpoint: PUT /api/v1/queue/{queue_id}/i/{item_id}/cancel

        Args:
            item_id: `submission["item_id"]`.
            queue_id: its queue.

        Returns:
            The item as it is now.

        Raises:
            NotFoundError: the queue has no such item (any more).
        """
        work = self._aio.cancel_workflow(item_id, queue_id)
        del item_id, queue_id
        return self._aio._engine.block(work)

    def health_check(self, timeout: float | None = None) -> public.Health:
        """`client.app.health_check`."""
        work = self._aio.health_check(timeout)
        del timeout
        return self._aio._engine.block(work)

    def wait_until_ready(self, timeout: float = 60.0) -> str:
        """`client.app.wait_until_ready`."""
        work = self._aio.wait_until_ready(timeout)
        del timeout
        return self._aio._engine.block(work)

    def schema_drift(self) -> list[public.Drift]:
        """`client.app.schema_drift`."""
        return self._aio._engine.block(self._aio.schema_drift())

    def delete_image(self, image_name: public.ImageLike) -> str:
        """`client.image_repo.delete_image`."""
        work = self._aio.delete_image(image_name)
        del image_name
        return self._aio._engine.block(work)

    def _make_request(
        self,
        method: str,
        endpoint: str,
        *,
        json: Any = None,
        params: Query | None = None,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,
    ) -> public.Response:
        """`request` for a route below `/api/v1`, such as `/queue/default/status`."""
        work = self._aio._make_request(
            method, endpoint, json=read_here(json), params=params, headers=headers, timeout=timeout
        )
        del method, endpoint, json, params, headers, timeout
        return self._aio._engine.block(work)
