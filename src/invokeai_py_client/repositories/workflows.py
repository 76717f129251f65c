"""`client.workflow_repo`: workflows from files and in the server's library."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from invokeai_py_client.errors import (
    NotFoundError,
    RejectedError,
    UnsafePathError,
)
from invokeai_py_client.files import image_type_of, path_of
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.repositories.server_version import server_version
from invokeai_py_client.repositories.template_cache import load_templates
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.single_flight import SingleFlight
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transport.error_responses import not_there
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire import calls, records
from invokeai_py_client.wire.call import Call, Response
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.templates import NodeTemplates
from invokeai_py_client.workflow_handle import AsyncWorkflowHandle

_PER_PAGE = 100

HandleMaker = Callable[[WorkflowDefinition, NodeTemplates], Awaitable[AsyncWorkflowHandle]]


class AsyncWorkflows(FixedAttributes):
    """Workflows from files and in the server's library: `client.workflow_repo`, awaited `client.aio.workflow_repo`.

    Example:
        >>> wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file("tiger.json"))
    """

    def __init__(self, engine: Engine, http: HttpTransport, make_handle: HandleMaker) -> None:
        self._engine = engine
        self._http = http
        self._make_handle = make_handle
        self._templates: SingleFlight[NodeTemplates] = SingleFlight(engine)
        http.on_exchange.append(self._forget_changed_nodes)

    @on_engine
    async def create_workflow(self, definition: WorkflowDefinition | str) -> AsyncWorkflowHandle:
        """Create a workflow handle, which can be run on this server.

        The first call fetches the server's node templates. If the workflow calls saved workflows, these are fetched,
        and the inputs that they expose become inputs of the call nodes, as in the web UI:
        `wf.inputs["call node", "saved_workflow_input::<node id>::<field name>"]`.

        Endpoint: GET /openapi.json
        Endpoint: GET /api/v1/workflows/i/{workflow_id}

        Args:
            definition: the document, which several handles can share; or the id or name of a workflow in the server's
                library.

        Returns:
            A handle with its own values.

        Raises:
            NotFoundError: the library has no such workflow.
            AmbiguousNameError: the library has several workflows with that name.
            TransportError: the server cannot be reached.
            NotInvokeAIError: the responding server is not an InvokeAI server.

        Example:
            >>> wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file("workflow.json"))
            >>> wf = client.workflow_repo.create_workflow("Text to Image - SD1.5")
        """
        if isinstance(definition, str):
            definition = await self._download(await self._find(definition))
        return await self._make_handle(_checked(definition), await self.get_templates())

    @on_engine
    async def create_workflow_from_file(self, filepath: str | os.PathLike[str]) -> AsyncWorkflowHandle:
        """Call `create_workflow` with `WorkflowDefinition.from_file(filepath)`."""
        return await self.create_workflow(await asyncio.to_thread(WorkflowDefinition.from_file, filepath))

    @on_engine
    async def create_workflow_from_dict(self, data: Mapping[str, Any]) -> AsyncWorkflowHandle:
        """Call `create_workflow` with `WorkflowDefinition.from_dict(data)`."""
        return await self.create_workflow(await asyncio.to_thread(WorkflowDefinition.from_dict, data))

    @on_engine
    async def get_templates(self) -> NodeTemplates:
        """Return the templates of the server's nodes. They are fetched once per client.

        Endpoint: GET /openapi.json

        Raises:
            TransportError: the server cannot be reached.
            NotInvokeAIError: the responding server is not an InvokeAI server.
            AnswerTooLargeError: the document is far larger than that of any InvokeAI server.
        """
        return await self._templates.get(self._fetch_templates)

    async def _fetch_templates(self) -> NodeTemplates:
        version = await server_version(self._http)
        document = await self._http.send(calls.app.get_openapi())
        return await asyncio.to_thread(load_templates, version, document, self._http.settings.url)

    def _forget_changed_nodes(self, call: Call[Any], _: Response | None) -> None:
        """Forget the templates when this client installs, removes or reloads node packs."""
        if call.method not in ("GET", "HEAD") and call.path.startswith("/api/v2/custom_nodes"):
            self._templates.forget()

    @on_engine
    async def list_available_workflows(
        self, query: str | None = None, *, tags: str | Sequence[str] = (), category: str | None = None
    ) -> list[records.workflows.WorkflowSummary]:
        """Return the workflows of the server's library.

        Endpoint: GET /api/v1/workflows/ (page by page)

        Args:
            query: only workflows whose name, description or tags contain this text.
            tags: only workflows with at least one of these tags.
            category: `user` for workflows of users, `default` for those included with the server; None for both.
        """
        from invokeai_py_client.repositories.arguments import several

        found: dict[str, records.workflows.WorkflowSummary] = {}
        number, pages = 0, 1
        while number < pages:
            page = await self._http.send(
                calls.workflows.list_workflows(
                    page=number,
                    per_page=_PER_PAGE,
                    query=query,
                    tags=several(tags),
                    categories=() if category is None else (category,),
                )
            )
            # A workflow can move to the next page between two requests, and is then listed twice.
            found.update((summary.workflow_id, summary) for summary in page.workflows)
            number, pages = number + 1, page.pages
        return list(found.values())

    @on_engine
    async def list_tags(self) -> list[str]:
        """Return all tags of the library's workflows.

        Endpoint: GET /api/v1/workflows/tags
        """
        return await self._http.send(calls.workflows.list_tags())

    @on_engine
    async def download_workflow(self, workflow_id: str) -> WorkflowDefinition:
        """Return a workflow of the server's library as a document.

        Endpoint: GET /api/v1/workflows/i/{workflow_id}

        Args:
            workflow_id: the id or the name of the workflow.

        Raises:
            NotFoundError: the library has no such workflow.
            AmbiguousNameError: the library has several workflows with that name.
            ForbiddenError: it belongs to another user and is not shared.
        """
        return await self._download(await self._find(workflow_id))

    @on_engine
    async def upload_workflow(self, definition: WorkflowDefinition, overwrite: bool = False) -> str:
        """Add a workflow to the server's library, as one of the user's workflows.

        Endpoint: POST /api/v1/workflows/

        Args:
            definition: the document.
            overwrite: replace the user's workflow of the same name, if there is one.

        Returns:
            The id of the workflow in the library.

        Raises:
            AmbiguousNameError: `overwrite` is set, and several workflows of the user have that name.
        """
        _checked(definition)
        if overwrite:
            own = await self.list_available_workflows(category="user")
            same = [summary for summary in own if summary.name == definition.name]
            if same:
                one = self._the_one(definition.name, same)
                return await self.update_workflow(one.workflow_id, definition)
        return (await self._http.send(calls.workflows.create_workflow(_as_own(definition)))).workflow_id

    @on_engine
    async def update_workflow(self, workflow_id: str, definition: WorkflowDefinition) -> str:
        """Replace one of the user's workflows in the server's library.

        Endpoint: PATCH /api/v1/workflows/i/{workflow_id}

        Returns:
            The id of the workflow.

        Raises:
            NotFoundError: the library has no such workflow.
            RejectedError: it is included with the server, and cannot be changed.
        """
        _checked(definition)
        await self._check_own(workflow_id)
        return (await self._http.send(calls.workflows.update_workflow(workflow_id, _as_own(definition)))).workflow_id

    @on_engine
    async def delete_workflow(self, workflow_id: str) -> str:
        """Permanently delete one of the user's workflows from the server's library; return its id.

        Endpoint: DELETE /api/v1/workflows/i/{workflow_id}

        Raises:
            NotFoundError: the library has no such workflow.
            RejectedError: it is included with the server, and cannot be deleted.
        """
        await self._check_own(workflow_id)
        await self._http.send(calls.workflows.delete_workflow(workflow_id))
        return workflow_id

    @on_engine
    async def set_public(self, workflow_id: str, is_public: bool) -> None:
        """Share one of the user's workflows with the other users, or stop sharing it.

        Endpoint: PATCH /api/v1/workflows/i/{workflow_id}/is_public (InvokeAI 6.12 or later)

        Args:
            workflow_id: the workflow.
            is_public: whether other users can read the workflow, by its id. Only its owner can change it.

        Raises:
            NotFoundError: the library has no such workflow.
            RejectedError: it is included with the server, so all users see it.
            ForbiddenError: it belongs to another user.
        """
        await self._check_own(workflow_id)
        await self._http.send(calls.workflows.set_public(workflow_id, is_public))

    @on_engine
    async def get_thumbnail(self, workflow_id: str) -> bytes:
        """Return the picture of a workflow in the library, as an image file.

        Endpoint: GET /api/v1/workflows/i/{workflow_id}/thumbnail

        Raises:
            NotFoundError: there is no such workflow, or it has no picture.
        """
        await self._check_has_picture(workflow_id)
        return await self._http.send(calls.workflows.get_thumbnail(workflow_id))

    @on_engine
    async def set_thumbnail(self, workflow_id: str, image: str | os.PathLike[str] | bytes) -> None:
        """Set the picture of a workflow in the library.

        Endpoint: PUT /api/v1/workflows/i/{workflow_id}/thumbnail

        Args:
            workflow_id: the workflow.
            image: a path, or the content of an image file.

        Raises:
            NotFoundError: there is no such workflow.
            NotAnImageError: the image does not have a known format.
            OSError: the file cannot be read.
        """
        content = image if isinstance(image, bytes) else path_of(image)
        content_type = await asyncio.to_thread(image_type_of, content)
        await self._http.send(calls.workflows.set_thumbnail(workflow_id, content, content_type=content_type))

    @on_engine
    async def delete_thumbnail(self, workflow_id: str) -> None:
        """Remove the picture of a workflow in the library.

        Endpoint: DELETE /api/v1/workflows/i/{workflow_id}/thumbnail

        Raises:
            NotFoundError: there is no such workflow, or it has no picture.
        """
        await self._check_has_picture(workflow_id)
        await self._http.send(calls.workflows.delete_thumbnail(workflow_id))

    async def _find(self, workflow: str) -> str:
        try:
            return self._the_one(workflow, await self.list_available_workflows()).workflow_id
        except NotFoundError:
            # The list lacks workflows that other users share, which can be found by id.
            with contextlib.suppress(NotFoundError, UnsafePathError):
                return (await self._http.send(calls.workflows.get_workflow(workflow))).workflow_id
            raise

    def _the_one(
        self, workflow: str, summaries: Sequence[records.workflows.WorkflowSummary]
    ) -> records.workflows.WorkflowSummary:
        from invokeai_py_client.repositories.arguments import the_one

        return the_one(
            workflow,
            summaries,
            [lambda one: one.workflow_id, lambda one: one.name],
            what="workflow",
            id_of=lambda one: one.workflow_id,
            call=calls.workflows.list_workflows(page=0, per_page=_PER_PAGE),
            http=self._http,
            hint="WorkflowDefinition.from_file() loads a file.",
        )

    async def _download(self, workflow_id: str) -> WorkflowDefinition:
        record = await self._http.send(calls.workflows.get_workflow(workflow_id))
        source = f"workflow {record.name!r} of the library"
        return await asyncio.to_thread(WorkflowDefinition.from_dict, record.workflow, source=source)

    async def _check_has_picture(self, workflow_id: str) -> None:
        """Check that a workflow has a picture; otherwise the server responds with an internal error."""
        call = calls.workflows.get_workflow(workflow_id)
        record = await self._http.send(call)
        if record.get("thumbnail_url") is None:
            raise not_there(
                f"The workflow {record.name!r} ({workflow_id}) has no picture.",
                call,
                self._http,
                hint="Set one with set_thumbnail().",
            )

    async def _check_own(self, workflow_id: str) -> None:
        """Check that a workflow is not one of the server's, for which the server responds with an internal error."""
        call = calls.workflows.get_workflow(workflow_id)
        record = await self._http.send(call)
        if record.workflow.get("meta", {}).get("category") == "default":
            raise RejectedError(
                f"The workflow {record.name!r} ({workflow_id}) is included with the server: it is read-only.",
                status=200,
                method=call.method,
                url=self._http.url_of(call.path),
                hint="Upload a copy: upload_workflow(download_workflow(...)).",
            )


def _checked(definition: WorkflowDefinition) -> WorkflowDefinition:
    if not isinstance(definition, WorkflowDefinition):
        raise TypeError(
            f"the workflow must be a WorkflowDefinition, not {type(definition).__name__}: "
            "create one with WorkflowDefinition.from_file() or .from_dict()"
        )
    return definition


def _as_own(definition: WorkflowDefinition) -> dict[str, Any]:
    """Return the document with the category `user` and without an id, as the server requires for its library."""
    document = definition.to_dict()
    document.pop("id", None)
    document["meta"]["category"] = "user"
    return document
