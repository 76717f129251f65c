"""A script in the style of client 1.1, and what such scripts do with boards, the queue and installations."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from tests.documents import container, edge, form, node, shown

from invokeai_py_client import InvokeAIClient, WorkflowDefinition, local
from invokeai_py_client.errors import NotFoundError
from invokeai_py_client.local import LocalServer

SCRIPT = """
from invokeai_py_client import InvokeAIClient
from invokeai_py_client.board.board_handle import BoardHandle
from invokeai_py_client.ivk_fields import IvkFloatField, IvkIntegerField, IvkSchedulerField, IvkStringField
from invokeai_py_client.ivk_fields import SchedulerName
from invokeai_py_client.ivk_fields.models import IvkModelIdentifierField
from invokeai_py_client.workflow import WorkflowDefinition
from invokeai_py_client.workflow.workflow_handle import OutputMapping

client = InvokeAIClient.from_url(url)
handle = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(str(path)))
renamed = [(old.name, new.name) for old, new in handle.sync_dnn_model(by_name=True, by_base=True)]

index_of = {}
for inp in handle.list_inputs():
    lines.append(f"{inp.input_index:02d} {inp.label or inp.field_name} {inp.field_name} {inp.node_name} {inp.required}")
    index_of.setdefault((inp.node_name, inp.field_name), inp.input_index)
    index_of[inp.label or inp.field_name] = inp.input_index

model = handle.get_input_value(index_of["main_model_loader", "model"])
assert isinstance(model, IvkModelIdentifierField)
model.key = new_key

prompt = handle.get_input_value(index_of["Positive Prompt"])
assert isinstance(prompt, IvkStringField)
prompt.value = "a tiger cub"
steps = handle.get_input_value(index_of["denoise_latents", "steps"])
assert isinstance(steps, IvkIntegerField)
steps.value = 4
cfg = handle.get_input_value(index_of["denoise_latents", "cfg_scale"])
assert isinstance(cfg, IvkFloatField)
cfg.value = 6.5
scheduler = handle.get_input_value(index_of["denoise_latents", "scheduler"])
scheduler.value = IvkSchedulerField.normalize_alias(SchedulerName.EULER_A.value)
board = handle.get_input_value(index_of["l2i", "board"])
board.value = client.board_repo.create_board("tigers").board_id
outputs = [out.node_id for out in handle.list_outputs()]

submission = handle.submit_sync("default", priority=0)
statuses = []
queue_item = handle.wait_for_completion_sync(
    poll_interval=0.5, timeout=60.0, progress_callback=lambda qi: statuses.append(qi.get("status"))
)
if queue_item.get("status") == "completed":
    for m in handle.map_outputs_to_images(queue_item):
        if m["image_names"]:
            bh = client.board_repo.get_board_handle(m.get("board_id") or "none")
            assert isinstance(bh, BoardHandle)
            data = bh.download_image(m["image_names"][0], full_resolution=True)
            tier, board_name = m["tier"], bh.board_name
"""


SDXL_SCRIPT = """
from invokeai_py_client import InvokeAIClient
from invokeai_py_client.ivk_fields import (
    IvkFloatField, IvkIntegerField, IvkSchedulerField, IvkStringField, SchedulerName
)
from invokeai_py_client.ivk_fields.models import IvkModelIdentifierField
from invokeai_py_client.workflow import WorkflowDefinition

MODEL, POSITIVE, NEGATIVE, WIDTH, HEIGHT, STEPS, CFG, SCHEDULER = range(8)

client = InvokeAIClient.from_url(url)
handle = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(str(path)))
synced = handle.sync_dnn_model(by_name=True, by_base=True)
if synced:
    for old, new in synced:
        lines.append(f"{getattr(old, 'name', '?')} -> {getattr(new, 'name', '?')}")
inputs = handle.list_inputs()
board_index = next((inp.input_index for inp in inputs if inp.field_name == "board"), None)
boards = client.board_repo.list_boards(include_uncategorized=True)
board_id = next((board.board_id for board in boards if board.board_name == "no such board"), "none")

assert isinstance(handle.get_input_value(MODEL), IvkModelIdentifierField)
for index, kind, value in [
    (POSITIVE, IvkStringField, "a harbour at night"),
    (NEGATIVE, IvkStringField, "blurry"),
    (WIDTH, IvkIntegerField, 64),
    (HEIGHT, IvkIntegerField, 128),
    (STEPS, IvkIntegerField, 3),
    (CFG, IvkFloatField, 7.5),
]:
    field = handle.get_input_value(index)
    assert isinstance(field, kind), (index, type(field))
    field.value = value
