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
    """Workflows, from files and in the server's library: `client.workflow_repo`, awaited `client.aio.workflow_repo`.

    Example:
        >>> wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file("tiger.json"))
    """

    def create_workflow(self, definition: WorkflowDefinition | str) -> WorkflowHandle:
        """Make a workflow that can be run on this server.

        The first call reads the server's node templates, which are then kept. If the workflow calls saved workflows,
        these are fetched, and the inputs that they expose become inputs of the call nodes, as in the web UI:
        `wf.inputs["call node", "saved_workflow_input::<node id>::<field name>"]`.

        Endpoint: GET /openapi.json
        Endpoint: GET /api/v1/workflows/i/{workflow_id}

        Args:
            definition: the document, which many handles may share; or the id or name of a workflow in the server's
                library.

        Returns:
            A handle with values of its own.

        Raises:
            NotFoundError: the library has no such workflow.
            AmbiguousNameError: it has several of that name.
            TransportError: nothing can be reached at the server's address.
            NotInvokeAIError: what answers there is no InvokeAI server.
        """
        work = self._aio.create_workflow(definition)
        del definition
        return WorkflowHandle(self._aio._engine.block(work))

    def create_workflow_from_file(self, filepath: str | os.PathLike[str]) -> WorkflowHandle:
        """`create_workflow` of `WorkflowDefinition.from_file(filepath)`."""
        work = self._aio.create_workflow_from_file(filepath)
        del filepath
        return WorkflowHandle(self._aio._engine.block(work))

    def create_workflow_from_dict(self, data: Mapping[str, Any]) -> WorkflowHandle:
        """`create_workflow` of `WorkflowDefinition.from_dict(data)`."""
        work = self._aio.create_workflow_from_dict(data)
        del data
        return WorkflowHandle(self._aio._engine.block(work))

    def get_templates(self) -> NodeTemplates:
        """Return the templates of the server's nodes. They are fetched once for a client, however many ask at once.

        Endpoint: GET /openapi.json

        Raises:
            TransportError: nothing can be reached at the server's address.
            NotInvokeAIError: what answers there is not an InvokeAI server.
            AnswerTooLargeError: the document is far larger than that of any InvokeAI server.
        """
        return self._aio._engine.block(self._aio.get_templates())

    def list_available_workflows(
        self, query: str | None = None, *, tags: str | Sequence[str] = (), category: str | None = None
    ) -> list[records.workflows.WorkflowSummary]:
        """The workflows of the server's library.

        Endpoint: GET /api/v1/workflows/ (page by page)

        Args:
            query: only those in whose name, description or tags this occurs.
            tags: only those with at least one of these tags.
            category: `user` for the users' own, `default` for those that came with the server; None for both.
        """
        work = self._aio.list_available_workflows(query, tags=read_here(tags), category=category)
        del query, tags, category
        return self._aio._engine.block(work)

    def list_tags(self) -> list[str]:
        """Every tag of the library's workflows.

        Endpoint: GET /api/v1/workflows/tags
        """
        return self._aio._engine.block(self._aio.list_tags())

    def download_workflow(self, workflow_id: str) -> WorkflowDefinition:
        """A workflow of the server's library, as a file of it would be.

        Endpoint: GET /api/v1/workflows/i/{workflow_id}

        Args:
            workflow_id: its id, or its name.

        Raises:
            NotFoundError: the library has no such workflow.
            AmbiguousNameError: it has several of that name.
            ForbiddenError: it is another user's, who does not share it.
        """
        work = self._aio.download_workflow(workflow_id)
        del workflow_id
        return self._aio._engine.block(work)

    def upload_workflow(self, definition: WorkflowDefinition, overwrite: bool = False) -> str:
        """Put a workflow into the server's library, as one of the user's own.

        Endpoint: POST /api/v1/workflows/

        Args:
            definition: the document.
            overwrite: replace the user's workflow of the same name, if there is one.

        Returns:
            Its id.

        Raises:
            AmbiguousNameError: `overwrite`, and several have that name.
        """
        work = self._aio.upload_workflow(definition, overwrite)
        del definition, overwrite
        return self._aio._engine.block(work)

    def update_workflow(self, workflow_id: str, definition: WorkflowDefinition) -> str:
        """Replace a workflow of the user's own in the server's library.

        Endpoint: PATCH /api/v1/workflows/i/{workflow_id}

        Returns:
            Its id.

        Raises:
            NotFoundError: the library has no such workflow.
            RejectedError: it came with the server, and cannot be changed.
        """
        work = self._aio.update_workflow(workflow_id, definition)
        del workflow_id, definition
        return self._aio._engine.block(work)

    def delete_workflow(self, workflow_id: str) -> str:
        """Delete a workflow of the user's own, given by its id, from the server's library, for good; return the id.

        Endpoint: DELETE /api/v1/workflows/i/{workflow_id}

        Raises:
            NotFoundError: the library has no such workflow.
            RejectedError: it came with the server, and cannot be deleted.
        """
        work = self._aio.delete_workflow(workflow_id)
        del workflow_id
        return self._aio._engine.block(work)

    def set_public(self, workflow_id: str, is_public: bool) -> None:
        """Share a workflow of the user's own with the other users, or no longer.

        Endpoint: PATCH /api/v1/workflows/i/{workflow_id}/is_public (InvokeAI 6.12 or later)

        Args:
            workflow_id: the workflow.
            is_public: whether the others may read it, by its id; only who made it may change it.

        Raises:
            NotFoundError: the library has no such workflow.
            RejectedError: it came with the server, and everybody sees it.
            ForbiddenError: it is another user's.
        """
        work = self._aio.set_public(workflow_id, is_public)
        del workflow_id, is_public
        return self._aio._engine.block(work)

    def get_thumbnail(self, workflow_id: str) -> bytes:
        """The picture of a workflow in the library, as an image file.

        Endpoint: GET /api/v1/workflows/i/{workflow_id}/thumbnail

        Raises:
            NotFoundError: there is no such workflow, or it has no picture.
        """
        work = self._aio.get_thumbnail(workflow_id)
        del workflow_id
        return self._aio._engine.block(work)

    def set_thumbnail(self, workflow_id: str, image: str | os.PathLike[str] | bytes) -> None:
        """Give a workflow in the library a picture.

        Endpoint: PUT /api/v1/workflows/i/{workflow_id}/thumbnail

        Args:
            workflow_id: the workflow.
            image: a path, or the content of an image file.

        Raises:
            NotFoundError: there is no such workflow.
            NotAnImageError: it is not an image file of a known kind.
            OSError: it cannot be read.
        """
        work = self._aio.set_thumbnail(workflow_id, image)
        del workflow_id, image
        return self._aio._engine.block(work)

    def delete_thumbnail(self, workflow_id: str) -> None:
        """Take the picture of a workflow in the library away.

        Endpoint: DELETE /api/v1/workflows/i/{workflow_id}/thumbnail

        Raises:
            NotFoundError: there is no such workflow, or it has no picture.
        """
        work = self._aio.delete_thumbnail(workflow_id)
        del workflow_id
        return self._aio._engine.block(work)
