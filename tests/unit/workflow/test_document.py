from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.documents import container, form, heading, shown

from invokeai_py_client.errors import WorkflowError, WorkflowFileError, WorkflowVersionError
from invokeai_py_client.workflow.document import WorkflowDefinition

SMALL: dict[str, Any] = {
    "name": "small",
    "meta": {"version": "3.0.0", "category": "user"},
    "nodes": [
        {"id": "a", "type": "invocation", "data": {"type": "add", "version": "1.0.0", "inputs": {"a": {"value": 1}}}},
        {"id": "n", "type": "notes", "data": {"label": "hi"}},
    ],
    "edges": [],
    "mine": {"kept": True},
}


def test_a_file_is_loaded_and_what_is_unknown_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(SMALL))
    definition = WorkflowDefinition.from_file(path)
    assert (definition.name, definition.version, definition.source) == ("small", "4.0.0", str(path))
    assert [(node.id, node.kind, node.type) for node in definition.nodes.values()] == [
        ("a", "invocation", "add"),
        ("n", "notes", "notes"),
    ]
    assert definition.to_dict()["mine"] == {"kept": True}
    saved = definition.save(tmp_path / "again.json")
    assert WorkflowDefinition.from_file(saved).to_dict() == definition.to_dict()


def test_a_file_with_a_byte_order_mark_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(SMALL).encode())
    assert WorkflowDefinition.from_file(path).name == "small"


def test_the_callers_dict_is_neither_changed_nor_kept() -> None:
    mine = json.loads(json.dumps(SMALL))
    definition = WorkflowDefinition.from_dict(mine)
    assert mine == SMALL
    mine["name"] = "other"
    definition.to_dict()["name"] = "third"
    assert definition.name == "small"


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0", "3.0.0", "4.0.0"])
def test_every_known_version_becomes_the_latest(version: str) -> None:
    definition = WorkflowDefinition.from_dict({**SMALL, "meta": {"version": version}})
    assert definition.version == "4.0.0"
    assert definition.to_dict()["meta"]["category"] == "user"


def test_an_unknown_version_says_which_are_known() -> None:
    with pytest.raises(WorkflowVersionError, match=r"'5\.0\.0'.*4\.0\.0") as caught:
        WorkflowDefinition.from_dict({**SMALL, "meta": {"version": "5.0.0"}}, source="new.json")
    assert (caught.value.version, caught.value.source) == ("5.0.0", "new.json")
    assert "new.json" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"meta": None}, "no meta.version"),
        ({"meta": {"version": 3}}, "no meta.version"),
        ({"nodes": {}}, "'nodes' is not a list"),
        ({"edges": None}, "'edges' is not a list"),
        ({"nodes": [3]}, r"nodes\[0\] is not an object"),
        ({"nodes": [{"id": "a", "type": "invocation"}]}, r"nodes\[0\]\.data is not an object"),
        ({"nodes": [{"id": 5, "type": "notes", "data": {}}]}, r"nodes\[0\]\.id is not a text"),
        ({"nodes": [{"id": " ", "type": "notes", "data": {}}]}, r"nodes\[0\]\.id is blank"),
        ({"edges": [{"source": "a", "target": "b"}]}, r"edges\[0\]\.sourceHandle is not a text"),
        ({"name": 5}, "'name' is not a text"),
        ({"exposedFields": "a"}, "'exposedFields' is not a list"),
    ],
)
def test_what_is_no_workflow_says_why(change: dict[str, Any], why: str) -> None:
    with pytest.raises(WorkflowFileError, match=why):
        WorkflowDefinition.from_dict({**SMALL, **change})


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"x"', '{"a": NaN}', "[" * 100_000, '{"nodes": []}'])
def test_text_that_is_no_workflow(text: str, tmp_path: Path) -> None:
    with pytest.raises(WorkflowError):
        WorkflowDefinition.from_json(text)
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(WorkflowFileError, match=r"bad\.json"):
        WorkflowDefinition.from_file(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(WorkflowFileError, match=r"nothing\.json"):
        WorkflowDefinition.from_file(tmp_path / "nothing.json")
    with pytest.raises(WorkflowFileError):
        WorkflowDefinition.from_file(tmp_path)
    (tmp_path / "latin.json").write_bytes(b'{"name": "\xe4"}')
    with pytest.raises(WorkflowFileError, match=r"latin\.json"):
        WorkflowDefinition.from_file(tmp_path / "latin.json")
    with pytest.raises(WorkflowFileError):
        WorkflowDefinition.from_file("a\0b")


def test_a_dict_that_no_json_can_hold() -> None:
    for odd in (object(), float("inf"), {1, 2}):
        with pytest.raises(WorkflowFileError, match="cannot be written as JSON"):
            WorkflowDefinition.from_dict({**SMALL, "odd": odd})


def test_the_form_is_walked_depth_first_and_loops_end() -> None:
    document = form(
        container("root", "one", "box", "gone", "three"),
        shown("one", "a", "one"),
        container("box", "head", "two", "root", parent="root"),
        heading("head", "box"),
        shown("two", "a", "two", "box"),
        shown("three", "a", "three"),
        shown("orphan", "a", "orphan"),
    )
    definition = WorkflowDefinition.from_dict({**SMALL, "form": document})
    assert definition.form_fields == (("a", "one"), ("a", "two"), ("a", "three"))


def test_nesting_too_deep_is_refused() -> None:
    text = json.dumps({**SMALL, "odd": "HERE"})
    with pytest.raises(WorkflowFileError, match="more than 100 deep"):
        WorkflowDefinition.from_json(text.replace('"HERE"', "[" * 900 + "]" * 900))


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400])
def test_a_number_too_large_for_a_float_is_loaded_and_can_be_saved(number: str, tmp_path: Path) -> None:
    # The web UI loads such a file too; what cannot hold the number has no value then.
    definition = WorkflowDefinition.from_json(json.dumps({**SMALL, "odd": "HERE"}).replace('"HERE"', number))
    assert abs(WorkflowDefinition.from_file(definition.save(tmp_path / "a.json")).to_dict()["odd"]) > 10**399


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_file_of_any_json_encoding_is_loaded(tmp_path: Path, encoding: str) -> None:
    text = json.dumps({**SMALL, "name": "Größe"}, ensure_ascii=False)
    path = tmp_path / "small.json"
    path.write_bytes(text.encode(encoding))
    assert WorkflowDefinition.from_file(path).name == "Größe"
    assert WorkflowDefinition.from_json(path.read_bytes()).name == "Größe"
    assert WorkflowDefinition.from_json("\ufeff" + text).name == "Größe"


