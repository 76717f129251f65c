"""Caches and shares requests for the server's models, boards, images and called workflows, and uploads of images."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from invokeai_py_client.errors import ForbiddenError, NotFoundError, RejectedError
from invokeai_py_client.files import image_type
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.listing import in_parts
from invokeai_py_client.runtime.single_flight import SingleFlight
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire import calls
from invokeai_py_client.wire.call import Call, Response
from invokeai_py_client.workflow.called_workflows import (
    CalledWorkflow,
    CalledWorkflows,
    calls_in,
    read_called_workflow,
)
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import CALL_NODE
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.named_resources import Kind, NamedResource
from invokeai_py_client.workflow.references import (
    BoardReference,
    LocalImage,
    ModelReference,
    Reference,
    Unresolved,
    find_board,
    find_model,
)
from invokeai_py_client.workflow.templates import NodeTemplates

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.boards import BoardRecord
    from invokeai_py_client.wire.records.models import ModelRecord

_ROUTE = re.compile(r"/api/v[0-9]+/(auth|models|boards|images)(?:/(.*?))?/?")
_ONE_IMAGE = re.compile(r"i/([^/]+)")

FRESH = 30.0
"""Seconds for which a resource that was seen on the server is assumed to exist. Missing ones are not cached."""

_DEEPEST_CALL = 4
"""The server's limit for nested calls of workflows (`max_workflow_call_depth`)."""


