"""What a client's objects show in a notebook, and what they ask the server for it."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from tests.documents import node
from tests.support.batch_server import BatchServer, Item, image_content, image_name
from tests.support.batches import Plan, Runs, client_of
from tests.support.scripted_server import ScriptedServer, item_event, status
from tests.unit.notebook.conftest import Shown, bundle_of
from tests.unit.notebook.test_elements import Parsed

from invokeai_py_client import BatchRow, InvokeAIClient, Run, WorkflowDefinition, WorkflowHandle, errors, image
from invokeai_py_client.batch.manifest import Manifest

BLANK: dict[str, Any] = {
    "name": "<blank>",
    "meta": {"version": "3.0.0"},
    "nodes": [node("blank", "blank_image", "1.2.2", intermediate=False, width=64, height=64, mode="RGB")],
    "edges": [],
    "exposedFields": [{"nodeId": "blank", "fieldName": "width"}, {"nodeId": "blank", "fieldName": "mode"}],
}
PNG = b"\x89PNG\r\n\x1a\nrest"
PREVIEW = {"dataURL": "data:image/jpeg;base64," + base64.b64encode(b"a preview").decode(), "width": 64, "height": 64}


async def _set(event: asyncio.Event) -> None:
    event.set()


class Scene:
    """A server that stops an item after its first preview, and the workflow whose items it runs."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.fails = False
        self.thumbnails_asked_for = 0
        self.deletes = False
        self.holds = False
        self._is_over = asyncio.Event()
        routes = [
            web.get("/api/v1/images/i/{name}/thumbnail", self._thumbnail),
            web.get("/api/v1/images/i/{name}/full", self._full),
        ]
        self.server = ScriptedServer(self._play, routes=routes)

    def go_on(self) -> None:
        self.server.do(_set(self.goes_on))

    def end(self) -> None:
        self.server.do(_set(self._is_over))

    async def _thumbnail(self, _: web.Request) -> web.Response:
        self.thumbnails_asked_for += 1
        return await self._image(b"a thumbnail")

    async def _full(self, _: web.Request) -> web.Response:
        return await self._image(PNG)

    async def _image(self, content: bytes) -> web.Response:
        if self.holds:
            await self._is_over.wait()
        if self.deletes:
            raise web.HTTPNotFound(text='{"detail": "Image not found"}', content_type="application/json")
        return web.Response(body=content, content_type="image/png")

    async def _play(self, server: ScriptedServer, item_id: int, batch_id: str) -> None:
        prepared = {"id": "p", "type": "blank_image", "is_intermediate": False}
        head = item_event(item_id, batch_id, invocation=prepared, invocation_source_id="blank")
        await server.play_all(
            [
                status(item_id, batch_id, "in_progress", 1),
                ("invocation_started", head),
                ("invocation_progress", head | {"message": "Painting <b>", "percentage": 0.5, "image": PREVIEW}),
            ]
        )
        await self.goes_on.wait()
        if self.fails:
            error = {"error_type": "E", "error_message": "<no> paint", "error_traceback": "line <1>"}
            await server.emit("invocation_error", head | error)
            await server.play_all([status(item_id, batch_id, "failed", 2)])
        else:
            result = {"type": "image_output", "image": {"image_name": "a.png"}, "width": 64, "height": 64}
            await server.emit("invocation_complete", head | {"result": result})
            await server.play_all([status(item_id, batch_id, "completed", 2)])


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    with scene.server:
        yield scene
        scene.end()


@pytest.fixture
def wf(scene: Scene) -> Iterator[WorkflowHandle]:
    with InvokeAIClient.from_url(scene.server.url) as client:
        yield client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(BLANK))


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def goes_on_after_the_preview(scene: Scene, jupyter: Shown) -> None:
    is_seen = threading.Event()

    def then(bundle: dict[str, str]) -> None:
        if encoded(b"a preview") in bundle["text/html"] and not is_seen.is_set():
            is_seen.set()
            scene.go_on()

    jupyter.then = then


def test_a_run_shows_its_preview_while_it_runs_and_its_images_at_the_end(
    scene: Scene, wf: WorkflowHandle, jupyter: Shown
) -> None:
    goes_on_after_the_preview(scene, jupyter)
    run = wf.submit_sync()
    run.display(20)
    running = next(one["text/html"] for one in jupyter if encoded(b"a preview") in one["text/html"])
    assert "Painting &lt;b&gt;" in running
    assert "in progress" in running
    last = jupyter[-1]
    assert Parsed(last["text/html"]).text == "completedimages[0]"
    assert encoded(b"a thumbnail") in last["text/html"]
    assert encoded(b"a preview") not in last["text/html"]
    assert last["text/plain"] == f"batch {run.batch_id}: completed, 100 %"
    assert scene.thumbnails_asked_for == 1
    assert bundle_of(run)["text/html"] == last["text/html"]