GRAPH = {"id": "g", "nodes": {"a": {"id": "a", "type": "add", "a": 1}}, "edges": []}
COMFY = {"nodes": [{"id": 1, "type": "KSampler", "widgets_values": [1]}], "links": [], "version": 0.4}


@pytest.mark.parametrize(
    ("document", "what", "hint"),
    [
        (GRAPH, "a graph for the server's API", "enqueue_batch"),
        ({"graph": GRAPH, "runs": 1}, "a graph for the server's API", "enqueue_batch"),
        ({"batch": {"graph": GRAPH, "runs": 1}}, "a body of the server's enqueue_batch", "client.request"),
        ({"3": {"class_type": "KSampler", "inputs": {}}}, "ComfyUI workflow in its API format", "InvokeAI's web UI"),
        ({"prompt": {"3": {"class_type": "KSampler"}}}, "ComfyUI workflow in its API format", "InvokeAI's web UI"),
        (COMFY, "a ComfyUI workflow", "InvokeAI's web UI"),
        ({"last_node_id": 3, "nodes": [], "links": []}, "a ComfyUI workflow", "InvokeAI's web UI"),
        ({"workflow_id": "w", "workflow": SMALL}, "a record that holds a workflow", "from_dict"),
        ({"graph": None, "workflow": json.dumps(SMALL)}, "a record that holds a workflow", "from_json"),
    ],
)
def test_what_is_given_in_place_of_a_workflow_is_recognised(document: Any, what: str, hint: str) -> None:
    with pytest.raises(WorkflowFileError, match=f"mine.json is .*{what}, not an InvokeAI workflow.*{hint}"):
        WorkflowDefinition.from_dict(document, source="mine.json")