class Catalog:
    """The resources of one server. All coroutines run on the engine. Simultaneous calls share one request.

    Args:
        http: sends the requests.
        engine: the engine on whose loop this is used.
    """

    def __init__(self, http: Sender, engine: Engine) -> None:
        self._http = http
        self._engine = engine
        self._known_models: SingleFlight[list[ModelRecord]] = SingleFlight(engine)
        self._known_boards: SingleFlight[list[BoardRecord]] = SingleFlight(engine)
        self._images: dict[str, float] = {}
        self._images_changed_at = -math.inf
        self._image_checks: dict[tuple[str, ...], SingleFlight[set[str]]] = {}
        self._uploads: dict[str, SingleFlight[str]] = {}
        self._workflows: dict[str, SingleFlight[CalledWorkflow]] = {}

    async def models(self, *, max_age: float = 0) -> list[ModelRecord]:
        """Return all installed models, from the cache if it is at most `max_age` seconds old."""
        return await self._known_models.get(lambda: self._http.send(calls.models.list_models()), max_age=max_age)

    async def boards(self, *, max_age: float = 0) -> list[BoardRecord]:
        """Return all boards, including archived ones, from the cache if it is at most `max_age` seconds old."""
        return await self._known_boards.get(
            lambda: self._http.send(calls.boards.list_boards(include_archived=True)),
            max_age=max_age,
        )

    def forget(self, kind: Kind, name: str | None = None) -> None:
        """Invalidate the cache.

        Args:
            kind: the kind of resource that may have changed.
            name: only the image with this name; None for all of the kind.
        """
        if kind == "model":
            self._known_models.forget()
        elif kind == "board":
            self._known_boards.forget()
        else:
            self._images_changed_at = time.monotonic()
            if name is None:
                self._images.clear()
            else:
                self._images.pop(name, None)

    def _forget_all(self) -> None:
        for kind in ("model", "board", "image"):
            self.forget(kind)
        self._uploads.clear()

    def forget_changed(self, call: Call[object], response: Response | None) -> None:
        """Invalidate the parts of the cache that a request of this client may affect, such as the deletion of a model.

        A login or logout affects everything, as each user has their own boards and images.

        Args:
            call: the request.
            response: the response; None if the request failed, in which case it may still have been carried out.
        """
        if call.method in ("GET", "HEAD") and "/models/" not in call.path:
            # Most requests, such as downloads.
            return
        found = _ROUTE.fullmatch(call.path)
        if found is None:
            return
        things, rest = found[1], found[2] or ""
        if things == "auth" and call.method != "GET":
            self._forget_all()
        elif things == "models":
            # An installation ends long after the request that started it, and is then noticed when its job is fetched.
            has_installed = rest.startswith("install") and response is not None and b'"completed"' in response.content
            if call.method not in ("GET", "HEAD") or has_installed:
                self.forget("model")
        elif things == "boards" and call.method not in ("GET", "HEAD"):
            self.forget("board")
            if call.method == "DELETE":
                # Images may be deleted with their board.
                self.forget("image")
        elif things == "images" and (call.method == "DELETE" or rest == "delete"):
            one = _ONE_IMAGE.fullmatch(rest)
            self.forget("image", unquote(one[1]) if one else None)

    async def resolve(self, reference: Reference) -> dict[str, str]:
        """Resolve a reference to its form in a graph. A local image is uploaded, once for equal content.

        Raises:
            Unresolved: nothing on the server matches; the message says why.
            InvokeAIError: a request failed.
        """
        if isinstance(reference, LocalImage):
            return {"image_name": await self._uploaded(reference)}
        try:
            return await self._find(reference, max_age=FRESH)
        except Unresolved:
            return await self._find(reference, max_age=0)

    async def workflows_called_by(
        self, definition: WorkflowDefinition, templates: NodeTemplates, fields: WorkflowFields | None = None
    ) -> CalledWorkflows:
        """Fetch the library workflows that a workflow calls, directly or indirectly. They are not cached.

        Endpoint: GET /api/v1/workflows/i/{workflow_id}

        Args:
            definition: the caller.
            templates: the server's node templates.
            fields: the caller's values; None for those of the document.

        Returns:
            The workflows by id. A workflow that does not exist or is not shared by its owner has a `fault`. Empty on
            servers that do not support calls (before 6.14).

        Raises:
            InvokeAIError: a request failed.
        """
        found: dict[str, CalledWorkflow] = {}
        if CALL_NODE not in templates:
            return found
        todo = {workflow_id for _, workflow_id in calls_in(definition, fields or WorkflowFields(definition, templates))}
        for _ in range(_DEEPEST_CALL):
            todo = {workflow_id for workflow_id in todo if workflow_id and workflow_id not in found}
            fetched = await asyncio.gather(*(self._called_workflow(one, templates) for one in sorted(todo)))
            found.update((workflow.workflow_id, workflow) for workflow in fetched)
            todo = {
                workflow_id
                for workflow in fetched
                if workflow.definition is not None
                for _, workflow_id in calls_in(workflow.definition, WorkflowFields(workflow.definition, templates))
            }
        return found

    async def _called_workflow(self, workflow_id: str, templates: NodeTemplates) -> CalledWorkflow:
        async def fetch() -> CalledWorkflow:
            try:
                record = await self._http.send(calls.workflows.get_workflow(workflow_id))
            except NotFoundError:
                return CalledWorkflow(workflow_id, "", None, "it is not in the server's library, or no longer")
            except ForbiddenError:
                return CalledWorkflow(workflow_id, "", None, "it belongs to another user, who does not share it")
            verdict = record.call_saved_workflow_compatibility
            # In a thread, as a large document would block the engine for all other calls of the client.
            return await asyncio.to_thread(
                read_called_workflow, workflow_id, record.name, record.workflow, verdict, templates
            )

        # Only simultaneous callers share a response, as users edit workflows between two runs.
        shared = self._workflows.setdefault(workflow_id, SingleFlight(self._engine))
        return await shared.get(fetch, max_age=0)

    async def _find(self, reference: ModelReference | BoardReference, *, max_age: float) -> dict[str, str]:
        if isinstance(reference, ModelReference):
            return find_model(reference, await self.models(max_age=max_age))
        return find_board(reference, await self.boards(max_age=max_age))

    async def missing(self, things: Collection[NamedResource]) -> list[NamedResource]:
        """Return the resources among `things` that the server does not have."""
        lacking = {
            "model": await self._lacking(_names(things, "model"), self._model_keys),
            "board": await self._lacking(_names(things, "board"), self._board_ids),
            "image": await self._missing_images(_names(things, "image")),
            "video": {name for name in _names(things, "video") if not await self._has_video(name)},
        }
        return [thing for thing in things if thing.name in lacking.get(thing.kind, ())]

    async def _lacking(self, names: set[str], known: Callable[[float], Awaitable[set[str]]]) -> set[str]:
        if names and (names := names - await known(FRESH)):
            return names - await known(0)
        return names

    async def _model_keys(self, max_age: float) -> set[str]:
        return {model.key for model in await self.models(max_age=max_age)}

    async def _board_ids(self, max_age: float) -> set[str]:
        return {board.board_id for board in await self.boards(max_age=max_age)}

    async def _has_video(self, name: str) -> bool:
        try:
            await self._http.send(calls.videos.get_video(name))
        except NotFoundError:
            return False
        return True

    async def _missing_images(self, names: set[str]) -> set[str]:
        now = time.monotonic()
        ask = sorted(name for name in names if self._images.get(name, -FRESH) <= now - FRESH)
        found = await self._existing(tuple(ask)) if ask else set()
        self._images = {name: seen for name, seen in self._images.items() if seen > now - FRESH}
        if self._images_changed_at <= now:
            self._images.update(dict.fromkeys(found, now))
        return set(ask) - found

    async def _existing(self, names: tuple[str, ...]) -> set[str]:
        """Return the images among `names` that exist. Simultaneous callers for the same images share the requests."""

        async def fetch() -> set[str]:
            found: set[str] = set()
            for part in in_parts(names, calls.images.MAX_NAMES_PER_REQUEST):
                found |= await self._existing_images(part)
            return found

        check = self._image_checks.setdefault(names, SingleFlight(self._engine))
        try:
            return await check.get(fetch, max_age=0)
        finally:
            if check.is_idle:
                self._image_checks.pop(names, None)

    async def _existing_images(self, names: Sequence[str]) -> set[str]:
        try:
            return {record.image_name for record in await self._http.send(calls.images.get_images(names))}
        except (NotFoundError, RejectedError) as error:
            if error.status not in {404, 405}:
                raise
        # Servers before 6.0 do not have this route.
        found = set()
        for name in names:
            try:
                found.add((await self._http.send(calls.images.get_image(name))).image_name)
            except NotFoundError:
                continue
        return found

    async def check_image(self, image: LocalImage) -> None:
        """Check that an image can be uploaded, without uploading it.

        Raises:
            Unresolved: the image cannot be read, or is not an image file.
        """
        await _content(image, 16)

    async def _uploaded(self, image: LocalImage) -> str:
        content, content_type = await _content(image)
        filename = image.source.name if isinstance(image.source, Path) else f"image.{content_type.split('/')[1]}"

        async def upload() -> str:
            # The same arguments as those of the web UI for an image that is dropped on a node.
            call = calls.images.upload_image(
                content, filename=filename, content_type=content_type, category="user", is_intermediate=False
            )
            name = (await self._http.send(call)).image_name
            self._images[name] = time.monotonic()
            return name

        uploaded = self._uploads.setdefault(hashlib.sha256(content).hexdigest(), SingleFlight(self._engine))
        name = await uploaded.get(upload, max_age=math.inf)
        if await self._missing_images({name}):
            # The image has been deleted in the meantime.
            name = await uploaded.get(upload, max_age=0)
        return name


def _names(things: Iterable[NamedResource], kind: Kind) -> set[str]:
    return {thing.name for thing in things if thing.kind == kind}


async def _content(image: LocalImage, size: int = -1) -> tuple[bytes, str]:
    """Return the first `size` bytes of an image, or all, and its content type.

    Raises:
        Unresolved: the image cannot be read, or is not an image file.
    """
    try:
        content = (
            image.source if isinstance(image.source, bytes) else await asyncio.to_thread(_read, image.source, size)
        )
    except OSError as error:
        raise Unresolved(f"it cannot be read: {error.strerror or error}") from error
    content_type = image_type(content[:16])
    if content_type is None:
        raise Unresolved("it is not an image file in a known format")
    return content, content_type


def _read(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)
