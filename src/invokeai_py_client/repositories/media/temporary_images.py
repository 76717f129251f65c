"""`client.temporary_images()`: a `with` block whose images are deleted at its end."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import unquote

from invokeai_py_client.errors import InvokeAIError, RunTimeout
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.repositories.arguments import ImagesLike, image_names_of
from invokeai_py_client.repositories.media.images import AsyncImages
from invokeai_py_client.run import AsyncRun
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.listing import in_parts
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Call, Response
from invokeai_py_client.wire.calls.images import MAX_NAMES_PER_REQUEST, get_images

logger = logging.getLogger("invokeai_py_client.images")

_BLOCKS: ContextVar[tuple[TemporaryImages, ...]] = ContextVar("blocks of temporary images", default=())
"""The blocks that this thread or task is in, the innermost last."""

_UPLOAD = "/api/v1/images/upload"
_ENQUEUE = re.compile(r"/api/v1/queue/([^/]+)/enqueue_batch")

_PATIENCE = 10.0
"""How long, in seconds, to wait for a canceled run to end."""


class TemporaryImages(FixedAttributes):
    """A `with` or `async with` block whose images are deleted at its end, also after an exception.

    The block deletes the images that are uploaded in it, and all images, including intermediate ones, that runs
    submitted in it have created. Images that a run only reuses are kept. Runs that have not ended are canceled. The
    block covers its own thread or task and the tasks started in it, but not other threads and tasks of the same client.
    If blocks are nested, an image belongs to the innermost one.

    If the deletion fails, the error is raised; if the block has raised an exception itself, the error is logged
    (`invokeai_py_client.images`) and added to that exception as a note.

    Example:
        >>> with client.temporary_images() as tmp:
        ...     photo = client.image_repo.upload_image("photo.png")
        ...     result = wf.submit_sync().result()
        >>> len(tmp.deleted)
        2
    """

    def __init__(
        self,
        engine: Engine,
        http: HttpTransport,
        images: AsyncImages,
        runs: Callable[..., Awaitable[Mapping[str, AsyncRun]]],
    ) -> None:
        self._engine = engine
        self._http = http
        self._images = images
        self._runs = runs
        self._uploaded: list[str] = []
        self._batches: dict[str, list[str]] = {}
        self._kept: set[str] = set()
        self._deleted: list[str] = []
        self._token: Token[tuple[TemporaryImages, ...]] | None = None

    @property
    def deleted(self) -> list[str]:
        """The names of the images that were deleted at the end of the block."""
        return [*self._deleted]

    def keep(self, images: ImagesLike) -> None:
        """Exclude images from the deletion.

        Args:
            images: the images, by name, record or `Image`, one or many.
        """
        self._kept.update(image_names_of(images))

    async def _watch(self, watched: bool) -> None:
        # On the engine, so nothing iterates over the list at the same time.
        if watched:
            self._http.on_exchange.append(self._note)
        else:
            self._http.on_exchange.remove(self._note)

    def _note(self, call: Call[object], response: Response | None) -> None:
        """Record the upload or submission of a request of this block."""
        mine = [block for block in _BLOCKS.get() if block._http is self._http]
        if call.method != "POST" or not mine or mine[-1] is not self:
            return
        if call.path == _UPLOAD:
            if response is not None and response.status_code < 300:
                self._uploaded += _names_in(response.json())
        elif (found := _ENQUEUE.fullmatch(call.path)) and isinstance(call.body, Mapping):
            # The client chooses the id, so the batch is known even if the response is lost.
            batch_id = call.body.get("batch", {}).get("batch_id")
            if batch_id is not None:
                self._batches.setdefault(unquote(found[1]), []).append(batch_id)

    async def _clean_up(self) -> None:
        await self._watch(False)
        names = [*self._uploaded]
        for queue_id, batch_ids in self._batches.items():
            runs = [*(await self._runs(batch_ids, queue_id=queue_id)).values()]
            for run in runs:
                if not run.item.is_finished:
                    await run.cancel()
            for run in runs:
                names += await self._made_by(run)
        unwanted = [name for name in dict.fromkeys(names) if name not in self._kept]
        if unwanted:
            self._deleted = await self._images.delete_images(unwanted)

    async def _made_by(self, run: AsyncRun) -> list[str]:
        """Return the names of the images that a run has created, without those that existed before."""
        with contextlib.suppress(RunTimeout):
            await run.wait(_PATIENCE)
        items = (run.item, *run.children)
        results = [output.result for item in items for output in item.outputs]
        names = [*dict.fromkeys(name for result in results for name in _names_in(result))]
        sessions = {*run.session_ids, *(child.session_id for child in run.children)}
        made = []
        for part in in_parts(names, MAX_NAMES_PER_REQUEST):
            records = await self._http.send(get_images(part))
            made += [record.image_name for record in records if record.session_id in sessions]
        return made

    @staticmethod
    def _failed(failure: InvokeAIError, error: BaseException | None) -> None:
        """Raise the error of the deletion, or add it to the exception of the block."""
        if error is None:
            failure.add_note("Images of the block may be left on the server.")
            raise failure
        error.add_note(f"Images of the block may be left on the server: {failure}")
        logger.warning("temporary images may be left on the server: %s", failure)

    def __enter__(self) -> Self:
        self._engine.block(self._watch(True))
        self._token = _BLOCKS.set((*_BLOCKS.get(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _BLOCKS.reset(cast("Token[tuple[TemporaryImages, ...]]", self._token))
        try:
            self._engine.block(self._clean_up())
        except InvokeAIError as failure:
            self._failed(failure, error)

    async def __aenter__(self) -> Self:
        await self._engine.call(self._watch(True))
        self._token = _BLOCKS.set((*_BLOCKS.get(), self))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _BLOCKS.reset(cast("Token[tuple[TemporaryImages, ...]]", self._token))
        try:
            await self._engine.call(self._clean_up())
        except InvokeAIError as failure:
            self._failed(failure, error)

    def __repr__(self) -> str:
        return f"<TemporaryImages uploaded={len(self._uploaded)} batches={sum(map(len, self._batches.values()))}>"


def _names_in(value: Any) -> Iterator[str]:
    """Yield the names of the images in a node's result, at any depth."""
    if isinstance(value, Mapping):
        if isinstance(name := value.get("image_name"), str):
            yield name
        for one in value.values():
            yield from _names_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from _names_in(one)