def test_images_and_files_are_told_apart(tmp_path: Path) -> None:
    picture = Path(__file__).parents[3] / "docs" / "demo.png"
    with pytest.raises(WorkflowFileError, match=r"demo\.png' is an image \(image/png\).*from_image"):
        WorkflowDefinition.from_file(picture)
    text = json.dumps(SMALL)
    path = tmp_path / "small.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WorkflowFileError, match=r"small\.json' is JSON text, not a PNG\. .*from_file"):
        WorkflowDefinition.from_image(path)
    for given in (text, "\n" + text, text.encode(), text.encode("utf-16")):
        with pytest.raises(WorkflowFileError, match=r"is JSON text, not a PNG\. .*from_json"):
            WorkflowDefinition.from_image(given)
    with pytest.raises(WorkflowFileError, match="from_file"):
        WorkflowDefinition.from_json(str(path))


def test_a_malformed_element_makes_the_web_ui_forget_the_form_which_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    document = form(container("root", "seed"), shown("seed", "a", "seed"), {"id": "odd", "type": "picture"})
    definition = WorkflowDefinition.from_dict({**SMALL, "form": document}, source="odd.json")
    assert definition.form_fields == ()
    assert "odd.json: its form is ignored, as in the web UI: the element 'odd' is malformed" in caplog.messages


def test_what_the_web_ui_would_refuse_for_its_shape_alone_is_forgiven_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    document = {
        **SMALL,
        "meta": {"version": "4.0.0", "category": "mine"},
        "edges": [{"source": "a", "sourceHandle": "value", "target": "a", "targetHandle": "b"}],
        "exposedFields": [{"nodeId": "a"}, 3],
    }
    WorkflowDefinition.from_dict(document, source="hand-written.json")
    (message,) = caplog.messages
    begin, _, faults = message.partition(": the web UI would refuse to load it: ")
    assert begin == "hand-written.json"
    assert set(faults.split("; ")) == {
        "meta.category is neither 'user' nor 'default'",
        "an edge is neither of the type 'default' nor 'collapsed'",
        "an entry of 'exposedFields' does not name a node and a field (2 times)",
        *(f"a node has no {name!r}, or not a str" for name in ("label", "notes")),
        *(f"a node has no {name!r}, or not a bool" for name in ("isOpen", "isIntermediate", "useCache")),
    }


def test_ids_and_types_are_trimmed_as_javascript_trims() -> None:
    data = {"type": "\ufeffadd\n", "inputs": {}}
    document = {
        **SMALL,
        "nodes": [{"id": "\u00a0a ", "type": "invocation", "data": data}, {"id": "\x1cb", "type": "notes", "data": {}}],
        "edges": [{"type": "default", "source": " a", "sourceHandle": "value ", "target": "a", "targetHandle": "\tb"}],
        "exposedFields": [{"nodeId": "a ", "fieldName": " b"}],
    }
    definition = WorkflowDefinition.from_dict(document)
    assert [(node.id, node.type) for node in definition.all_nodes] == [("a", "add"), ("\x1cb", "notes")]
    assert [str(edge) for edge in definition.edges] == ["a.value -> a.b"]
    assert definition.exposed_fields == (("a", "b"),)


def test_where_ids_repeat_the_last_invocation_runs_and_an_edge_means_the_first_node() -> None:
    nodes = [
        {"id": "a", "type": "notes", "data": {}},
        *({"id": "a", "type": "invocation", "data": {"type": kind}} for kind in ("add", "sub")),
        {"id": "a", "type": "connector", "data": {}},
    ]
    definition = WorkflowDefinition.from_dict({**SMALL, "nodes": nodes})
    assert len(definition.all_nodes) == 4
    assert definition.nodes["a"].type == "sub"
    assert definition.first_nodes["a"].kind == "notes"
    assert definition.first_invocations["a"].type == "add"


def test_a_workflow_returns_once_at_most() -> None:
    nodes = [{"id": name, "type": "invocation", "data": {"type": "workflow_return"}} for name in "ab"]
    assert len(WorkflowDefinition.from_dict({**SMALL, "nodes": nodes[:1]}).nodes) == 1
    with pytest.raises(WorkflowFileError, match=r"2 'workflow_return' nodes \(a, b\)"):
        WorkflowDefinition.from_dict({**SMALL, "nodes": nodes})


def test_a_file_of_format_1_may_lack_nodes_and_edges() -> None:
    definition = WorkflowDefinition.from_dict({"meta": {"version": "1.0.0"}})
    assert (definition.nodes, definition.edges) == ({}, ())
    with pytest.raises(WorkflowFileError, match="'nodes' is not a list"):
        WorkflowDefinition.from_dict({"meta": {"version": "2.0.0"}})