handle.get_input_value(SCHEDULER).value = IvkSchedulerField.normalize_alias(SchedulerName.DPMPP_3M_K.value)
handle.get_input_value(board_index).value = board_id
meta = handle.get_input(POSITIVE)
lines.append(meta.label or meta.field_name)

submission = handle.submit_sync()
try:
    queue_item = handle.wait_for_completion_sync(
        poll_interval=2.0, timeout=240.0, progress_callback=lambda qi: qi.get("status") and lines.append(qi["status"])
    )
except RuntimeError as error:
    queue_item = {"status": "canceled", "error": str(error)}
if queue_item.get("status") == "completed":
    for m in handle.map_outputs_to_images(queue_item):
        name = (m.get("image_names") or [])[0]
        content = client.board_repo.get_board_handle(m.get("board_id") or "none").download_image(name)
        (folder / name).write_bytes(content)
"""

TINY_SDXL = Path(__file__).parents[1] / "tiny_sdxl_model.py"


@pytest.fixture
def tiny_sdxl(server: LocalServer, client: InvokeAIClient, tmp_path: Path) -> Iterator[str]:
    """The name of a tiny Stable Diffusion XL on the server."""
    folder = tmp_path / "tiny-sdxl"
    environment = {**os.environ, "PYTHONPATH": str(Path(local.__file__).parent)}
    subprocess.run([str(server.python), str(TINY_SDXL), str(folder)], env=environment, check=True, capture_output=True)
    model = client.models.install_model(folder, inplace=True).wait_until(60)
    yield model.name
    client.models.delete_model(model.key)


@pytest.fixture
def sdxl_file(tmp_path: Path) -> Path:
    """A text-to-image workflow of another machine for Stable Diffusion XL, with all that a script sets on its form."""
    model = {"key": "a", "hash": "b", "name": "Dream XL", "base": "sdxl", "type": "main"}
    nodes = [
        node("loader", "sdxl_model_loader", "1.0.4", model=model),
        node("positive", "string", "1.0.1", value=""),
        node("negative", "string", "1.0.1", value=""),
        node("yes", "sdxl_compel_prompt", "1.2.1", prompt="", style="", clip=None, clip2=None),
        node("no", "sdxl_compel_prompt", "1.2.1", prompt="", style="", clip=None, clip2=None),
        node("random", "rand_int", "1.0.1", low=0, high=2147483647),
        node("noise", "noise", "1.0.3", seed=0, width=1024, height=1024, use_cpu=True),
        node("denoise", "denoise_latents", "1.5.4", steps=30, cfg_scale=7.5, scheduler="euler", unet=None),
        node("decode", "l2i", "1.3.2", intermediate=False, board="auto", latents=None, vae=None),
    ]
    edges = [
        *(edge("loader", clip, prompt, clip) for clip in ("clip", "clip2") for prompt in ("yes", "no")),
        *(edge("positive", "value", "yes", name) for name in ("prompt", "style")),
        *(edge("negative", "value", "no", name) for name in ("prompt", "style")),
        edge("yes", "conditioning", "denoise", "positive_conditioning"),
        edge("no", "conditioning", "denoise", "negative_conditioning"),
        edge("random", "value", "noise", "seed"),
        edge("noise", "noise", "denoise", "noise"),
        edge("loader", "unet", "denoise", "unet"),
        edge("denoise", "latents", "decode", "latents"),
        edge("loader", "vae", "decode", "vae"),
    ]
    places = [
        ("loader", "model"),
        *((name, "value") for name in ("positive", "negative")),
        *(("noise", name) for name in ("width", "height")),
        *(("denoise", name) for name in ("steps", "cfg_scale", "scheduler")),
        ("decode", "board"),
    ]
    elements = [shown(f"e{number}", *place) for number, place in enumerate(places)]
    layout = form(container("root", *(element["id"] for element in elements)), *elements)
    document = {"name": "sdxl", "meta": {"version": "3.0.0"}, "nodes": nodes, "edges": edges, "exposedFields": []}
    path = tmp_path / "sdxl.json"
    path.write_text(json.dumps({**document, "form": layout}), encoding="utf-8")
    return path


@pytest.fixture
def on_form(text_to_image: WorkflowDefinition, tmp_path: Path) -> Path:
    """The text-to-image workflow with more of its inputs on the form, from a machine with another model."""
    document = text_to_image.to_dict()
    for each in document["nodes"]:
        inputs = each["data"].get("inputs", {})
        if each["data"]["type"] == "main_model_loader":
            inputs["model"]["value"] = {"key": "a", "hash": "b", "name": "Dream", "base": "sd-1", "type": "main"}
        for name in {"scheduler", "cfg_scale", "board"} & inputs.keys():
            shown = {"nodeId": each["id"], "fieldName": name}
            if shown not in document["exposedFields"]:
                document["exposedFields"].append(shown)
    document["form"] = None
    path = tmp_path / "workflow.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_a_script_of_the_earlier_client_saves_its_image(client: InvokeAIClient, on_form: Path) -> None:
    (tiny,) = client.models.list_models(base="sd-1", type="main")
    scope: dict[str, Any] = {"url": client.settings.url, "path": on_form, "new_key": tiny.key, "lines": []}
    try:
        exec(SCRIPT, scope)
        assert scope["renamed"] == [("Dream", tiny.name)]
        assert any(line.endswith("l2i False") for line in scope["lines"])
        assert PIL.Image.open(io.BytesIO(scope["data"])).size == (64, 64)
        assert (scope["tier"], scope["board_name"]) == ("results", "tigers")
        assert scope["statuses"][-1] == "completed"
        assert len(scope["outputs"]) == 1
        plain = json.loads(json.dumps([scope["queue_item"].to_dict(), scope["submission"].to_dict()]))
        assert plain[0]["item_id"] == plain[1]["item_id"]
        (row,) = [one for one in scope["handle"].preview() if one["value"] == "a tiger cub"]
        assert row["type"] == "StringField"
        client.board_repo.delete_board("tigers", delete_images=True)
    finally:
        scope["client"].close()


def test_a_script_for_sdxl_saves_its_image(
    client: InvokeAIClient, tiny_sdxl: str, sdxl_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    lines: list[str] = []
    scope: dict[str, Any] = {"url": client.settings.url, "path": sdxl_file, "folder": folder, "lines": lines}
    try:
        exec(SDXL_SCRIPT, scope)
        assert lines[0] == f"Dream XL -> {tiny_sdxl}"
        assert (lines[1], lines[-1]) == ("Value", "completed")
        (saved,) = folder.iterdir()
        with PIL.Image.open(saved) as image:
            assert image.size == (64, 128)
            # The values are in the graph that the server has run, under the names of the nodes.
            graph = json.loads(image.info["invokeai_graph"])
        assert graph["nodes"]["positive"]["value"] == "a harbour at night"
        denoise = graph["nodes"]["denoise"]
        assert (denoise["steps"], denoise["cfg_scale"], denoise["scheduler"]) == (3, 7.5, "dpmpp_3m_k")
        client.image_repo.delete_image(saved.name)
    finally:
        scope["client"].close()


def test_a_cancel_of_a_handle_acts_at_once(client: InvokeAIClient, sleep: dict[str, Any]) -> None:
    wf = client.workflow_repo.create_workflow_from_dict(sleep)
    wf.inputs["Seconds"].value = 30
    run = wf.submit_sync()
    queue = client.queue_repo.get_queue("default")
    assert queue.is_busy()
    wf.cancel()
    assert run.wait(timeout=30).status == "canceled"
    assert queue.wait_until_idle(timeout=30)
    assert not queue.is_busy()


def test_boards_are_sorted_by_their_age(client: InvokeAIClient) -> None:
    made = client.board_repo.create_board("new")
    try:
        boards = client.board_repo.list_boards(all=True, include_uncategorized=True)
        newest = max(boards, key=lambda board: board.created_at or "")
        assert newest.board_id == "none"
        assert min(boards, key=lambda board: board.created_at or "").board_id != "none"
    finally:
        client.board_repo.delete_board(made.board_id)


def test_a_board_repository_finds_an_image(client: InvokeAIClient) -> None:
    content = io.BytesIO()
    PIL.Image.new("RGB", (8, 8)).save(content, "PNG")
    image = client.board_repo.get_uncategorized_handle().upload_image_data(content.getvalue(), filename="a.png")
    assert client.board_repo.get_image_by_name(image.image_name).width == 8
    client.image_repo.delete_image(image.image_name)
    with pytest.raises(NotFoundError):
        client.board_repo.get_image_by_name(image.image_name)
