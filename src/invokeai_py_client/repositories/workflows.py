"""`client.workflow_repo`: workflows, from files and from the server's library."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

from invokeai_py_client.errors import NotInvokeAIError
from invokeai_py_client.files import cache_folder, safe_name, whole_file
from invokeai_py_client.handle import WorkflowHandle
from invokeai_py_client.repositories.app import AsyncApp
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import Blocking, blocking, on_engine
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import app, workflows
from invokeai_py_client.wire.records import WorkflowSummary
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.templates import NodeTemplates

logger = logging.getLogger("invokeai_py_client.workflow")

_PER_PAGE = 100

HandleMaker = Callable[[WorkflowDefinition, NodeTemplates], WorkflowHandle]


class AsyncWorkflows:
    """The awaited face: `client.aio.workflow_repo`."""

    def __init__(self, engine: Engine, http: HttpTransport, make_handle: HandleMaker) -> None:
        self._engine = engine
        self._http = http
        self._make_handle = make_handle
        self._templates: NodeTemplates | None = None

    @on_engine
    async def create_workflow(self, definition: WorkflowDefinition) -> WorkflowHandle:
        """Make a workflow that can be run on this server.

        The first call reads the server's node templates (`GET /openapi.json`), which are then kept.

        Args:
            definition: the document; many handles may share one.

        Returns:
            A handle with values of its own.

        Raises:
            TransportError: nothing can be reached at the server's address.
            NotInvokeAIError: what answers there is no InvokeAI server.
        """
        return self._make_handle(definition, await self.get_templates())

    @on_engine
    async def get_templates(self) -> NodeTemplates:
        """The templates of the server's nodes: fetched once a client, parsed once a server version and content."""
        if self._templates is None:
            version = await AsyncApp(self._engine, self._http).get_version()
            self._templates = _parsed(version, await self._http.send(app.get_openapi()), self._http.settings.url)
        return self._templates

    @on_engine
    async def list_available_workflows(self, query: str | None = None) -> list[WorkflowSummary]:
        """The workflows of the server's library, its own default ones among them.

        Rests on `GET /api/v1/workflows/`, page by page.

        Args:
            query: only those in whose name, description or tags this occurs.
        """
        found: list[WorkflowSummary] = []
        number, pages = 0, 1
        while number < pages:
            page = await self._http.send(workflows.list_workflows(page=number, per_page=_PER_PAGE, query=query))
            found += page.items
            number, pages = number + 1, page.pages
        return found

    @on_engine
    async def get_definition(self, workflow_id: str) -> WorkflowDefinition:
        """A workflow of the server's library, as a file of it would be.

        Rests on `GET /api/v1/workflows/i/{workflow_id}`.

        Raises:
            NotFoundError: the library has no such workflow.
        """
        record = await self._http.send(workflows.get_workflow(workflow_id))
        return WorkflowDefinition.from_dict(record.workflow, source=f"workflow {record.name!r} of the library")


class Workflows(Blocking[AsyncWorkflows]):
    """Workflows: `client.workflow_repo`.

    Example:
        >>> wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file("tiger.json"))
    """

    create_workflow = blocking(AsyncWorkflows.create_workflow)
    get_templates = blocking(AsyncWorkflows.get_templates)
    list_available_workflows = blocking(AsyncWorkflows.list_available_workflows)
    get_definition = blocking(AsyncWorkflows.get_definition)


def _parsed(version: str, document: bytes, url: str) -> NodeTemplates:
    """The templates in an OpenAPI document, from the disk if this very document was read before."""
    digest = hashlib.sha256(document).hexdigest()[:16]
    cached = cache_folder() / "templates" / safe_name(f"{version}-{digest}.json")
    templates = _from_cache(cached)
    if templates is not None:
        return templates
    try:
        templates = NodeTemplates.from_openapi(json.loads(document))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise NotInvokeAIError(
            f"{url}/openapi.json does not describe the nodes of an InvokeAI server: {error}.",
            url=url,
            method="GET",
            hint="Is this the address of an InvokeAI server, with its sub-path if it has one?",
        ) from error
    try:
        with whole_file(cached) as file:
            file.write(templates.to_json())
    except OSError as error:
        logger.info("the node templates could not be kept in %s: %s", cached, error)
    return templates


def _from_cache(path: Path) -> NodeTemplates | None:
    try:
        return NodeTemplates.from_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        logger.info("the node templates in %s cannot be used and are read anew: %s", path, error)
        return None
