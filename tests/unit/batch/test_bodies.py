"""What is sent for the rows of a plan: for each row, what a submission of its values alone would send."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.documents import edge, node
from tests.support.plans import BOARD, HUGE, MODELS, TINY, document

from invokeai_py_client.batch.bodies import RowBodies
from invokeai_py_client.batch.plan_data import PlanData
from invokeai_py_client.batch.plan_options import PlanOptions
from invokeai_py_client.batch.planner import Planner
from invokeai_py_client.batch.rows import RowsBody
from invokeai_py_client.batch.server_names import ServerNames
from invokeai_py_client.batch.sources import replace, taken
from invokeai_py_client.catalog import Catalog
from invokeai_py_client.enqueue_body import Composer
from invokeai_py_client.errors import InputsNotReadyError, RejectedError
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.wire.call import Call, Query
from invokeai_py_client.wire.records.boards import BoardRecord
from invokeai_py_client.wire.records.images import ImageRecord
from invokeai_py_client.wire.records.models import ModelRecord
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.inputs import WorkflowInputs, shown_inputs
from invokeai_py_client.workflow.templates import NodeTemplates

PNG = (Path(__file__).parents[3] / "docs" / "demo.png").read_bytes()


class Server:
    """Has the models and the board of the support module, and takes images."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.images = ["a.png", "b.png"]
        self.uploads = 0
        self.rejects = 0
        """How many uploads are rejected."""

    def url_of(self, path: str, query: Query | None = None) -> str:
        return f"{self.settings.url}{path}"

    async def send(self, call: Call[Any]) -> Any:
        match call.path:
            case "/api/v2/models/":
                return [ModelRecord.model_validate(model) for model in MODELS]
            case "/api/v1/boards/":
                return [BoardRecord.model_validate(BOARD)]
            case "/api/v1/images/upload":
                if self.rejects:
                    self.rejects -= 1
                    raise RejectedError("Failed to read image.", status=415, method="POST", url="u")
                self.uploads += 1
                self.images.append(f"upload-{self.uploads}.png")
                return ImageRecord.model_construct(image_name=self.images[-1])
            case "/api/v1/images/images_by_names":
                names = [name for name in call.body["image_names"] if name in self.images]
                return [ImageRecord.model_construct(image_name=name) for name in names]
        raise AssertionError(f"not expected: {call.method} {call.path}")