def test_a_run_that_fails_shows_its_error_and_raises_nothing(scene: Scene, wf: WorkflowHandle, jupyter: Shown) -> None:
    scene.fails = True
    goes_on_after_the_preview(scene, jupyter)
    wf.submit_sync().display(20)
    text = Parsed(jupyter[-1]["text/html"]).text
    assert text == "failedE: <no> paint in blank_image (blank)the server's tracebackline <1>"


def test_a_display_that_is_given_up_says_so_and_leaves_the_run(
    scene: Scene, wf: WorkflowHandle, jupyter: Shown
) -> None:
    run = wf.submit_sync()
    with pytest.raises(errors.RunTimeout):
        run.display(0.01)
    assert Parsed(jupyter[-1]["text/html"]).text.endswith("No longer updated. The run continues.")
    scene.go_on()
    assert run.wait(20).status == "completed"


async def test_a_display_is_awaited_on_a_loop(scene: Scene, wf: WorkflowHandle, jupyter: Shown) -> None:
    goes_on_after_the_preview(scene, jupyter)
    run = await wf.aio.submit()
    await run.display(20)
    assert Parsed(jupyter[-1]["text/html"]).text == "completedimages[0]"
    scene.goes_on.clear()
    run = await wf.aio.submit()
    with pytest.raises(errors.RunTimeout):
        await run.display(0.01)
    assert Parsed(jupyter[-1]["text/html"]).text.endswith("No longer updated. The run continues.")


def test_a_run_of_a_closed_client_is_shown_without_its_images_and_an_image_says_why(
    scene: Scene, jupyter: Shown
) -> None:
    with InvokeAIClient.from_url(scene.server.url) as client:
        run = finished_run(scene, client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(BLANK)))
    assert Parsed(bundle_of(run)["text/html"]).text == "completed"
    assert "closed" in bundle_of(run.images[0])["text/plain"]


@pytest.mark.usefixtures("terminal")
def test_a_terminal_asks_for_nothing(scene: Scene, wf: WorkflowHandle) -> None:
    run = finished_run(scene, wf)
    assert bundle_of(run) == {"text/plain": repr(run)}
    assert scene.thumbnails_asked_for == 0


def test_a_workflow_shows_its_inputs(wf: WorkflowHandle, jupyter: Shown) -> None:
    shown = bundle_of(wf)["text/html"]
    assert Parsed(shown).text.startswith("<blank>#InputTypeTakesDefaultCurrent0WidthInteger")
    assert Parsed(bundle_of(wf.inputs)["text/html"]).text == Parsed(shown).text.removeprefix("<blank>")
    wf.describe()
    assert jupyter[-1]["text/html"] == shown


def test_a_plan_shows_what_varies_and_why_rows_cannot_run(wf: WorkflowHandle, jupyter: Shown) -> None:
    plan = wf.plan([{"Width": width, "#note": "<i>"} for width in (64, 128, "wide")], on_bad_row="skip")
    parsed = Parsed(bundle_of(plan)["text/html"])
    assert parsed.text.startswith("<blank>3 rows, 1 invalid")
    assert "#Width#noteseed064<i>1128<i>2wide<i>" in parsed.text
    assert "row 2, 'Width': " in parsed.text
    assert "i" not in parsed.tags


def test_a_large_plan_is_shown_at_once(wf: WorkflowHandle, jupyter: Shown) -> None:
    plan = wf.plan({"Width": range(8, 8008, 8), "Mode": ["RGB", "RGBA"]})
    text = Parsed(bundle_of(plan)["text/html"]).text
    assert "Width8 · 16 · 24 · 32 · 40 · 48 · 56 · 64 · 992 more" in text
    assert "the first 5 of 2000 rows" in text


@pytest.fixture
def batches() -> Iterator[BatchServer]:
    with BatchServer() as server:
        yield server


@pytest.fixture
def runs(batches: BatchServer) -> Iterator[Runs]:
    with client_of(batches.url) as runs:
        yield runs


