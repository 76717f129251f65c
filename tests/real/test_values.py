"""Values that only the server can complete, and what is told when it cannot."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from tests.documents import edge, node

from invokeai_py_client import InvokeAIClient, WorkflowDefinition, WorkflowHandle, errors
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Call, Response


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is sent from here on, as `METHOD path`."""
    sent: list[str] = []
    fetch = HttpTransport.fetch

    async def counted(self: HttpTransport, call: Call[Any]) -> Response:
        sent.append(f"{call.method} {call.path}")
        return await fetch(self, call)

    monkeypatch.setattr(HttpTransport, "fetch", counted)
    return sent


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    PIL.Image.new("RGB", (48, 32), "red").save(path)
    return path


@pytest.fixture
def blurring(client: InvokeAIClient, blur: dict[str, Any]) -> WorkflowHandle:
    """A workflow that blurs an image of the user's, to a board of the user's."""
    blur["nodes"] = [one for one in blur["nodes"] if one["id"] == "blur"]
    blur["nodes"][0]["data"]["inputs"]["image"] = {"name": "image", "label": ""}
    blur["edges"] = []
    blur["exposedFields"] = [{"nodeId": "blur", "fieldName": name} for name in ("image", "radius", "board")]
    return client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))


def board(client: InvokeAIClient, name: str) -> str:
    board_id: str = client._make_request("POST", "/boards/", params={"board_name": name}).json()["board_id"]
    return board_id


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "pil"])
def test_an_image_of_the_users_is_uploaded_and_used(blurring: WorkflowHandle, picture: Path, kind: str) -> None:
    with PIL.Image.open(picture) as opened:
        blurring.inputs["Image"].value = {
            "path": picture,
            "text": str(picture),
            "bytes": picture.read_bytes(),
            "pil": opened,
        }[kind]
    run = blurring.submit_sync()
    assert run.result(timeout=30).status == "completed"
    (image,) = run.images
    assert image.pil().size == (48, 32)


def test_one_content_is_uploaded_once(
    blurring: WorkflowHandle, client: InvokeAIClient, picture: Path, requests: list[str]
) -> None:
    content = picture.read_bytes()

    async def many() -> None:
        handles = [await client.aio.workflow_repo.create_workflow(blurring.definition) for _ in range(8)]
        for n, wf in enumerate(handles):
            wf.inputs["Image"].value = picture if n % 2 else content
        await asyncio.gather(*(wf.submit() for wf in handles))
        ends = await asyncio.gather(*(wf.wait_for_completion(timeout=60) for wf in handles))
        assert [end.status for end in ends] == ["completed"] * 8

    asyncio.run(many())
    assert requests.count("POST /api/v1/images/upload") == 1


def test_an_upload_that_was_deleted_is_made_again(
    blurring: WorkflowHandle, client: InvokeAIClient, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invokeai_py_client.catalog.FRESH", 0.0)
    blurring.inputs["Image"].value = picture
    first = blurring._build_submission()["batch"]["graph"]["nodes"]["blur"]["image"]["image_name"]
    assert blurring._build_submission()["batch"]["graph"]["nodes"]["blur"]["image"]["image_name"] == first
    client.delete_image(first)
    second = blurring._build_submission()["batch"]["graph"]["nodes"]["blur"]["image"]["image_name"]
    assert second != first
    assert client.image_repo.get_image(second).width == 48


def test_a_board_by_name_takes_the_result_and_is_reported_by_the_mapping(
    blurring: WorkflowHandle, client: InvokeAIClient, picture: Path
) -> None:
    board_id = board(client, "Blurred things")
    blurring.inputs["Image"].value = picture
    blurring.inputs["Board"].value = "Blurred things"
    run = blurring.submit_sync()
    blurring.inputs["Board"].value = "none"  # after the submit: what is told is what was sent
    (mapping,) = blurring.map_outputs_to_images(run.result(timeout=30))
    assert mapping.board_id == board_id
    assert client.image_repo.get_image(mapping.image_names[0]).board_id == board_id


def test_the_clients_default_board_is_what_auto_means(server: Any, blur: dict[str, Any]) -> None:
    with InvokeAIClient.from_url(server.url, default_board="By default") as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))
        with pytest.raises(errors.SettingsError, match="By default"):
            wf.submit_sync()
        board_id = board(client, "By default")
        (mapping,) = wf.map_outputs_to_images(wf.submit_sync().result(timeout=30))
        assert mapping.board_id == board_id
        assert client.image_repo.get_image(mapping.image_names[0]).board_id == board_id


def test_a_model_by_name_and_a_record_run(client: InvokeAIClient, text_to_image: WorkflowDefinition) -> None:
    wf = client.workflow_repo.create_workflow(text_to_image)
    (model,) = [m for m in client.dnn_model_repo.list_models() if m.type == "main"]
    field = next(i for i in wf.inputs if i.type_name == "ModelIdentifierField")
    for value in (model.name, model.key, model):
        field.value = value
        node = wf._build_submission()["batch"]["graph"]["nodes"][field.node_id]
        assert node["model"] == {part: model[part] for part in ("key", "hash", "name", "base", "type")}
    assert wf.validate_inputs() == {}
    wf.submit_sync().result(timeout=60)


