from __future__ import annotations

import io
import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tests.documents import container, edge, form, heading, node, shown

from invokeai_py_client.errors import UnsafePathError, WorkflowError, WorkflowFileError
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
    assert (definition.name, definition.version, definition.source) == ("small", "3.0.0", str(path))
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


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"x"', '{"a": NaN}', "[" * 100_000, '{"nodes": []}'])
def test_text_that_is_not_a_workflow(text: str, tmp_path: Path) -> None:
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
    assert WorkflowDefinition.from_file(definition.save(tmp_path / "a.json")).to_dict()["odd"] == (
        -(10**400) if number.startswith("-") else 10**400
    )


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_constant_that_is_not_json_is_refused(constant: str) -> None:
    with pytest.raises(WorkflowFileError, match=f"{constant} is not a JSON number"):
        WorkflowDefinition.from_json(json.dumps({**SMALL, "odd": "HERE"}).replace('"HERE"', constant))


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


def test_a_workflow_is_loaded_of_any_mapping_and_saved_under_a_path_only(tmp_path: Path) -> None:
    definition = WorkflowDefinition.from_dict(MappingProxyType(SMALL))
    with pytest.raises(UnsafePathError):
        definition.save(tmp_path / "a\0b")
    assert [*tmp_path.iterdir()] == []


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
        ({"workflow_id": "w", "workflow": SMALL}, "a record that contains a workflow", "from_dict"),
        ({"graph": None, "workflow": json.dumps(SMALL)}, "a record that contains a workflow", "from_json"),
    ],
)
def test_what_is_given_in_place_of_a_workflow_is_recognised(document: Any, what: str, hint: str) -> None:
    with pytest.raises(WorkflowFileError, match=f"mine.json is .*{what}, not an InvokeAI workflow.*{hint}"):
        WorkflowDefinition.from_dict(document, source="mine.json")


def test_images_and_files_are_distinguished(tmp_path: Path) -> None:
    picture = Path(__file__).parents[3] / "docs" / "demo.png"
    with pytest.raises(WorkflowFileError, match=r"demo\.png' is an image \(image/png\).*from_image"):
        WorkflowDefinition.from_file(picture)
    text = json.dumps(SMALL)
    path = tmp_path / "small.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WorkflowFileError, match=r"small\.json' is JSON text, not a PNG\. .*from_file"):
        WorkflowDefinition.from_image(path)
    for given in (text, "\n" + text, "\ufeff" + text, text.encode(), text.encode("utf-16"), text.encode("utf-8-sig")):
        with pytest.raises(WorkflowFileError, match=r"is JSON text, not a PNG\. .*from_json"):
            WorkflowDefinition.from_image(given)
    with pytest.raises(WorkflowFileError, match="from_file"):
        WorkflowDefinition.from_json(str(path))


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


class Server:
    """A client's images, as far as a definition needs them."""

    def __init__(self, kept: dict[str, dict[str, Any] | None]) -> None:
        self.kept = kept

    @property
    def image_repo(self) -> Server:
        return self

    def get_workflow(self, image_name: str) -> dict[str, Any] | None:
        return self.kept[image_name]


def png(**texts: str) -> bytes:
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def test_the_workflow_in_an_image_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = png(invokeai_workflow=json.dumps(SMALL))
    path = tmp_path / "a.png"
    path.write_bytes(content)
    monkeypatch.chdir(tmp_path)
    server = Server({"b.png": {**SMALL, "name": "kept"}})
    loaded = {
        "the image": WorkflowDefinition.from_image(content),
        str(path): WorkflowDefinition.from_image(path),
        # A text is a file if there is one of that name.
        "a.png": WorkflowDefinition.from_image("a.png", server),
        "b.png": WorkflowDefinition.from_image("b.png", server),
    }
    assert {source: definition.source for source, definition in loaded.items()} == {name: name for name in loaded}
    assert [definition.name for definition in loaded.values()] == ["small", "small", "small", "kept"]


def test_an_image_without_a_workflow_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png())
    given: list[tuple[Any, Any, str]] = [
        (png(), None, "The image"),
        (path, None, repr(str(path))),
        (str(path), None, repr(str(path))),
        ("b.png", Server({"b.png": None}), "b.png"),
        (tmp_path / "gone.png", Server({}), str(tmp_path / "gone.png")),
        ("gone.png", None, "gone.png"),
        ("a\0b", None, "a\0b"),
    ]
    for image, client, source in given:
        with pytest.raises(WorkflowFileError) as caught:
            WorkflowDefinition.from_image(image, client)
        assert caught.value.source == source


@pytest.mark.parametrize("load", [WorkflowDefinition.from_json, lambda text: WorkflowDefinition.from_dict({"a": text})])
def test_an_error_of_what_has_no_file_names_no_source(load: Any) -> None:
    for text in ("{", "a.json", b"{"):
        with pytest.raises(WorkflowFileError) as caught:
            load(text)
        assert caught.value.source is None


