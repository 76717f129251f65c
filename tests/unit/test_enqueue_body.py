"""What a submission asks the server, in which order, and what it leaves undone when it is refused."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

import pytest
from tests.documents import edge, node

from invokeai_py_client import errors
from invokeai_py_client.catalog import Catalog
from invokeai_py_client.enqueue_body import Composer
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.wire.call import Call, Query
from invokeai_py_client.wire.records.app import DynamicPromptsResult
from invokeai_py_client.wire.records.boards import BoardRecord
from invokeai_py_client.wire.records.images import ImageRecord
from invokeai_py_client.wire.records.models import ModelRecord
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.inputs import WorkflowInputs, shown_inputs
from invokeai_py_client.workflow.templates import NodeTemplates

PNG = (Path(__file__).parents[2] / "docs" / "demo.png").read_bytes()
TINY = {"key": "k", "hash": "h", "name": "tiny", "base": "sd-1", "type": "main"}
BOARD = {"board_id": "b-1", "board_name": "Cats"}


class Server:
    """Answers what a submission asks, and remembers it."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.asked: list[str] = []
        self.images: list[str] = []

    def url_of(self, path: str, query: Query | None = None) -> str:
        return f"{self.settings.url}{path}"

    async def send(self, call: Call[Any]) -> Any:
        self.asked.append(f"{call.method} {call.path}")
        match call.path:
            case "/api/v2/models/":
                return [ModelRecord.model_validate(TINY)]
            case "/api/v1/boards/":
                return [BoardRecord.model_validate(BOARD)]
            case "/api/v1/images/upload":
                self.images.append(f"{len(self.images)}.png")
                return ImageRecord.model_construct(image_name=self.images[-1])
            case "/api/v1/images/images_by_names":
                names = [name for name in call.body["image_names"] if name in self.images]
                return [ImageRecord.model_construct(image_name=name) for name in names]
            case "/api/v1/utilities/dynamicprompts":
                return DynamicPromptsResult(prompts=["a", "b"], error=None)
        raise AssertionError(f"not expected: {call.method} {call.path}")


@pytest.fixture
def server() -> Server:
    return Server()


BLUR: dict[str, Any] = {
    "name": "blur",
    "meta": {"version": "3.0.0"},
    "nodes": [node("blur", "img_blur", "1.2.2", radius=2), node("more", "img_blur", "1.2.2", radius=2)],
    "edges": [edge("blur", "image", "more", "image")],
}


class Workflow:
    def __init__(self, document: dict[str, Any], templates: NodeTemplates, server: Server, engine: Engine) -> None:
        self.definition = WorkflowDefinition.from_dict(copy.deepcopy(document))
        self.fields = WorkflowFields(self.definition, templates)
        self.inputs: WorkflowInputs = shown_inputs(self.definition, templates, self.fields)
        self._engine = engine
        self._composer = Composer(self.definition, templates, self.fields, server, Catalog(server, engine))

    def problems(self) -> list[tuple[str, str, str]]:
        found = self._engine.block(self._composer.problems())
        return [(one.place.node_id, one.place.name, one.why) for one in found]

    def batch(self, *, check: bool = True) -> dict[str, Any]:
        body: dict[str, Any] = self._engine.block(self._composer.compose(check=check))["batch"]
        return body

    def bind(self) -> Any:
        return self._engine.block(self._composer.bind_models(by_name=True, by_base=True))


def test_a_validation_uploads_nothing(templates: NodeTemplates, server: Server, engine: Engine) -> None:
    wf = Workflow(BLUR, templates, server, engine)
    wf.inputs["blur", "image"].value = PNG
    assert wf.problems() == []
    assert server.asked == []


def test_a_submission_that_is_refused_uploads_nothing(templates: NodeTemplates, server: Server, engine: Engine) -> None:
    wf = Workflow(BLUR, templates, server, engine)
    wf.inputs["blur", "image"].value = PNG
    wf.inputs["more", "board"].value = "No such board"
    with pytest.raises(errors.InputsNotReadyError):
        wf.batch()
    with pytest.raises(errors.InputsNotReadyError):
        wf.batch(check=False)
    server.settings = Settings(default_board="No such board")
    wf.inputs["more", "board"].value = "auto"
    with pytest.raises(errors.SettingsError):
        wf.batch()
    assert "POST /api/v1/images/upload" not in server.asked


def test_what_is_used_is_uploaded_last(templates: NodeTemplates, server: Server, engine: Engine) -> None:
    wf = Workflow(BLUR, templates, server, engine)
    wf.inputs["blur", "image"].value = PNG
    wf.inputs["more", "image"].set(PNG, override_edge=True)
    wf.inputs["more", "board"].value = "Cats"
    batch = wf.batch()
    assert batch["graph"]["edges"] == []
    assert (
        batch["graph"]["nodes"]["blur"]["image"] == batch["graph"]["nodes"]["more"]["image"] == {"image_name": "0.png"}
    )
    assert batch["graph"]["nodes"]["more"]["board"] == {"board_id": "b-1"}
    assert server.asked == ["GET /api/v1/boards/", "POST /api/v1/images/upload"]


