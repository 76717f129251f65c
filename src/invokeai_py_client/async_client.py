"""The awaited client of one server, `client.aio`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import invokeai_py_client as public
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.live.queue_reads import item_id_of
from invokeai_py_client.live.state.queue_item import QueueItem, called_results, own_results
from invokeai_py_client.live.tracked_run import TrackedRun
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.runtime.delivery import Delivery
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.secret import Secret
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Query

if TYPE_CHECKING:
    from invokeai_py_client.catalog import Catalog
    from invokeai_py_client.repositories.raw import RawRequests
    from invokeai_py_client.workflow.templates import NodeTemplates

# `public` imports a module when one of its names is first used, so unused modules are never imported.


class AsyncClient(FixedAttributes):
    """The awaited form of `InvokeAIClient`, as `client.aio`, with the same methods and repositories.

    It may be used on any event loop, and together with the blocking client.
    """

    def __init__(self, engine: Engine, http: HttpTransport, tracker: RunTracker) -> None:
        self._engine = engine
        self._http = http
        self._tracker = tracker

    @cached_property
    def _catalog(self) -> Catalog:
        from invokeai_py_client.catalog import Catalog

        catalog = Catalog(self._http, self._engine)
        self._http.on_exchange.append(catalog.forget_changed)
        return catalog

    @cached_property
    def _raw(self) -> RawRequests:
        from invokeai_py_client.repositories.raw import RawRequests

        return RawRequests(self._http, self._tracker, self.queue_repo.get_queue)

    @cached_property
    def app(self) -> public.AsyncApp:
        """The server's version, health, settings and caches."""
        return public.AsyncApp(self._engine, self._http)

    @cached_property
    def auth(self) -> public.AsyncAuth:
        """Login, and the users of a multi-user server."""
        return public.AsyncAuth(self._engine, self._http, self._tracker)

    @cached_property
    def board_repo(self) -> public.AsyncBoards:
        """The boards."""
        return public.AsyncBoards(self._engine, self._http, self._catalog, self.image_repo)

    @cached_property
    def dnn_model_repo(self) -> public.AsyncModels:
        """The installed models, and their installation."""
        return public.AsyncModels(self._engine, self._http, self._tracker)

    @property
    def models(self) -> public.AsyncModels:
        """The installed models, and their installation; another name for `dnn_model_repo`."""
        return self.dnn_model_repo

    @cached_property
    def image_repo(self) -> public.AsyncImages:
        """The images."""
        return public.AsyncImages(self._engine, self._http, self._tracker, self._catalog)

    @property
    def queue(self) -> public.AsyncQueue:
        """The default queue."""
        return self.queue_repo.get_queue()

    @cached_property
    def queue_repo(self) -> public.AsyncQueues:
        """All queues, by id."""
        return public.AsyncQueues(lambda queue_id: public.AsyncQueue(self._engine, self._http, self._tracker, queue_id))

    @cached_property
    def style_preset_repo(self) -> public.AsyncStylePresets:
        """The style presets, which are templates for prompts."""
        return public.AsyncStylePresets(self._engine, self._http)

    @cached_property
    def video_repo(self) -> public.AsyncVideos:
        """The videos; needs InvokeAI 6.14 or later."""
        return public.AsyncVideos(self._engine, self._http, self._catalog)

    @cached_property
    def workflow_repo(self) -> public.AsyncWorkflows:
        """Workflows, from files and in the server's library."""
        return public.AsyncWorkflows(self._engine, self._http, self._make_handle)

    async def _make_handle(
        self, definition: public.WorkflowDefinition, templates: NodeTemplates
    ) -> public.AsyncWorkflowHandle:
        called = await self._catalog.workflows_called_by(definition, templates)

        def make() -> public.AsyncWorkflowHandle:
            return public.AsyncWorkflowHandle(
                definition, templates, self._engine, self._http, self._tracker, self._catalog, called
            )

        # In a thread, because a large workflow would block the engine, and with it all other calls of the client.
        return await asyncio.to_thread(make) if definition.is_large else make()

    @on_engine
    async def load_plan(self, path: str | os.PathLike[str]) -> public.AsyncPlan:
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
        from invokeai_py_client.batch.plan_file import read_plan

        saved = await asyncio.to_thread(read_plan, path)
        handle = await self.workflow_repo.create_workflow(saved.definition)
        return await handle._restored_plan(saved)

    @on_engine
    async def batch_run(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        batch_id: str | None = None,
        queue_id: str = "default",
    ) -> public.AsyncBatchRun:
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
        if (folder is None) == (batch_id is None):
            raise TypeError("batch_run() takes either a folder or a batch_id")
        if batch_id is not None:
            from invokeai_py_client.batch.attached import follow_batch

            return await follow_batch(self._engine, self._http, self._tracker, queue_id, batch_id)
        from invokeai_py_client.batch.folder import batch_folder, plan_path

        assert folder is not None
        where = batch_folder(folder)
        plan = await self.load_plan(plan_path(where))
        return await plan._begin(where, None)

    @on_engine
    async def run(
        self,
        item_id: int | None = None,
        *,
        batch_id: str | None = None,
        session_id: str | None = None,
        queue_id: str = "default",
    ) -> public.AsyncRun:
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
        if sum(given is not None for given in (item_id, batch_id, session_id)) != 1:
            raise TypeError("run() takes exactly one of item_id, batch_id and session_id")
        if item_id is not None:
            item_id = item_id_of(item_id)
        for name, given in (("batch_id", batch_id), ("session_id", session_id)):
            if not isinstance(given, str | None):
                raise TypeError(f"{name} must be a str, not {type(given).__name__} ({given!r})")
        live = await self._tracker.attacher.attach(queue_id, item_id=item_id, batch_id=batch_id, session_id=session_id)
        return self._run_of(live)

    @on_engine
    async def runs(
        self,
        batch_ids: Iterable[str] | None = None,
        *,
        destination: str | None = None,
        origin: str | None = None,
        queue_id: str = "default",
    ) -> dict[str, public.AsyncRun]:
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
        if batch_ids is None and destination is None and origin is None:
            raise TypeError("runs() takes batch_ids, a destination or an origin")
        if isinstance(batch_ids, str):
            raise TypeError("batch_ids must be several ids; run(batch_id=...) takes a single one")
        found = await self._tracker.attacher.attach_many(
            queue_id,
            batch_ids=None if batch_ids is None else [*batch_ids],
            destination=destination,
            origin=origin,
        )
        return {batch_id: self._run_of(live) for batch_id, live in found.items()}

    def _run_of(self, live: TrackedRun) -> public.AsyncRun:
        def images_of(item: QueueItem) -> list[public.AsyncImage]:
            from invokeai_py_client.workflow.outputs import images_in

            made = images_in((*own_results(item), *called_results(item)))
            return [public.AsyncImage(self._engine, self._http, name, node) for name, node in made.items()]

        return public.AsyncRun(self._engine, self._http, self._tracker, live, images_of)

    @on_engine
    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Query | None = None,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
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
        from invokeai_py_client.repositories.raw_call import hidden

        # Hides possible secrets from the frames of tracebacks.
        json, params, headers = hidden(json, path), hidden(params, path), hidden(headers)
        path = Secret(path).reveal() if isinstance(path, str) else path
        return await self._raw.send(method, path, body=json, params=params, headers=headers, timeout=timeout)

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
        tracker = self._tracker
        return public.EventStream(self._engine, lambda mailbox: tracker.stream_queue(queue_id, mailbox), tracker.losses)

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
        return public.TemporaryImages(self._engine, self._http, self.image_repo, self.runs)

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
        delivery = Delivery(handler, own_thread=True, losses=self._tracker.losses)
        self._tracker.listener.connection.add(delivery.mailbox)
        return delivery.close

    def stats(self) -> public.ClientStats:
        """Return counters since the client was created: events, events lost by slow consumers, reconnects, requests."""
        from invokeai_py_client.live.stats import client_stats

        return client_stats(self._http, self._tracker)

    # Names of client 1.1 and of the documentation of execution modes, for methods of repositories.

    @on_engine
    async def cancel_workflow(self, item_id: int, queue_id: str = "default") -> public.QueueItemRecord:
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
        return await self.queue_repo.get_queue(queue_id).cancel_item(item_id)

    @on_engine
    async def health_check(self, timeout: float | None = None) -> public.Health:  # noqa: ASYNC109
        """Call `client.app.health_check`."""
        return await self.app.health_check(timeout)

    @on_engine
    async def wait_until_ready(self, timeout: float = 60.0) -> str:  # noqa: ASYNC109
        """Call `client.app.wait_until_ready`."""
        return await self.app.wait_until_ready(timeout)

    @on_engine
    async def schema_drift(self) -> list[public.Drift]:
        """Call `client.app.schema_drift`."""
        return await self.app.schema_drift()

    @on_engine
    async def delete_image(self, image_name: public.ImageLike) -> str:
        """Call `client.image_repo.delete_image`."""
        return await self.image_repo.delete_image(image_name)

    @on_engine
    async def _make_request(
        self,
        method: str,
        endpoint: str,
        *,
        json: Any = None,
        params: Query | None = None,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> public.Response:
        """Call `request` with a path below `/api/v1`, such as `/queue/default/status`."""
        from invokeai_py_client.repositories.raw_call import hidden

        json, params, headers = hidden(json, endpoint), hidden(params, endpoint), hidden(headers)
        endpoint = Secret(endpoint).reveal()
        return await self.request(
            method, "/api/v1/" + endpoint.lstrip("/"), json=json, params=params, headers=headers, timeout=timeout
        )