def test_every_error_of_a_file_names_it(tmp_path: Path) -> None:
    contents = [b"{", b"\xff\xfe\x00", png(), b"[]", json.dumps({"graph": GRAPH}).encode(), b"[" * 150 + b"]" * 150]
    path = tmp_path / "a.json"
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(WorkflowFileError) as caught:
            WorkflowDefinition.from_file(path)
        assert caught.value.source == str(path)
    with pytest.raises(WorkflowFileError) as caught:
        WorkflowDefinition.from_file(tmp_path / "gone.json")
    assert caught.value.source == str(tmp_path / "gone.json")
    for odd in (object(), {"graph": GRAPH}, {}):
        with pytest.raises(WorkflowFileError) as caught:
            WorkflowDefinition.from_dict(odd if isinstance(odd, dict) else {"odd": odd}, source="mine")
        assert caught.value.source == "mine"


def test_a_file_is_written_to_be_read_by_people(tmp_path: Path) -> None:
    definition = WorkflowDefinition.from_dict({**SMALL, "name": "größe"})
    path = tmp_path / "a.json"
    assert definition.save(str(path)) == path
    assert json.loads(path.read_text()) == definition.to_dict()
    assert len(path.read_text().splitlines()) > 10
    assert json.loads(definition.to_json()) == definition.to_dict()
    assert "größe" in definition.to_json()


def test_a_node_has_what_the_document_says_of_it() -> None:
    full = node("a", "add", "2.0.0", a=1)
    full["data"] |= {"label": "Sum", "nodePack": "mine", "isIntermediate": True, "useCache": False}
    bare = {"id": "b", "type": "invocation", "data": {"type": "add", "nodePack": 5, "label": None, "version": ""}}
    definition = WorkflowDefinition.from_dict({**SMALL, "nodes": [full, bare]})
    one, two = definition.nodes["a"], definition.nodes["b"]
    assert (one.id, one.kind, one.type, one.label, one.version) == ("a", "invocation", "add", "Sum", "2.0.0")
    assert (one.node_pack, one.is_intermediate, one.use_cache) == ("mine", True, False)
    assert one.inputs == {"a": {"name": "a", "label": "", "value": 1}}
    assert (two.label, two.version, two.node_pack, two.is_intermediate, two.use_cache) == ("", "1.0.0", "", False, True)
    assert two.inputs == {}


def test_an_edge_has_an_id_of_its_own() -> None:
    named = edge("a", "value", "a", "a")
    nodes = [node("a", "add", "1.0.0")]
    edges = [
        {**named, "id": " e "},
        {**named, "id": " "},
        {key: value for key, value in named.items() if key != "id"},
        {"id": "c", "type": "collapsed", "source": "a", "target": "a"},
    ]
    definition = WorkflowDefinition.from_dict({**SMALL, "nodes": nodes, "edges": edges})
    assert [one.id for one in definition.edges] == ["e", "edges[1]", "edges[2]", "c"]
    assert [one.is_collapsed for one in definition.edges] == [False, False, False, True]
    # The id does not tell edges apart.
    assert len({*definition.edges}) == 2


def test_a_document_is_large_by_its_nodes_and_edges_or_with_a_generator() -> None:
    def is_large(nodes: int, edges: int, *more: dict[str, Any]) -> bool:
        wires = [edge("n0", "value", "n1", "a")] * edges
        all_nodes = [*(node(f"n{i}", "add", "1.0.1") for i in range(nodes)), *more]
        return WorkflowDefinition.from_dict({**SMALL, "nodes": all_nodes, "edges": wires}).is_large

    assert not is_large(100, 100)
    assert is_large(100, 101)
    assert is_large(101, 100)
    assert is_large(0, 0, node("g", "float_generator", "1.0.0"))
    assert not is_large(0, 0, node("g", "generator_of_mine", "1.0.0"))


def test_what_a_definition_says_of_itself() -> None:
    definition = WorkflowDefinition.from_dict({**SMALL, "description": "What it does."})
    assert (definition.name, definition.description) == ("small", "What it does.")
    assert repr(definition) == "<WorkflowDefinition 'small': 2 nodes>"


def test_the_models_that_a_file_names_are_kept_with_the_definition() -> None:
    old = {"model_name": "dream", "base_model": "sd-1", "model_type": "main"}
    nodes = [node("m", "main_model_loader", "1.0.0", model=old)]
    definition = WorkflowDefinition.from_dict({**SMALL, "nodes": nodes})
    assert [(place, str(saved)) for place, saved in definition.saved_models.items()] == [
        (("m", "model"), "'dream' (sd-1 main)")
    ]
    assert WorkflowDefinition(definition.to_dict()).saved_models == {}