def test_all_unknown_names_are_reported_together(blurring: WorkflowHandle) -> None:
    blurring.inputs["Image"].value = "no-such-image.png"
    blurring.inputs["Board"].value = "No Such Board"
    problems = blurring.validate_inputs()
    assert [*problems] == [2, 0]
    assert "no suitable board" in problems[2][0]
    assert problems[0] == ["the server does not have the image 'no-such-image.png'"]
    with pytest.raises(errors.InputsNotReadyError) as caught:
        blurring.submit_sync()
    assert {field for _, field, _ in caught.value.problems} == {"image", "board"}


def test_what_is_gone_is_reported_by_validate_and_sent_by_build(
    client: InvokeAIClient, text_to_image: WorkflowDefinition
) -> None:
    document = text_to_image.to_dict()
    for one in document["nodes"]:
        if "model" in one["data"]["inputs"]:
            absent = {"key": "gone", "hash": "h", "name": "Gone", "base": "sd-1", "type": "main"}
            one["data"]["inputs"]["model"]["value"] = absent
        if "board" in one["data"]["inputs"]:
            one["data"]["inputs"]["board"]["value"] = {"board_id": "gone too"}
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document))
    told = [why for whys in wf.validate_inputs().values() for why in whys]
    assert sorted(told, reverse=True) == [
        "the server does not have the model 'Gone' (sd-1 main, key gone)",
        "the server does not have the board 'gone too'",
    ]
    nodes = wf._build_submission()["batch"]["graph"]["nodes"].values()
    assert [one["model"]["key"] for one in nodes if "model" in one] == ["gone"]
    assert [one["board"] for one in nodes if "board" in one] == [{"board_id": "gone too"}]


def test_an_input_that_the_form_does_not_show_can_be_set(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))
    hidden = wf.inputs["blank", "height"]
    assert hidden.index is None
    hidden.value = 32
    assert wf._build_submission()["batch"]["graph"]["nodes"]["blank"]["height"] == 32
    assert "height" not in [i.field_name for i in wf.inputs]
    with pytest.raises(errors.InputNotFoundError):
        wf.inputs["blank", "no_such_input"]


def test_iterated_nodes_map_their_images_in_order(client: InvokeAIClient) -> None:
    document = {
        "name": "iterated",
        "meta": {"version": "3.0.0", "category": "user"},
        "exposedFields": [],
        "nodes": [
            node("range", "range", "1.0.0", start=64, stop=192, step=32),
            node("each", "iterate", "1.1.0"),
            node("blank", "blank_image", "1.2.2", intermediate=False, width=64, height=16, mode="RGB", board="auto"),
        ],
        "edges": [edge("range", "collection", "each", "collection"), edge("each", "item", "blank", "width")],
    }
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document))
    run = wf.submit_sync()
    (mapping,) = wf.map_outputs_to_images(run.result(timeout=30))
    assert [client.image_repo.get_image(name).width for name in mapping.image_names] == [64, 96, 128, 160]
    assert len({io.BytesIO(image.bytes()).getvalue() for image in run.images}) == 4


def test_nothing_is_uploaded_for_a_submission_that_is_refused(
    blurring: WorkflowHandle, picture: Path, requests: list[str]
) -> None:
    blurring.inputs["Image"].value = picture
    assert blurring.validate_inputs() == {}
    blurring.inputs["Board"].value = "No Such Board"
    with pytest.raises(errors.InputsNotReadyError):
        blurring.submit_sync()
    assert "POST /api/v1/images/upload" not in requests


def test_a_value_takes_the_place_of_an_edge(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    blur["nodes"].append(node("random", "rand_int", "1.0.1", low=512, high=1024))
    blur["edges"].append(edge("random", "value", "blank", "width"))
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))
    with pytest.raises(errors.InputConnectedError, match=r"random\.value -> blank\.width"):
        wf.inputs["blank_image", "width"].value = 72
    wf.set_many({("blank", "width"): 72, "Radius": 1}, override_edge=True)
    run = wf.submit_sync()
    run.result(timeout=30)
    (image,) = run.images
    assert client.image_repo.get_image(image.name).width == 72
    # The workflow that the server keeps with the image runs the same.
    kept = client.workflow_repo.create_workflow(WorkflowDefinition.from_image(image.name, client))
    assert kept.inputs["blank", "width"].value == 72
    assert kept.inputs["blank", "width"].edge is None


def test_a_model_reference_of_an_old_file_is_bound_and_runs(
    client: InvokeAIClient, text_to_image: WorkflowDefinition
) -> None:
    document = text_to_image.to_dict()
    for one in document["nodes"]:
        if one["data"]["type"] == "main_model_loader":
            value = {"model_name": "tiny-sd-1", "base_model": "sd-1", "model_type": "main"}
            one["data"]["inputs"]["model"]["value"] = value
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document))
    with pytest.raises(errors.InputsNotReadyError, match=r"'tiny-sd-1' \(sd-1 main\) in an old format"):
        wf.submit_sync()
    (change,) = wf.sync_dnn_model(by_base=False)
    assert not change.is_renamed
    assert wf.validate_inputs() == {}
    wf.submit_sync().result(timeout=60)


def test_numbers_that_are_whole_run(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))
    wf.inputs["Width"].value = 128.0
    run = wf.submit_sync()
    run.result(timeout=30)
    assert client.image_repo.get_image(run.images[0].name).width == 128
