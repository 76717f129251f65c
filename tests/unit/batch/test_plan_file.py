"""Plans in files: what comes back is the same plan, also on another machine and for another server."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.documents import node
from tests.support.plans import HUGE, SERVER, TINY, document, planned

from invokeai_py_client.batch.plan_data import PlanData
from invokeai_py_client.batch.plan_file import plan_text, read_plan, save_plan
from invokeai_py_client.batch.planner import Planner
from invokeai_py_client.batch.server_names import ServerNames
from invokeai_py_client.batch.sources import replace
from invokeai_py_client.errors import PlanError, WorkflowVersionError
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.inputs import shown_inputs
from invokeai_py_client.workflow.templates import NodeTemplates

PNG = (Path(__file__).parents[3] / "docs" / "demo.png").read_bytes()


def load(templates: NodeTemplates, path: Path, server: ServerNames = SERVER) -> PlanData:
    saved = read_plan(path)
    fields = WorkflowFields(saved.definition, templates)
    inputs = shown_inputs(saved.definition, templates, fields)
    for node_id, name, value, replaces_edge in saved.values:
        inputs[node_id, name].set(value, override_edge=replaces_edge)
    planner = Planner(saved.definition, saved.definition, templates, fields)
    return planner.restored(saved).finished(server, "skip" if saved.skips_bad_rows else "raise")


def is_same(one: PlanData, other: PlanData) -> bool:
    return (
        [*one] == [*other]
        and one.shown_axes == other.shown_axes
        and [[*group.indexes] for group in one.groups()] == [[*group.indexes] for group in other.groups()]
        and (one.random_seed, one.sample_seed, one.workflow) == (other.random_seed, other.sample_seed, other.workflow)
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda make: make({"Positive Prompt": ["a", "b"], "Width": [64, 128]}, seeds=3),
        lambda make: make({("Width", "Height"): [(64, 128), (128, 64)], "Model": ["huge", TINY]}),
        lambda make: make({"Positive Prompt": ["{a|b} __c__"] * 9}, seeds="random", dynamic_prompts="random"),
        lambda make: make({"animal": replace("Positive Prompt", "cat", ["dog", "owl"])}, values={"Width": 128}),
        lambda make: make({("add", "a"): range(10**6), ("add", "b"): range(10**6)}, sample=20),
        lambda make: make([{"Width": 64, "#who": "Ann"}, {"Width": 65, "#who": None}], on_bad_row="skip"),
        lambda make: make({"Image": [PNG, "a.png"], "Board": ["Cats", "none", None], "Use Cpu": [True, False]}),
        lambda make: make({"Radius": [1.5]}, values={"Model": "huge", ("noise", "seed"): 7, "Board": "Cats"}),
    ],
    ids=["product", "group", "drawn", "replaced", "sample", "rows", "images and boards", "values of the workflow"],
)
def test_a_plan_comes_back_as_it_was(templates: NodeTemplates, tmp_path: Path, make: Callable[..., PlanData]) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "c.txt").write_text("one\ntwo\nthree\n")

    def with_words(what: Any, **options: Any) -> PlanData:
        folder = tmp_path / "words" if "dynamic_prompts" in options else None
        return planned(templates, what, wildcards=folder, **options)

    plan = make(with_words)
    path = save_plan(plan, tmp_path / "plan.json")
    # The wildcards are in the plan.
    shutil.rmtree(tmp_path / "words")
    assert is_same(load(templates, path), plan)


def test_images_beside_a_plan_go_with_it(templates: NodeTemplates, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "photos").mkdir(parents=True)
    (here / "photos" / "a.png").write_bytes(PNG)
    plan = planned(templates, {"Image": here / "photos"})
    save_plan(plan, here / "plan.json")
    shutil.move(here, there)
    again = load(templates, there / "plan.json")
    assert [row.row_id for row in again] == [row.row_id for row in plan]
    assert again.row(0).values["Image"] == str(there / "photos" / "a.png")
    shutil.rmtree(there / "photos")
    with pytest.raises(PlanError, match=r"row 0, 'Image': .*No such file"):
        load(templates, there / "plan.json")


def test_a_plan_for_another_machine_holds_its_images(templates: NodeTemplates, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    plan = planned(templates, {"Image": [tmp_path / "a.png"]})
    text = plan_text(plan, tmp_path, holds_images=True)
    (tmp_path / "a.png").unlink()
    path = tmp_path / "plan.json"
    path.write_bytes(text)
    again = load(templates, path)
    assert again.raws(0)[0].source == PNG
    assert [row.row_id for row in again] == [row.row_id for row in plan]
    # What is gone already is named, so that the row says so.
    assert b"a.png" in plan_text(plan, tmp_path, holds_images=True)


def test_a_model_is_found_by_its_hash_on_another_server(templates: NodeTemplates, tmp_path: Path) -> None:
    plan = planned(templates, {"Model": ["huge"]})
    path = save_plan(plan, tmp_path / "plan.json")
    elsewhere = load(templates, path, ServerNames(models=[{**HUGE, "key": "k-elsewhere", "name": "renamed"}]))
    assert elsewhere.raws(0)[0]["key"] == "k-elsewhere"
    assert [row.row_id for row in elsewhere] == [row.row_id for row in plan]
    with pytest.raises(PlanError, match="the server does not have the model 'huge'"):
        load(templates, path, ServerNames())


def test_a_plan_that_skips_bad_rows_skips_what_another_server_lacks(templates: NodeTemplates, tmp_path: Path) -> None:
    plan = planned(templates, {"Model": ["huge", "tiny"]}, on_bad_row="skip")
    path = save_plan(plan, tmp_path / "plan.json")
    elsewhere = load(templates, path, ServerNames(models=[TINY]))
    assert [bool(row.problems) for row in elsewhere] == [True, False]


def test_odd_values_come_back(templates: NodeTemplates, tmp_path: Path) -> None:
    odd = [{"$file": 1}, {"$unset": {"$model": []}}, {"a": [None, {"b": 1.5}]}, "😀 \ud83d", None]
    plan = planned(templates, [{"#odd": value, "Width": 64} for value in odd])
    again = load(templates, save_plan(plan, tmp_path / "plan.json"))
    assert [row.values["#odd"] for row in again] == odd


def change_file(path: Path, change: Callable[[dict[str, Any]], object], *, is_signed: bool = True) -> None:
    """Change the file of a plan as another client would have written it, or else by hand."""
    content = json.loads(path.read_text())
    del content["sha256"]
    change(content)
    text = json.dumps(content, separators=(",", ":"))
    content["sha256"] = hashlib.sha256(text.encode()).hexdigest() if is_signed else "0"
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_file_that_was_changed_is_refused(templates: NodeTemplates, tmp_path: Path, by_hand: bool) -> None:
    # Else a column of it could be shorter than the others, or a text replaced in a number.
    path = save_plan(planned(templates, {"Width": [64, 128], "Height": [64, 128]}), tmp_path / "plan.json")
    if by_hand:
        change_file(path, lambda it: it["axes"][0]["cells"][0].pop(), is_signed=False)
    else:
        path.write_bytes(path.read_bytes().replace(b"128", b"120", 1))
    with pytest.raises(PlanError, match="it was changed or damaged after it was saved"):
        load(templates, path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda it: it.update(format="?"), "it is not a plan"),
        (lambda it: it.update(version=99), "it has format version 99"),
        (lambda it: it["axes"][0]["columns"][0].update(inputs=[["gone", "width"]]), "No node matches 'gone'"),
        (lambda it: it["axes"][0]["cells"][0].append("x"), r"row 2, 'Width': 'x' is not allowed"),
    ],
)
def test_a_file_that_is_not_a_plan_says_why(
    templates: NodeTemplates, tmp_path: Path, change: Callable[[dict[str, Any]], object], why: str
) -> None:
    path = save_plan(planned(templates, {"Width": [64, 128]}), tmp_path / "plan.json")
    change_file(path, change)
    with pytest.raises(PlanError, match=why):
        load(templates, path)


def test_a_file_that_cannot_be_read_says_why(templates: NodeTemplates, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="No such file"):
        read_plan(tmp_path / "none.json")
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(PlanError, match="cannot be read"):
        read_plan(tmp_path / "plan.json")
    path = save_plan(planned(templates, {"Width": [64]}), tmp_path / "plan.json")
    change_file(path, lambda it: it["workflow"]["meta"].update(version="99.0.0"))
    with pytest.raises(WorkflowVersionError):
        read_plan(path)


def test_a_plan_holds_its_whole_workflow(templates: NodeTemplates, tmp_path: Path) -> None:
    raw = document()
    raw["nodes"].append(node("more", "noise", "1.0.3", seed=6, width=64, height=64))
    path = save_plan(planned(templates, {"Width": [64]}, document=raw), tmp_path / "plan.json")
    assert {one.id for one in read_plan(path).definition.all_nodes} == {one["id"] for one in raw["nodes"]}
