"""What the server has, asked for once by many: models, boards, images, and what was uploaded to it."""

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
"""Seconds for which what was seen on the server is taken to be there still. What is missing is always asked anew."""

_DEEPEST_CALL = 4
"""How deep the server lets workflows call each other (`max_workflow_call_depth`)."""


class Catalog:
    """What one server has. All coroutines run on the engine; a hundred that ask at once cost one request.

    Args:
        http: how to ask.
        engine: whose loop it is used on.
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
        """Every installed model, as of at most so many seconds ago."""
        return await self._known_models.get(lambda: self._http.send(calls.models.list_models()), max_age=max_age)

    async def boards(self, *, max_age: float = 0) -> list[BoardRecord]:
        """Every board, archived ones too, as of at most so many seconds ago."""
        return await self._known_boards.get(
            lambda: self._http.send(calls.boards.list_boards(include_archived=True)),
            max_age=max_age,
        )

    def forget(self, kind: Kind, name: str | None = None) -> None:
        """Believe nothing that was seen before this moment.

        Args:
            kind: of the things that may have changed.
            name: only the image of that name; None for all of the kind.
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
        """Believe nothing that a request of this client may have changed, such as by deleting or renaming a model.

        A login or logout changes everything: each user has boards and images of their own.

        Args:
            call: the request, of a repository or raw.
            response: its response; None if it failed, in which case it may have been carried out all the same.
        """
        found = _ROUTE.fullmatch(call.path)
        if found is None:
            return
        things, rest = found[1], found[2] or ""
        if things == "auth" and call.method != "GET":
            self._forget_all()
        elif things == "models":
            # An installation ends long after the request that began it; the client learns of it by asking for its job.
            has_installed = rest.startswith("install") and response is not None and b'"completed"' in response.content
            if call.method not in ("GET", "HEAD") or has_installed:
                self.forget("model")
        elif things == "boards" and call.method not in ("GET", "HEAD"):
            self.forget("board")
            if call.method == "DELETE":
                # Its images may go with it.
                self.forget("image")
        elif things == "images" and (call.method == "DELETE" or rest == "delete"):
            one = _ONE_IMAGE.fullmatch(rest)
            self.forget("image", unquote(one[1]) if one else None)

    async def answer(self, reference: Reference) -> dict[str, str]:
        """What a reference stands for, as a graph names it; a local image is uploaded, once for each content.

        Raises:
            Unresolved: it stands for nothing here; the message says why.
            InvokeAIError: as any request.
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
        """Fetch the workflows of the library that a workflow calls, and those that they call, as they are now.

        Endpoint: GET /api/v1/workflows/i/{workflow_id}

        Args:
            definition: the caller.
            templates: the server's node templates.
            fields: the caller's values; those of the document if they are left out.

        Returns:
            Each workflow by its id. One that is gone or another user's has a `fault`. Nothing on servers that have
            no such calls (before 6.14).

        Raises:
            InvokeAIError: as any request.
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
                return CalledWorkflow(workflow_id, "", None, "the server's library does not have it (any more)")
            except ForbiddenError:
                return CalledWorkflow(workflow_id, "", None, "it is another user's, who does not share it")
            verdict = record.call_saved_workflow_compatibility
            # A large document takes its time, and all other calls of the client wait for the engine.
            return await asyncio.to_thread(
                read_called_workflow, workflow_id, record.name, record.workflow, verdict, templates
            )

        # Only those who ask at the same time share an answer: workflows are edited between two runs.
        shared = self._workflows.setdefault(workflow_id, SingleFlight(self._engine))
        return await shared.get(fetch, max_age=0)

    async def _find(self, reference: ModelReference | BoardReference, *, max_age: float) -> dict[str, str]:
        if isinstance(reference, ModelReference):
            return find_model(reference, await self.models(max_age=max_age))
        return find_board(reference, await self.boards(max_age=max_age))

    async def missing(self, things: Collection[NamedResource]) -> list[NamedResource]:
        """Return those of some models, images, videos and boards that the server does not have."""
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
        """Return those of some images that the server has; callers that ask for the same ones share the requests."""

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
        # Servers before 6.0 have no such route.
        found = set()
        for name in names:
            try:
                found.add((await self._http.send(calls.images.get_image(name))).image_name)
            except NotFoundError:
                continue
        return found

    async def check_image(self, image: LocalImage) -> None:
        """See that an image can be uploaded, without uploading it.

        Raises:
            Unresolved: it cannot be read, or is not an image file.
        """
        await _content(image, 16)

    async def _uploaded(self, image: LocalImage) -> str:
        content, content_type = await _content(image)
        filename = image.source.name if isinstance(image.source, Path) else f"image.{content_type.split('/')[1]}"

        async def upload() -> str:
            # As the web UI uploads what is dropped on a node.
            call = calls.images.upload_image(
                content, filename=filename, content_type=content_type, category="user", is_intermediate=False
            )
            name = (await self._http.send(call)).image_name
            self._images[name] = time.monotonic()
            return name

        uploaded = self._uploads.setdefault(hashlib.sha256(content).hexdigest(), SingleFlight(self._engine))
        name = await uploaded.get(upload, max_age=math.inf)
        if await self._missing_images({name}):
            # It was deleted since.
            name = await uploaded.get(upload, max_age=0)
        return name


def _names(things: Iterable[NamedResource], kind: Kind) -> set[str]:
    return {thing.name for thing in things if thing.kind == kind}


async def _content(image: LocalImage, size: int = -1) -> tuple[bytes, str]:
    """The first bytes of an image, or all, and its content type.

    Raises:
        Unresolved: it cannot be read, or is not an image file.
    """
    try:
        content = (
            image.source if isinstance(image.source, bytes) else await asyncio.to_thread(_read, image.source, size)
        )
    except OSError as error:
        raise Unresolved(f"it cannot be read: {error.strerror or error}") from error
    content_type = image_type(content[:16])
    if content_type is None:
        raise Unresolved("it is not an image file of a known kind")
    return content, content_type


def _read(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)
