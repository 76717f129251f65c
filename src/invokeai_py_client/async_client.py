"""`client.aio`: one server, and everything that can be done with it, awaited."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import invokeai_py_client as public
from invokeai_py_client.files import path_of
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

# `public` imports the module of a name when the name is first used: what a program does not use costs it nothing.


class AsyncClient(FixedAttributes):
    """`client.aio`: the client's own methods and its repositories, awaited.

    They may be used from any loop, beside the blocking ones.
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
        """The server itself: version, health, settings, cache."""
        return public.AsyncApp(self._engine, self._http)

    @cached_property
    def auth(self) -> public.AsyncAuth:
        """Users, and which of them the client is."""
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
        """The installed models, and their installation: the same as `dnn_model_repo`."""
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
        """The style presets: prompts around the user's own."""
        return public.AsyncStylePresets(self._engine, self._http)

    @cached_property
    def video_repo(self) -> public.AsyncVideos:
        """The videos, of servers from 6.14."""
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

        # All other calls of the client wait for the engine.
        return await asyncio.to_thread(make) if definition.is_large else make()

    @on_engine
    async def load_plan(self, path: str | os.PathLike[str]) -> public.AsyncPlan:
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
        if (folder is None) == (batch_id is None):
            raise TypeError("batch_run() takes either a folder or a batch_id")
        if batch_id is not None:
            from invokeai_py_client.batch.attached import follow_batch

            return await follow_batch(self._engine, self._http, self._tracker, queue_id, batch_id)
        from invokeai_py_client.batch.folder import plan_path

        assert folder is not None
        where = path_of(folder).absolute()
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
        from invokeai_py_client.repositories.raw_call import hidden

        # So that no frame of a traceback shows what may be secret in them.
        json, params, headers = hidden(json, path), hidden(params, path), hidden(headers)
        path = Secret(path).reveal() if isinstance(path, str) else path
        return await self._raw.send(method, path, body=json, params=params, headers=headers, timeout=timeout)

    def stream_queue_events(self, queue_id: str = "default") -> public.EventStream:
        """Every event of a queue, whose ever it is, for `for` and for `async for`. It has no end.

        It begins when a `with` or `async with` of it is entered, else with the first event that is asked for. A
        `reconnected` tells that the socket was away, and that what came then is missing.

        What the client has no type for comes as `UnknownEvent`, with the server's `name` and `raw`.

        Example:
            >>> for event in client.stream_queue_events():
            ...     print(event.type)
        """
        tracker = self._tracker
        return public.EventStream(self._engine, lambda mailbox: tracker.stream_queue(queue_id, mailbox), tracker.losses)

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
        return public.TemporaryImages(self._engine, self._http, self.image_repo, self.runs)

    def on_connection(self, handler: Callable[[public.ConnectionChange], Any]) -> Callable[[], None]:
        """Call `handler` when the socket comes and goes: `connected`, `disconnected` (why), `reconnected`.

        It is called on the loop that runs when it is registered, or, where none does, on a thread of its own, which
        ends when the client is closed. The socket is opened by the first submission, stream or re-attached run.

        Args:
            handler: a function, or an `async` one. What it raises is logged once.

        Returns:
            A function that ends it.
        """
        delivery = Delivery(handler, own_thread=True, losses=self._tracker.losses)
        self._tracker.listener.connection.add(delivery.mailbox)
        return delivery.close

    def stats(self) -> public.ClientStats:
        """Counts since the client was made: events, losses of slow consumers, reconnects, requests."""
        from invokeai_py_client.live.stats import client_stats

        return client_stats(self._http, self._tracker)

    # Names of the earlier client and of the page on execution modes, for what repositories do.

    @on_engine
    async def cancel_workflow(self, item_id: int, queue_id: str = "default") -> public.QueueItemRecord:
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
        return await self.queue_repo.get_queue(queue_id).cancel_item(item_id)

    @on_engine
    async def health_check(self, timeout: float | None = None) -> public.Health:  # noqa: ASYNC109
        """`client.app.health_check`."""
        return await self.app.health_check(timeout)

    @on_engine
    async def wait_until_ready(self, timeout: float = 60.0) -> str:  # noqa: ASYNC109
        """`client.app.wait_until_ready`."""
        return await self.app.wait_until_ready(timeout)

    @on_engine
    async def schema_drift(self) -> list[public.Drift]:
        """`client.app.schema_drift`."""
        return await self.app.schema_drift()

    @on_engine
    async def delete_image(self, image_name: public.ImageLike) -> str:
        """`client.image_repo.delete_image`."""
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
        """`request` for a route below `/api/v1`, such as `/queue/default/status`."""
        from invokeai_py_client.repositories.raw_call import hidden

        json, params, headers = hidden(json, endpoint), hidden(params, endpoint), hidden(headers)
        endpoint = Secret(endpoint).reveal()
        return await self.request(
            method, "/api/v1/" + endpoint.lstrip("/"), json=json, params=params, headers=headers, timeout=timeout
        )
