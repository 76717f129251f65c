"""A script in the style of client 1.1, and what such scripts do with boards, the queue and installations."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.errors import NotFoundError

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


@pytest.fixture
def on_form(text_to_image: WorkflowDefinition, tmp_path: Path) -> Path:
    """The text-to-image workflow with more of its inputs on the form, from a machine with another model."""
    document = text_to_image.to_dict()
    for node in document["nodes"]:
        inputs = node["data"].get("inputs", {})
        if node["data"]["type"] == "main_model_loader":
            inputs["model"]["value"] = {"key": "a", "hash": "b", "name": "Dream", "base": "sd-1", "type": "main"}
        for name in {"scheduler", "cfg_scale", "board"} & inputs.keys():
            shown = {"nodeId": node["id"], "fieldName": name}
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
