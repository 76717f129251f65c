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
    """The awaited form of `InvokeAIClient`, as `client.aio`, with the same methods and repositories.

    It may be used on any event loop, and together with the blocking client.
    """

    @cached_property
    def app(self) -> public.App:
        """The server's version, health, settings and caches."""
        return public.App(self._aio.app)

    @cached_property
    def auth(self) -> public.Auth:
        """Login, and the users of a multi-user server."""
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
        """The installed models, and their installation; another name for `dnn_model_repo`."""
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
        """The style presets, which are templates for prompts."""
        return public.StylePresets(self._aio.style_preset_repo)

    @cached_property
    def video_repo(self) -> public.Videos:
        """The videos; needs InvokeAI 6.14 or later."""
        return public.Videos(self._aio.video_repo)

    @cached_property
    def workflow_repo(self) -> public.Workflows:
        """Workflows, from files and in the server's library."""
        return public.Workflows(self._aio.workflow_repo)

    def load_plan(self, path: str | os.PathLike[str]) -> public.Plan:
        """Load a plan that `plan.save` has written, on this or another machine, for this server.

        The rows have the same `row_id` as when the plan was saved. Models are looked up by key, then by hash.

        Args:
            path: the path of the file.

        Returns:
            The plan. A plan that was made with `on_bad_row="skip"` also skips rows that cannot run on this server.

        Raises:
            PlanError: the file cannot be read, or rows cannot run on this server; the error lists every bad cell.
            WorkflowError: the workflow of the plan cannot be used.
            InvokeAIError: a request failed.

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

        With `folder`, the batch is resumed: rows in the queue are followed, and rows that have not been sent are sent.
        Rows that failed or were canceled are not run again; `retry_failed` runs the failed ones again, and submitting
        the plan to the folder again runs all rows that failed, were canceled, or whose files are missing.

        With `batch_id`, the items in the queue are followed, and nothing is sent or downloaded. Each item is a row, so
        one that was run again is there more than once. The values of the rows are named by node id and field, such as
        `noise.seed`.

        Endpoint: GET /api/v1/queue/{queue_id}/item_ids, and the queue's lists of items.

        Args:
            folder: the folder of the batch; or
            batch_id: the id of the batch, `batch.batch_id`; a batch with a folder keeps it when it is resumed.
            queue_id: the queue of the batch; used only with `batch_id`.

        Raises:
            TypeError: not exactly one of `folder` and `batch_id` is given.
            SettingsError: the folder is ''.
            BatchFolderError: the folder is in use by another process, or cannot be written.
            PlanError: the folder has no batch, or rows of its plan cannot run on this server.
            NotFoundError: the queue does not have items of that batch, or no longer.
            InvokeAIError: a request failed.

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
        events are not available, except an `invocation_complete` of each node that had ended before: it is marked
        `recovered`, and comes when the item has ended.

        Endpoint: GET /api/v1/queue/{queue_id}/i/{item_id}, and the queue's lists of items.

        Args:
            item_id: one item; or
            batch_id: a whole batch; or
            session_id: the item with that session; the search begins with the newest item.
            queue_id: the queue.

        Returns:
            The run.

        Raises:
            TypeError: not exactly one of the ids is given, or an id has the wrong type, such as a `str` as `item_id`.
            NotFoundError: the queue does not have the item or the batch, or no longer.
            InvokeAIError: a request failed.

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
        """Return runs that were submitted earlier, by this or another program, with one listing of the queue.

        Batches that are not in the queue are left out, so after a crash this shows which of many batches
        were submitted. The states of all items, and the outputs of those that have ended, are fetched before this
        returns.

        Endpoint: GET /api/v1/queue/{queue_id}/item_ids
        Endpoint: POST /api/v1/queue/{queue_id}/item_summaries_by_ids

        Args:
            batch_ids: only these batches.
            destination: only runs that were submitted with this `destination`.
            origin: only runs that were submitted with this `origin`.
            queue_id: the queue.

        Returns:
            The runs by batch id, in the order in which they were enqueued.

        Raises:
            TypeError: `batch_ids`, `destination` and `origin` are all missing, or `batch_ids` is a single `str`.
            InvokeAIError: a request failed.

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
        """Send a request to any route of the server. Error responses raise the same exceptions as other methods.

        For a few routes the client does more than send the request; they are listed in `repositories/raw.py`.

        Args:
            method: the HTTP method. GET, HEAD, OPTIONS and DELETE are retried after a transient failure; other methods
                only if the server has certainly not carried out the request. If the retry of a DELETE returns 404, the
                DELETE has succeeded, and the response has status 204.
            path: the path below the server's root, such as `/api/v2/custom_nodes/`, optionally with a query.
            json: the body. If a key of the body or of the query contains a word such as token, password or secret,
                errors quote neither of the two.
            params: query parameters, added to those in `path`; a list sends one parameter for each element.
            headers: additional headers; they replace the client's headers of the same name, such as `Authorization`.
            timeout: seconds; None for the client's timeout.

        Returns:
            The response, with `.json()`, `.status_code`, `.content`, `.text` and `.headers`.

        Raises:
            UnsafePathError: the path is a full URL, or contains control characters.
            InvalidRequestError: the method, the query or a header is not valid in HTTP.
            RequestBodyError: the body cannot be encoded as JSON.
            TransportError: the server cannot be reached, or redirects to another server.
            ApiError: the response has a status of 400 or more; the class depends on the status.

        Example:
            >>> client.request("GET", "/api/v2/custom_nodes/").json()["node_packs"]
        """
        work = self._aio.request(method, path, json=read_here(json), params=params, headers=headers, timeout=timeout)
        del method, path, json, params, headers, timeout
        return self._aio._engine.block(work)

    def stream_queue_events(self, queue_id: str = "default") -> public.EventStream:
        """Stream all events of a queue, including those of other clients. The stream does not end by itself.

        The client subscribes when the stream is entered with `with` or `async with`, otherwise when the first event is
        requested. A `reconnected` event means that the socket was disconnected, and that events in between are missing.

        Events of unknown types are returned as `UnknownEvent`, with the server's `name` and `raw`.

        Args:
            queue_id: the queue.

        Returns:
            A stream for `for` and `async for`.

        Example:
            >>> for event in client.stream_queue_events():
            ...     print(event.type)
        """
        return self._aio.stream_queue_events(queue_id)

    def temporary_images(self) -> public.TemporaryImages:
        """Return a context manager, for `with` or `async with`, that deletes the images of its block when it exits.

        It deletes the images that are uploaded in the block, and those made by runs that are submitted in the block;
        see `TemporaryImages`.

        Endpoint: POST /api/v1/images/delete

        Example:
            >>> with client.temporary_images():
            ...     wf.inputs["Image"].value = client.image_repo.upload_image("photo.png")
            ...     wf.submit_sync().result()
        """
        return self._aio.temporary_images()

    def on_connection(self, handler: Callable[[public.ConnectionChange], Any]) -> Callable[[], None]:
        """Call `handler` when the socket is connected, disconnected or reconnected.

        If an event loop is running when the handler is registered, it is called on that loop, otherwise on a separate
        thread, which ends when the client is closed. The socket is opened by the first submission, stream or
        re-attached run.

        Args:
            handler: a function, or an `async` function. An exception that it raises is logged once.

        Returns:
            A function that unregisters the handler.
        """
        return self._aio.on_connection(handler)

    def stats(self) -> public.ClientStats:
        """Return counters since the client was created: events, events lost by slow consumers, reconnects, requests."""
        return self._aio.stats()

    def cancel_workflow(self, item_id: int, queue_id: str = "default") -> public.QueueItemRecord:
        """Cancel a queue item. An item that has ended is not changed.

        Endpoint: PUT /api/v1/queue/{queue_id}/i/{item_id}/cancel

        Args:
            item_id: the id of the item, `run.item_id`.
            queue_id: the queue.

        Returns:
            The current record of the item.

        Raises:
            NotFoundError: the queue does not have the item, or no longer.

        Example:
            >>> client.cancel_workflow(run.item_id).status
            'canceled'
        """
        work = self._aio.cancel_workflow(item_id, queue_id)
        del item_id, queue_id
        return self._aio._engine.block(work)

    def health_check(self, timeout: float | None = None) -> public.Health:
        """Call `client.app.health_check`."""
        work = self._aio.health_check(timeout)
        del timeout
        return self._aio._engine.block(work)

    def wait_until_ready(self, timeout: float = 60.0) -> str:
        """Call `client.app.wait_until_ready`."""
        work = self._aio.wait_until_ready(timeout)
        del timeout
        return self._aio._engine.block(work)

    def schema_drift(self) -> list[public.Drift]:
        """Call `client.app.schema_drift`."""
        return self._aio._engine.block(self._aio.schema_drift())

    def delete_image(self, image_name: public.ImageLike) -> str:
        """Call `client.image_repo.delete_image`."""
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
        """Call `request` with a path below `/api/v1`, such as `/queue/default/status`."""
        work = self._aio._make_request(
            method, endpoint, json=read_here(json), params=params, headers=headers, timeout=timeout
        )
        del method, endpoint, json, params, headers, timeout
        return self._aio._engine.block(work)