class Plans:
    """Plans a workflow, and makes the bodies of its rows and those of single submissions."""

    def __init__(self, templates: NodeTemplates, engine: Engine) -> None:
        self.server = Server()
        self._templates = templates
        self._engine = engine
        self._catalog = Catalog(self.server, engine)

    def _composer(self, raw: dict[str, Any]) -> tuple[WorkflowDefinition, Composer, WorkflowInputs]:
        definition = WorkflowDefinition.from_dict(copy.deepcopy(raw))
        fields = WorkflowFields(definition, self._templates)
        composer = Composer(definition, self._templates, fields, self.server, self._catalog)
        return definition, composer, shown_inputs(definition, self._templates, fields)

    def plan(
        self, what: Any, raw: dict[str, Any] | None = None, values: Mapping[Any, Any] | None = None, **options: Any
    ) -> tuple[PlanData, RowBodies]:
        definition, composer, inputs = self._composer(raw or document())
        for key, value in (values or {}).items():
            inputs[key].value = value
        checked = PlanOptions(override_edge=True, **options).checked()
        planner = Planner(definition, definition, self._templates, composer.fields)
        names = ServerNames(models=MODELS, boards=[BOARD])
        plan = planner.plan(taken(what), checked).finished(names, checked.on_bad_row)
        return plan, RowBodies(plan, composer, self._catalog, definition, self._templates)

    def made(self, plan: PlanData, bodies: RowBodies, *, size: int = 100) -> list[RowsBody]:
        """Make the bodies of all rows, of so many rows each."""

        async def work() -> list[RowsBody]:
            found = []
            for group in plan.groups():
                prepared = await bodies.prepare(group)
                rows = [*group]
                found += [await prepared.body(rows[start : start + size]) for start in range(0, len(rows), size)]
            return found

        return self._engine.block(work())

    def check(self, bodies: RowBodies) -> None:
        self._engine.block(bodies.check())

    def single(self, values: Mapping[Any, Any], raw: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the batch of a single submission of these values."""
        _, composer, inputs = self._composer(raw or document())
        for key, value in values.items():
            inputs[key].set(value, override_edge=True)
        batch: dict[str, Any] = self._engine.block(composer.compose(check=True))["batch"]
        return batch


@pytest.fixture
def plans(templates: NodeTemplates) -> Iterator[Plans]:
    engine = Engine()
    yield Plans(templates, engine)
    engine.close()


def graphs(made: Sequence[RowsBody]) -> dict[int, dict[str, Any]]:
    """Return the graph that the server makes for each row, by its index, as its queue does."""
    found: dict[int, dict[str, Any]] = {}
    for one in made:
        batch = one.body["batch"]
        [data] = batch["data"] or [[]]
        assert len({(datum["node_path"], datum["field_name"]) for datum in data}) == len(data)
        items = [*zip(*(datum["items"] for datum in data), strict=True)] if data else [()] * batch["runs"]
        assert len(items) == len(one.rows)
        for row, values in zip(one.rows, items, strict=True):
            graph = copy.deepcopy(batch["graph"])
            for datum, value in zip(data, values, strict=True):
                assert isinstance(value, str | int | float) or {*value} == {"image_name"}
                assert not isinstance(value, bool)
                graph["nodes"][datum["node_path"]][datum["field_name"]] = value
            found[row.index] = graph
    return found


VARIED: dict[Any, list[Any]] = {
    "Positive Prompt": ["a", "b"],
    "Model": ["huge", TINY],
    "Use Cpu": [True, False],
    "Radius": [1, 2.5],
    "Blur Type": ["gaussian", "box"],
    "Image": ["a.png", "b.png"],
    ("noise", "seed"): [7, 8],
    "Board": ["Cats", "auto"],
    ("add", "a"): [3, 4],
}


@pytest.mark.parametrize("size", [100, 1])
def test_each_row_runs_what_a_submission_of_its_values_would(plans: Plans, size: int) -> None:
    plan, bodies = plans.plan(VARIED, combine="zip")
    sent = graphs(plans.made(plan, bodies, size=size))
    for index in range(2):
        values = {key: values[index] for key, values in VARIED.items()}
        assert sent[index] == plans.single(values)["graph"]


def test_one_request_runs_all_rows_of_a_graph(plans: Plans) -> None:
    plan, bodies = plans.plan({"Width": range(64, 64 + 8 * 50, 8), "Model": ["tiny", "huge"]}, seeds=2)
    made = plans.made(plan, bodies)
    assert [len(one.rows) for one in made] == [100, 100]
    assert [one.body["batch"]["runs"] for one in made] == [1, 1]
    assert [one.body["batch"]["graph"]["nodes"]["model"]["model"]["key"] for one in made] == ["k-tiny", "k-huge"]
    assert (
        graphs(made)[3]["nodes"]["noise"]
        == plans.single({"Width": 64, ("noise", "seed"): 1})["graph"]["nodes"]["noise"]
    )


def test_edges_from_random_nodes_are_left_out_of_what_is_sent(plans: Plans) -> None:
    plan, bodies = plans.plan({}, seeds=[7])
    [made] = plans.made(plan, bodies)
    assert made.body["batch"]["graph"]["edges"] == []
    # The workflow that is stored stays the one that was planned.
    assert len(made.body["batch"]["workflow"]["edges"]) == 1


def test_the_stored_workflow_does_not_depend_on_the_rows_that_are_sent_together(plans: Plans) -> None:
    plan, bodies = plans.plan({"Width": [64, 128], "Model": ["huge", "tiny"]}, values={"Width": 192})
    together = [one.body["batch"]["workflow"] for one in plans.made(plan, bodies)]
    alone = [one.body["batch"]["workflow"] for one in plans.made(plan, bodies, size=1)]
    assert [together[0]] * 2 + [together[1]] * 2 == alone
    inputs = [{node["id"]: node["data"]["inputs"] for node in workflow["nodes"]} for workflow in together]
    assert [one["model"]["model"]["value"]["key"] for one in inputs] == ["k-huge", "k-tiny"]
    assert [one["noise"]["width"]["value"] for one in inputs] == [192, 192]


def test_rows_that_run_the_same_are_runs_of_one_graph(plans: Plans) -> None:
    plan, bodies = plans.plan([{"Use Cpu": False}] * 3)
    [made] = plans.made(plan, bodies)
    assert made.body["batch"]["runs"] == 3
    assert made.body["batch"]["data"] == []
    assert [row.repetition for row in made.rows] == [0, 1, 2]


def test_an_empty_value_is_left_out_of_the_graph(plans: Plans) -> None:
    raw = document()
    raw["nodes"].append(node("meta", "core_metadata", "2.1.0", seed=5))
    plan, bodies = plans.plan({("meta", "seed"): [1, None]}, raw)
    sent = graphs(plans.made(plan, bodies))
    assert sent[0]["nodes"]["meta"]["seed"] == 1
    assert "seed" not in sent[1]["nodes"]["meta"]


def test_images_of_this_machine_are_uploaded_once_each(plans: Plans, tmp_path: Path) -> None:
    for name, content in (("1.png", PNG), ("2.png", PNG + b"x"), ("3.png", PNG)):
        (tmp_path / name).write_bytes(content)
    plan, bodies = plans.plan({"Image": tmp_path, "Width": [64, 128]})
    assert plans.server.uploads == 0
    sent = graphs(plans.made(plan, bodies))
    assert plans.server.uploads == 2
    names = [sent[index]["nodes"]["blur"]["image"]["image_name"] for index in range(6)]
    assert names[:2] == names[4:]
    assert names[0] == names[1] != names[2] == names[3]


def test_a_row_whose_image_is_gone_is_refused_and_the_others_run(plans: Plans, tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(PNG + name.encode())
    plan, bodies = plans.plan({"Image": tmp_path})
    (tmp_path / "1.png").unlink()
    [made] = plans.made(plan, bodies)
    assert [row.index for row in made.rows] == [1]
    [(row, why)] = made.refused
    assert row.index == 0
    assert "1.png" in why
    assert "No such file" in why
    (tmp_path / "2.png").unlink()
    alone = plans.made(*plans.plan({"Image": ["a.png"]}))
    assert alone[0].refused == ()


def test_an_image_that_the_server_rejects_fails_its_own_rows(plans: Plans, tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(PNG + name.encode())
    plan, bodies = plans.plan({"Image": tmp_path, "Width": [64, 128]})
    plans.server.rejects = 1
    [made] = plans.made(plan, bodies)
    # Which one is uploaded first is open.
    refused = {str(row.values["Image"]) for row, _ in made.refused}
    assert len(refused) == 1
    assert refused.isdisjoint(str(row.values["Image"]) for row in made.rows)
    assert (len(made.rows), len(made.refused)) == (2, 2)
    assert all(next(iter(refused)) in why and "Failed to read image" in why for _, why in made.refused)


def test_a_group_of_which_no_row_can_be_sent_has_no_body(plans: Plans, tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(PNG)
    plan, bodies = plans.plan({"Image": tmp_path})
    (tmp_path / "1.png").unlink()
    [made] = plans.made(plan, bodies)
    assert made.rows == ()
    assert len(made.refused) == 1


def test_a_list_of_images_is_uploaded_with_the_graph(plans: Plans, tmp_path: Path) -> None:
    raw = document()
    raw["nodes"].append(node("all", "image_collection", "1.0.1", collection=[{"image_name": "a.png"}]))
    (tmp_path / "1.png").write_bytes(PNG)
    plan, bodies = plans.plan({("all", "collection"): [[tmp_path / "1.png", "b.png"], ["a.png"]]}, raw)
    sent = graphs(plans.made(plan, bodies))
    assert sent[0]["nodes"]["all"]["collection"] == [{"image_name": "upload-1.png"}, {"image_name": "b.png"}]
    assert sent[1]["nodes"]["all"]["collection"] == [{"image_name": "a.png"}]


def test_an_image_of_the_workflow_that_no_row_uses_is_not_needed(plans: Plans, tmp_path: Path) -> None:
    own = tmp_path / "own.png"
    own.write_bytes(PNG)
    plan, bodies = plans.plan({"Image": ["a.png", "b.png"]}, values={"Image": own})
    own.unlink()
    sent = graphs(plans.made(plan, bodies))
    assert plans.server.uploads == 0
    assert [sent[index]["nodes"]["blur"]["image"]["image_name"] for index in range(2)] == ["a.png", "b.png"]


def test_replaced_and_drawn_texts_are_sent(plans: Plans) -> None:
    what = {"animal": replace("Positive Prompt", "cat", ["{owl|owl}", "dog"])}
    plan, bodies = plans.plan(what, dynamic_prompts="random", seeds="random")
    sent = graphs(plans.made(plan, bodies))
    assert [sent[index]["nodes"]["prompt"]["value"] for index in range(2)] == ["a owl on a mat", "a dog on a mat"]
    assert [sent[row.index]["nodes"]["noise"]["seed"] for row in plan] == [row.seed for row in plan]


def test_a_batch_node_that_is_cut_off_is_not_sent(plans: Plans) -> None:
    raw = document()
    raw["nodes"].append(node("batch", "integer_batch", "1.0.0", integers=[64, 128]))
    raw["edges"].append(edge("batch", "value", "noise", "width"))
    plan, bodies = plans.plan({"Width": [64, 192]}, raw)
    sent = graphs(plans.made(plan, bodies))
    assert [sent[index]["nodes"]["noise"]["width"] for index in range(2)] == [64, 192]
    assert "batch" not in sent[0]["nodes"]


def test_a_workflow_that_cannot_run_is_refused_before_anything_is_uploaded(plans: Plans, tmp_path: Path) -> None:
    raw = document()
    raw["nodes"][4]["data"]["inputs"]["vae_model"]["value"] = None
    (tmp_path / "1.png").write_bytes(PNG)
    _, bodies = plans.plan({"Image": tmp_path}, raw)
    with pytest.raises(InputsNotReadyError, match="it needs a value"):
        plans.check(bodies)
    assert plans.server.uploads == 0
    good, fine = plans.plan({"Model": [HUGE, "tiny"]})
    plans.check(fine)
    assert len(good) == 2


def test_uploads_that_fail_raise_their_error(plans: Plans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "1.png").write_bytes(PNG)
    plan, bodies = plans.plan({"Image": tmp_path})

    async def fails(call: Call[Any]) -> Any:
        await asyncio.sleep(0)
        raise InputsNotReadyError("the server is away")

    monkeypatch.setattr(plans.server, "send", fails)
    with pytest.raises(InputsNotReadyError, match="the server is away"):
        plans.made(plan, bodies)