def test_a_file_that_vanished_is_a_problem(
    templates: NodeTemplates, server: Server, engine: Engine, tmp_path: Path
) -> None:
    wf = Workflow(BLUR, templates, server, engine)
    picture = tmp_path / "a.png"
    picture.write_bytes(PNG)
    wf.inputs["blur", "image"].value = picture
    picture.unlink()
    ((node_id, name, why),) = wf.problems()
    assert (node_id, name) == ("blur", "image")
    assert "cannot be read" in why
    with pytest.raises(errors.InputsNotReadyError, match=r"a\.png"):
        wf.batch()


def test_all_problems_are_reported_together(templates: NodeTemplates, server: Server, engine: Engine) -> None:
    gone = {"key": "gone", "hash": "h", "name": "Gone", "base": "sdxl", "type": "main"}
    document = copy.deepcopy(BLUR)
    document["nodes"] += [
        node("one", "sdxl_model_loader", templates["sdxl_model_loader"].version, model=gone),
        node("two", "sdxl_model_loader", templates["sdxl_model_loader"].version, model=gone),
        node("odd", "no_such_node", "1.0.0"),
        node("empty", "integer_batch", templates["integer_batch"].version, integers=[], batch_group_id="None"),
        node("bad", "string_generator", templates["string_generator"].version, generator={"type": "odd"}),
        node("texts", "string_batch", templates["string_batch"].version, strings=[], batch_group_id="None"),
    ]
    document["edges"].append(edge("bad", "strings", "texts", "strings"))
    wf = Workflow(document, templates, server, engine)
    wf.fields.get("blur", "radius")
    wf.inputs["more", "board"].value = "Dogs"
    problems = wf.problems()
    assert {(node_id, name) for node_id, name, _ in problems} == {
        ("odd", ""),
        ("blur", "image"),
        ("one", "model"),
        ("two", "model"),
        ("empty", ""),
        ("empty", "integers"),
        ("bad", "generator"),
        ("texts", ""),
        ("more", "board"),
    }
    with pytest.raises(errors.UnknownNodeError) as caught:
        wf.batch()
    assert sorted(caught.value.problems) == sorted(problems)
    # Once, however many inputs name it.
    assert str(caught.value).count("the server does not have the model 'Gone' (sdxl main, key gone)") == 1
    assert isinstance(caught.value, errors.InputsNotReadyError)


def test_a_rebinding_that_changes_the_name_is_logged(
    templates: NodeTemplates, server: Server, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    other = {**TINY, "key": "o", "hash": "o", "name": "dreamshaper-8"}
    document = {**BLUR, "nodes": [node("m", "main_model_loader", "1.0.4", model=other)], "edges": []}
    wf = Workflow(document, templates, server, engine)
    with caplog.at_level(logging.WARNING, "invokeai_py_client"):
        binding = wf.bind()
    assert [change.new["name"] for change in binding.renamed] == ["tiny"]
    (record,) = caplog.records
    assert "'dreamshaper-8' (sd-1 main) -> 'tiny' (sd-1 main)" in record.getMessage()
    caplog.clear()
    assert len(wf.bind()) == 0
    assert caplog.records == []


def test_a_submission_says_why_no_model_was_bound(templates: NodeTemplates, server: Server, engine: Engine) -> None:
    gone = {**TINY, "key": "gone", "name": "Gone", "base": "sdxl", "type": "lora"}
    version = templates["sdxl_lora_collection_loader"].version
    nodes = [
        node("empty", "sdxl_model_loader", templates["sdxl_model_loader"].version),
        node("loras", "sdxl_lora_collection_loader", version, loras=[{"lora": gone, "weight": 1}]),
        node(
            "wide", "main_model_loader", "1.0.4", model={**TINY, "key": "x", "hash": "x", "base": "sd-2", "name": "x"}
        ),
    ]
    wf = Workflow({**BLUR, "nodes": nodes, "edges": []}, templates, server, engine)
    before = wf.problems()
    assert len(wf.bind().unbound) == 3
    reason = ", and no model fits: "
    assert wf.problems() == [
        ("empty", "model", f"{before[0][2]}{reason}the server has no main model of base sdxl; install one"),
        ("loras", "loras", f"{before[1][2]}{reason}the server has no lora model of base sdxl; install one"),
        (
            "wide",
            "model",
            f"{before[2][2]}{reason}none of the 1 installed models of a suitable base and type matches it: 'tiny'",
        ),
    ]
    wf.inputs["wide", "model"].value = "No such"
    assert reason not in wf.problems()[1][2]


def test_an_old_reference_is_sent_as_the_web_ui_would_until_it_is_bound(
    templates: NodeTemplates, server: Server, engine: Engine
) -> None:
    old = {"model_name": "tiny", "base_model": "sd-1", "model_type": "main"}
    document = {**BLUR, "nodes": [node("m", "main_model_loader", "1.0.4", model=old)], "edges": []}
    wf = Workflow(document, templates, server, engine)
    sent = wf.batch(check=False)["graph"]["nodes"]["m"]["model"]
    assert sent["type"] == "float_generator_arithmetic_sequence"
    with pytest.raises(errors.InputsNotReadyError, match=r"'tiny' \(sd-1 main\).*sync_dnn_model"):
        wf.batch()
    (change,) = wf.bind()
    assert not change.is_renamed
    assert wf.batch()["graph"]["nodes"]["m"]["model"] == TINY
