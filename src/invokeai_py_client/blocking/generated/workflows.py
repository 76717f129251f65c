# Generated from repositories/workflows.py by scripts/generate_blocking.py. Do not edit.
"""`Workflows`: the methods of `AsyncWorkflows`, blocking."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from invokeai_py_client.blocking.workflow_handle import WorkflowHandle
from invokeai_py_client.repositories.workflows import AsyncWorkflows
from invokeai_py_client.runtime.twins import Blocking, read_here
from invokeai_py_client.wire import records
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.templates import NodeTemplates


class Workflows(Blocking[AsyncWorkflows]):
    """Workflows from files and in the server's library: `client.workflow_repo`, awaited `client.aio.workflow_repo`.

    Example:
        >>> wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file("tiger.json"))
    """

    def create_workflow(self, definition: WorkflowDefinition | str) -> WorkflowHandle:
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
        work = self._aio.create_workflow(definition)
        del definition
        return WorkflowHandle(self._aio._engine.block(work))

    def create_workflow_from_file(self, filepath: str | os.PathLike[str]) -> WorkflowHandle:
        """Call `create_workflow` with `WorkflowDefinition.from_file(filepath)`."""
        work = self._aio.create_workflow_from_file(filepath)
        del filepath
        return WorkflowHandle(self._aio._engine.block(work))

    def create_workflow_from_dict(self, data: Mapping[str, Any]) -> WorkflowHandle:
        """Call `create_workflow` with `WorkflowDefinition.from_dict(data)`."""
        work = self._aio.create_workflow_from_dict(data)
        del data
        return WorkflowHandle(self._aio._engine.block(work))

    def get_templates(self) -> NodeTemplates:
        """Return the templates of the server's nodes. They are fetched once per client.

        Endpoint: GET /openapi.json

        Raises:
            TransportError: the server cannot be reached.
            NotInvokeAIError: the responding server is not an InvokeAI server.
            AnswerTooLargeError: the document is far larger than that of any InvokeAI server.
        """
        return self._aio._engine.block(self._aio.get_templates())

    def list_available_workflows(
        self, query: str | None = None, *, tags: str | Sequence[str] = (), category: str | None = None
    ) -> list[records.workflows.WorkflowSummary]:
        """Return the workflows of the server's library.

        Endpoint: GET /api/v1/workflows/ (page by page)

        Args:
            query: only workflows whose name, description or tags contain this text.
            tags: only workflows with at least one of these tags.
            category: `user` for workflows of users, `default` for those included with the server; None for both.
        """
        work = self._aio.list_available_workflows(query, tags=read_here(tags), category=category)
        del query, tags, category
        return self._aio._engine.block(work)

    def list_tags(self) -> list[str]:
        """Return all tags of the library's workflows.

        Endpoint: GET /api/v1/workflows/tags
        """
        return self._aio._engine.block(self._aio.list_tags())

    def download_workflow(self, workflow_id: str) -> WorkflowDefinition:
        """Return a workflow of the server's library as a document.

        Endpoint: GET /api/v1/workflows/i/{workflow_id}

        Args:
            workflow_id: the id or the name of the workflow.

        Raises:
            NotFoundError: the library has no such workflow.
            AmbiguousNameError: the library has several workflows with that name.
            ForbiddenError: it belongs to another user and is not shared.
        """
        work = self._aio.download_workflow(workflow_id)
        del workflow_id
        return self._aio._engine.block(work)

    def upload_workflow(self, definition: WorkflowDefinition, overwrite: bool = False) -> str:
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
        work = self._aio.upload_workflow(definition, overwrite)
        del definition, overwrite
        return self._aio._engine.block(work)

    def update_workflow(self, workflow_id: str, definition: WorkflowDefinition) -> str:
        """Replace one of the user's workflows in the server's library.

        Endpoint: PATCH /api/v1/workflows/i/{workflow_id}

        Returns:
            The id of the workflow.

        Raises:
            NotFoundError: the library has no such workflow.
            RejectedError: it is included with the server, and cannot be changed.
        """
        work = self._aio.update_workflow(workflow_id, definition)
        del workflow_id, definition
        return self._aio._engine.block(work)

    def delete_workflow(self, workflow_id: str) -> str:
        """Permanently delete one of the user's workflows from the server's library; return its id.

        Endpoint: DELETE /api/v1/workflows/i/{workflow_id}

        Raises:
            NotFoundError: the library has no such workflow.
            RejectedError: it is included with the server, and cannot be deleted.
        """
        work = self._aio.delete_workflow(workflow_id)
        del workflow_id
        return self._aio._engine.block(work)

    def set_public(self, workflow_id: str, is_public: bool) -> None:
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
        work = self._aio.set_public(workflow_id, is_public)
        del workflow_id, is_public
        return self._aio._engine.block(work)

    def get_thumbnail(self, workflow_id: str) -> bytes:
        """Return the picture of a workflow in the library, as an image file.

        Endpoint: GET /api/v1/workflows/i/{workflow_id}/thumbnail

        Raises:
            NotFoundError: there is no such workflow, or it has no picture.
        """
        work = self._aio.get_thumbnail(workflow_id)
        del workflow_id
        return self._aio._engine.block(work)

    def set_thumbnail(self, workflow_id: str, image: str | os.PathLike[str] | bytes) -> None:
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
        work = self._aio.set_thumbnail(workflow_id, image)
        del workflow_id, image
        return self._aio._engine.block(work)

    def delete_thumbnail(self, workflow_id: str) -> None:
        """Remove the picture of a workflow in the library.

        Endpoint: DELETE /api/v1/workflows/i/{workflow_id}/thumbnail

        Raises:
            NotFoundError: there is no such workflow, or it has no picture.
        """
        work = self._aio.delete_thumbnail(workflow_id)
        del workflow_id
        return self._aio._engine.block(work)
