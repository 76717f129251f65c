from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from tests.support.scripted_server import WORKFLOW, ScriptedServer, invocation, status

from invokeai_py_client import InvokeAIClient, WorkflowDefinition, WorkflowHandle, errors

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


class Images:
    """The images of a scripted server, on which each item makes one and reuses one that is there."""

    def __init__(self) -> None:
        self.sessions: dict[str, str | None] = {"earlier.png": "s-0"}
        """The session of each image, None for one that was uploaded."""
        self.is_held = False
        """Items stay pending."""
        self.is_locked = False
        """Nothing can be deleted."""
        self.server = ScriptedServer(
            self._make,
            routes=[
                web.post("/api/v1/images/upload", self._upload),
                web.post("/api/v1/images/images_by_names", self._by_names),
                web.post("/api/v1/images/delete", self._delete),
            ],
        )

    async def _make(self, server: ScriptedServer, item_id: int, batch_id: str) -> None:
        if self.is_held:
            return
        made = f"made-{item_id}.png"
        self.sessions[made] = f"s-{item_id}"
        names = [{"image_name": made}, {"image_name": "earlier.png"}]
        result = {"type": "image_collection_output", "collection": names}
        server.finish(item_id)
        server.items[item_id]["session"]["results"] = {f"p-{item_id}": result}
        await server.emit(*status(item_id, batch_id, "in_progress", 1))
        await server.emit(*invocation("invocation_complete", item_id, batch_id, result=result))
        await server.emit(*status(item_id, batch_id, "completed", 2))

    async def _upload(self, _: web.Request) -> web.Response:
        name = f"upload-{len(self.sessions)}.png"
        self.sessions[name] = None
        return web.json_response(self._record(name), status=201)

    async def _by_names(self, request: web.Request) -> web.Response:
        names = (await request.json())["image_names"]
        return web.json_response([self._record(name) for name in names if name in self.sessions])

    async def _delete(self, request: web.Request) -> web.Response:
        if self.is_locked:
            raise web.HTTPForbidden
        names = (await request.json())["image_names"]
        gone = [name for name in names if name in self.sessions]
        for name in gone:
            del self.sessions[name]
        return web.json_response({"deleted_images": gone, "failed_images": [], "affected_boards": []})

    def _record(self, name: str) -> dict[str, Any]:
        return {
            "image_name": name,
            "width": 8,
            "height": 8,
            "image_category": "general",
            "image_origin": "internal",
            "is_intermediate": False,
            "created_at": "2026-01-01",
            "session_id": self.sessions[name],
        }


@pytest.fixture
def images() -> Iterator[Images]:
    images = Images()
    with images.server:
        yield images


@pytest.fixture
def client(images: Images) -> Iterator[InvokeAIClient]:
    with InvokeAIClient.from_url(images.server.url) as client:
        yield client


@pytest.fixture
def wf(client: InvokeAIClient) -> WorkflowHandle:
    return client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))


def test_what_was_uploaded_and_made_inside_is_deleted(
    images: Images, client: InvokeAIClient, wf: WorkflowHandle
) -> None:
    before = client.image_repo.upload_image(PNG).name
    wf.submit_sync().result(20)
    there = {*images.sessions}
    with client.temporary_images() as tmp:
        client.image_repo.upload_image(PNG)
        wf.submit_sync().result(20)
        assert len(images.sessions) == len(there) + 2
    assert {*images.sessions} == there == {"earlier.png", before, "made-1.png"}
    assert tmp.deleted == ["upload-3.png", "made-2.png"]


async def test_awaited_it_does_the_same(images: Images, client: InvokeAIClient, wf: WorkflowHandle) -> None:
    async with client.aio.temporary_images() as tmp:
        await client.aio.image_repo.upload_image(PNG)
        await asyncio.gather(*(wf.aio.submit() for _ in range(3)))
        for run in (await client.aio.runs(destination="gallery")).values():
            await run.result(20)
    assert {*images.sessions} == {"earlier.png"}
    assert len(tmp.deleted) == 4