def odd_widths_fail(item: Item) -> str | None:
    width = item.values[0]["value"]
    return f"out of <b>memory at {width}" if width % 2 else None


def test_a_batch_shows_counts_failures_and_images(batches: BatchServer, runs: Runs, jupyter: Shown) -> None:
    batches.fails = odd_widths_fail
    batches.allow(3)
    batch = runs.begin(Plan(range(6)))

    def then(bundle: dict[str, str]) -> None:
        if " 3 pending" in bundle["text/html"]:
            batches.resume()

    jupyter.then = then
    batch.display(20)
    assert any(" 3 pending" in one["text/html"] for one in jupyter)
    last = jupyter[-1]["text/html"]
    text = Parsed(last).text
    assert text.startswith("100 % of 6 rows · 3 completed · 3 failed")
    assert "3RuntimeError: out of <b>memory at" in text
    assert text.endswith("0: Width 02: Width 24: Width 4")
    assert last.count("<img") == 3
    assert encoded(image_content(image_name(1))) in last
    assert batches.requests[image_name(1)] == 1, "what was fetched is kept"
    assert jupyter[-1]["text/plain"] == "100 % of 6 rows (3 completed, 3 failed)"
    assert bundle_of(batch)["text/html"] == last


def test_a_view_of_a_batch_reads_each_row_once(
    batches: BatchServer, runs: Runs, jupyter: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches.fails = odd_widths_fail
    batch = runs.begin(Plan(range(6)))
    batch.wait(20)
    read, offsets = Manifest.read, list[int]()

    def reading(manifest: Manifest, offset: int, index: int | None = None) -> BatchRow:
        offsets.append(offset)
        return read(manifest, offset, index)

    monkeypatch.setattr(Manifest, "read", reading)
    bundle_of(batch)
    assert len(offsets) == len({*offsets}) == 6


def test_images_that_are_gone_are_left_out(batches: BatchServer, runs: Runs, jupyter: Shown) -> None:
    batches.deleted = {image_name(2)}
    batch = runs.begin(Plan(range(3)))
    batch.wait(20)
    assert Parsed(bundle_of(batch)["text/html"]).text.endswith("0: Width 02: Width 2")


def test_a_display_of_a_batch_that_is_given_up_says_so(batches: BatchServer, runs: Runs, jupyter: Shown) -> None:
    batches.pause()
    batch = runs.begin(Plan(range(3)))
    with pytest.raises(errors.RunTimeout):
        batch.display(0.01)
    assert Parsed(jupyter[-1]["text/html"]).text.endswith("No longer updated. The batch continues to run.")
    batches.resume()
    assert batch.wait(20).counts["completed"] == 3


async def test_a_batch_is_displayed_on_a_loop(batches: BatchServer, runs: Runs, jupyter: Shown) -> None:
    batch = await asyncio.to_thread(runs.begin, Plan(range(3)))
    await batch.aio.display(20)
    assert Parsed(jupyter[-1]["text/html"]).text.startswith("100 % of 3 rows · 3 completed")


def finished_run(scene: Scene, wf: WorkflowHandle) -> Run:
    scene.go_on()
    run = wf.submit_sync()
    run.wait(20)
    return run


def test_an_image_is_the_file_of_the_server(scene: Scene, wf: WorkflowHandle, jupyter: Shown) -> None:
    picture = finished_run(scene, wf).images[0]
    assert bundle_of(picture) == {"text/plain": "<Image a.png>", "image/png": encoded(PNG)}
    assert bundle_of(picture.aio)["image/png"] == encoded(PNG)


def test_an_image_that_is_gone_says_so(scene: Scene, wf: WorkflowHandle, jupyter: Shown) -> None:
    picture = finished_run(scene, wf).images[0]
    scene.deletes = True
    bundle = bundle_of(picture)
    assert bundle.keys() == {"text/plain"}
    assert bundle["text/plain"].startswith("a.png: not shown, as ")
    assert "Image not found" in bundle["text/plain"]


def test_no_cell_waits_long_for_a_slow_server(
    scene: Scene, wf: WorkflowHandle, jupyter: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "THUMBNAIL_SECONDS", 0.05)
    monkeypatch.setattr(image, "IMAGE_SECONDS", 0.05)
    run = finished_run(scene, wf)
    scene.holds = True
    assert bundle_of(run.images[0])["text/plain"].endswith("it took too long to download")
    assert Parsed(bundle_of(run)["text/html"]).text == "completed"