def test_an_exception_deletes_too_and_is_raised(images: Images, client: InvokeAIClient) -> None:
    def fail() -> None:
        with client.temporary_images():
            client.image_repo.upload_image(PNG)
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        fail()
    assert {*images.sessions} == {"earlier.png"}


def test_what_is_to_be_kept_stays(images: Images, client: InvokeAIClient) -> None:
    with client.temporary_images() as tmp:
        image = client.image_repo.upload_image(PNG)
        client.image_repo.upload_image(PNG)
        tmp.keep(image)
    assert {*images.sessions} == {"earlier.png", image.name}


def test_what_another_thread_uploads_meanwhile_stays(images: Images, client: InvokeAIClient) -> None:
    names: list[str] = []
    with client.temporary_images() as tmp:
        thread = threading.Thread(target=lambda: names.append(client.image_repo.upload_image(PNG).name))
        thread.start()
        thread.join(20)
        client.image_repo.upload_image(PNG)
    assert {*images.sessions} == {"earlier.png", *names}
    assert len(tmp.deleted) == 1


async def test_what_another_task_uploads_meanwhile_stays(images: Images, client: InvokeAIClient) -> None:
    is_inside, is_uploaded = asyncio.Event(), asyncio.Event()

    async def other() -> str:
        await is_inside.wait()
        name = (await client.aio.image_repo.upload_image(PNG)).name
        is_uploaded.set()
        return name

    task = asyncio.create_task(other())
    async with client.aio.temporary_images():
        is_inside.set()
        await is_uploaded.wait()
    assert {*images.sessions} == {"earlier.png", await task}


def test_the_innermost_block_of_a_client_has_the_image(images: Images, client: InvokeAIClient) -> None:
    with InvokeAIClient.from_url(images.server.url) as other, client.temporary_images() as outer:
        client.image_repo.upload_image(PNG)
        with other.temporary_images() as foreign, client.temporary_images() as inner:
            client.image_repo.upload_image(PNG)
        assert (len(inner.deleted), foreign.deleted) == (1, [])
        client.image_repo.upload_image(PNG)
        assert len(images.sessions) == 3
    assert len(outer.deleted) == 2
    assert {*images.sessions} == {"earlier.png"}


def test_a_run_that_has_not_ended_is_canceled(images: Images, client: InvokeAIClient, wf: WorkflowHandle) -> None:
    images.is_held = True
    with client.temporary_images() as tmp:
        run = wf.submit_sync()
    assert run.wait(20).status == "canceled"
    assert tmp.deleted == []


def test_batches_of_raw_requests_count(images: Images, client: InvokeAIClient, wf: WorkflowHandle) -> None:
    body = wf._build_submission()
    body["batch"]["batch_id"] = "mine"
    with client.temporary_images() as tmp:
        client.request("POST", "/api/v1/queue/default/enqueue_batch", json=body)
        client.run(batch_id="mine").result(20)
    assert tmp.deleted == ["made-1.png"]


def test_a_failed_deletion_is_raised(images: Images, client: InvokeAIClient) -> None:
    images.is_locked = True
    block = client.temporary_images()
    with pytest.raises(errors.ForbiddenError) as caught, block:
        client.image_repo.upload_image(PNG)
    assert caught.value.__notes__ == ["Images of the block may be left on the server."]


def test_after_an_exception_a_failed_deletion_is_noted_and_logged(
    images: Images, client: InvokeAIClient, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        with client.temporary_images():
            client.image_repo.upload_image(PNG)
            raise LookupError("mine")

    images.is_locked = True
    with caplog.at_level(logging.WARNING), pytest.raises(LookupError) as caught:
        fail()
    assert caught.value.__notes__[0].startswith("Images of the block may be left on the server: ")
    assert "temporary images may be left on the server" in caplog.text


def test_after_a_block_nothing_is_noted_any_more(images: Images, client: InvokeAIClient) -> None:
    with client.temporary_images() as tmp:
        pass
    client.image_repo.upload_image(PNG)
    assert len(images.sessions) == 2
    assert repr(tmp) == "<TemporaryImages uploaded=0 batches=0>"
