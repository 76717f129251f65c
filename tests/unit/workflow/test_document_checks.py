"""A parsed document is brought to the latest format, refused, or taken with a warning."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.documents import container, edge, form, node, shown

from invokeai_py_client.errors import WorkflowFileError, WorkflowVersionError
from invokeai_py_client.workflow.document_checks import checked

DOCUMENT: dict[str, Any] = {
    "name": "mine",
    "author": "me",
    "description": "",
    "version": "1",
    "contact": "",
    "tags": "",
    "notes": "",
    "meta": {"version": "3.0.0", "category": "user"},
    "nodes": [node("a", "add", "1.0.0", a=1), {"id": "n", "type": "notes", "data": {}}],
    "edges": [edge("a", "value", "a", "b"), {"id": "c", "type": "collapsed", "source": "a", "target": "n"}],
    "exposedFields": [{"nodeId": "a", "fieldName": "a"}],
    "form": form(container("root", "f"), shown("f", "a", "a")),
    "mine": {"kept": True},
}


def check(source: str | None = "mine.json", **changes: Any) -> dict[str, Any]:
    return checked({**copy.deepcopy(DOCUMENT), **copy.deepcopy(changes)}, source)


def without(holder: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in holder.items() if key not in names}


def node_with(**data: Any) -> dict[str, Any]:
    made = node("a", "add", "1.0.0")
    return {**made, "data": {**made["data"], **data}}


def old(version: str, declared: Any, value: Any, /, **more: Any) -> dict[str, Any]:
    """The changes that make a document of format 1 or 2 with one input."""
    given = {"id": "i", "name": "a", "fieldKind": "input", "label": "", "type": declared, "value": value}
    return {"meta": {"version": version}, "nodes": [node_with(inputs={"a": given}, **more)], "edges": []}


def test_a_whole_document_is_taken_as_it_is_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    given = copy.deepcopy(DOCUMENT)
    read = checked(given, None)
    assert read is given
    assert read == DOCUMENT
    assert not caplog.messages


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0", "3.0.0", "4.0.0"])
@pytest.mark.parametrize("category", ["user", "default"])
def test_every_known_version_becomes_one_that_all_web_uis_load(version: str, category: str) -> None:
    # Format 1 has no categories yet.
    wanted = "user" if version == "1.0.0" else category
    read = check(
        **old(version, "integer" if version == "1.0.0" else "IntegerField", 1)
        | {"meta": {"version": version, "category": category}}
    )
    assert read["meta"] == {"version": "3.0.0", "category": wanted}


@pytest.mark.parametrize("version", ["3.0.0", "4.0.0"])
def test_a_workflow_with_connectors_has_the_version_that_knows_them(version: str) -> None:
    connector = {"id": "c", "type": "connector", "data": {"id": "c", "type": "connector", "label": "", "isOpen": True}}
    document: dict[str, Any] = {
        "meta": {"version": version, "category": "user"},
        "nodes": [*DOCUMENT["nodes"], connector],
    }
    assert check(**document)["meta"]["version"] == "4.0.0"


def test_an_unknown_version_says_which_are_known() -> None:
    with pytest.raises(
        WorkflowVersionError, match=r"mine.json has format version '5\.0\.0'.*1\.0\.0, .*4\.0\.0"
    ) as caught:
        check(meta={"version": "5.0.0"})
    assert (caught.value.version, caught.value.source) == ("5.0.0", "mine.json")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"meta": None}, "no meta.version"),
        ({"meta": {"version": 3}}, "no meta.version"),
        ({"nodes": {}}, "'nodes' is not a list"),
        ({"edges": None}, "'edges' is not a list"),
        ({"name": 5}, "'name' is not a string"),
        ({"tags": None}, "'tags' is not a string"),
        ({"exposedFields": "a"}, "'exposedFields' is not a list"),
        ({"nodes": [3]}, r"nodes\[0\] is not an object"),
        ({"nodes": [{"id": "a", "type": "invocation"}]}, r"nodes\[0\]\.data is not an object"),
        ({"nodes": [{"id": "a", "data": {}}]}, r"nodes\[0\]\.type is not a string"),
        ({"nodes": [{"id": "n", "type": "notes", "data": {}}, {"id": 5}]}, r"nodes\[1\]\.id is not a string"),
        ({"nodes": [{"id": " ", "type": "notes", "data": {}}]}, r"nodes\[0\]\.id is blank"),
        ({"nodes": [node_with(type=" ")]}, r"nodes\[0\]\.data\.type is blank"),
        ({"nodes": [node_with(type=None)]}, r"nodes\[0\]\.data\.type is not a string"),
        ({"nodes": [node_with(inputs=[])]}, r"nodes\[0\]\.data\.inputs is not an object"),
        ({"nodes": [node_with(inputs={"a": 5})]}, r"nodes\[0\]\.data\.inputs\.a is not an object"),
        ({"edges": [5]}, r"edges\[0\] is not an object"),
        ({"edges": [{"source": "a", "target": "b"}]}, r"edges\[0\]\.sourceHandle is not a string"),
        ({"edges": [without(edge("a", "b", "c", "d"), "targetHandle")]}, r"edges\[0\]\.targetHandle is not a string"),
        ({"edges": [{"type": "collapsed", "source": "a"}]}, r"edges\[0\]\.target is not a string"),
        ({"edges": [edge("a", "b", "c", "d"), edge(" ", "b", "c", "d")]}, r"edges\[1\]\.source is blank"),
        (
            {"nodes": [{**node_with(type="workflow_return"), "id": name} for name in "ab"]},
            r"2 'workflow_return' nodes \(a, b\)",
        ),
        (old("1.0.0", "integer", "x"), r"nodes\[0\]\.data\.inputs\.a cannot be read: its value 'x'"),
        (old("1.0.0", "FancyField", 1), r"nodes\[0\]\.data\.inputs\.a has the type 'FancyField'"),
        (
            old("1.0.0", "integer", 1, outputs={"value": {"type": "FancyField"}}),
            r"nodes\[0\]\.data\.outputs\.value has the type 'FancyField'",
        ),
        (without(old("2.0.0", "IntegerField", 1), "nodes") | {"nodes": None}, "'nodes' is not a list"),
    ],
)
def test_what_would_change_what_runs_is_refused_with_its_place(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(WorkflowFileError, match=f"^mine.json cannot be loaded: .*{why}") as caught:
        check(**changes)
    assert caught.value.source == "mine.json"


@pytest.mark.parametrize("document", [None, [], "text", 5])
def test_what_is_not_an_object_is_refused(document: Any) -> None:
    with pytest.raises(WorkflowFileError, match="The workflow cannot be loaded") as caught:
        checked(document, None)
    assert caught.value.source is None


@pytest.mark.parametrize("malformed", [[], "x", 5])
def test_a_form_and_a_category_that_the_server_would_refuse_are_replaced(
    malformed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    read = check(form=malformed, meta={"version": "3.0.0", "category": malformed})
    assert "form" not in read
    assert read["meta"]["category"] == "user"
    assert ["its form is ignored" in message for message in caplog.messages] == [True, False]


@pytest.mark.parametrize(
    ("changes", "forgiven"),
    [
        ({"meta": {"version": "4.0.0", "category": "mine"}}, {"meta.category"}),
        ({"exposedFields": [{"nodeId": "a"}, 3]}, {"exposedFields", "2 times"}),
        ({"edges": [edge("a", "value", "a", "b") | {"type": "fancy"}]}, {"an edge is neither"}),
        ({"edges": [without(edge("a", "value", "a", "b"), "type")]}, {"an edge is neither"}),
        ({"nodes": [{"id": "x", "type": "picture", "data": {}}]}, {"kind 'picture'"}),
        *(
            ({"nodes": [node_with(**{name: None})]}, {f"no {name!r}"})
            for name in ("label", "notes", "isOpen", "isIntermediate", "useCache", "version")
        ),
        (old("2.0.0", None, 1), {"format 2.0.0 does not declare its type"}),
        (old("1.0.0", {"name": 5}, 1), {"format 1.0.0 does not declare its type"}),
        (
            {"form": form(container("root"), {"id": "odd", "type": "picture"})},
            {"its form is ignored", "'odd' is malformed"},
        ),
    ],
)
def test_what_does_not_matter_is_forgiven_and_logged_once(
    changes: dict[str, Any], forgiven: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    check(**changes)
    (message,) = caplog.messages
    assert message.startswith("mine.json: ")
    assert message.count(";") == 0
    assert {part for part in forgiven if part in message} == forgiven


def test_all_that_is_forgiven_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    nodes = [without(node(name, "add", "1.0.0"), "position") for name in "ab"]
    for one in nodes:
        one["data"] = without(one["data"], "label", "useCache")
    check(None, nodes=nodes, edges=[])
    (message,) = caplog.messages
    begin, _, faults = message.partition(": the web UI would not load it: ")
    assert begin == "The workflow"
    assert set(faults.split("; ")) == {
        "a node has no 'label', or not a str (2 times)",
        "a node has no 'useCache', or not a bool (2 times)",
    }


@pytest.mark.parametrize("name", ["useCache", "version"])
def test_nodes_of_format_1_had_neither_version_nor_use_cache(name: str, caplog: pytest.LogCaptureFixture) -> None:
    check(**old("1.0.0", "integer", 1, **{name: None}))
    assert not caplog.messages
    check(**old("2.0.0", "IntegerField", 1, **{name: None}))
    assert len(caplog.messages) == 1


def test_what_may_be_absent_is_filled_in() -> None:
    texts = ("name", "author", "description", "version", "contact", "tags", "notes")
    bare = without(DOCUMENT, *texts, "exposedFields", "form")
    read = checked({**copy.deepcopy(bare), "nodes": [{"id": "a", "type": "invocation", "data": {"type": "add"}}]}, None)
    assert {name: read[name] for name in texts} == dict.fromkeys(texts, "")
    assert read["exposedFields"] == []
    assert read["nodes"][0]["data"]["inputs"] == {}


def test_names_are_trimmed_as_javascript_trims() -> None:
    read = check(
        nodes=[{**node("\u00a0a ", "\ufeffadd\n", "1.0.0")}, {"id": "\x1cb", "type": "notes", "data": {}}],
        edges=[edge(" a", "value ", "a\t", " b"), {"type": "collapsed", "source": " a", "target": "b "}],
        exposedFields=[{"nodeId": "a ", "fieldName": " b", "more": 1}, {"nodeId": "a"}],
    )
    assert [(one["id"], one["data"].get("type")) for one in read["nodes"]] == [("a", "add"), ("\x1cb", None)]
    wire, drawn = read["edges"]
    assert [wire[name] for name in ("source", "sourceHandle", "target", "targetHandle")] == ["a", "value", "a", "b"]
    assert (drawn["source"], drawn["target"]) == ("a", "b")
    assert read["exposedFields"] == [{"nodeId": "a", "fieldName": "b"}]


def test_one_return_node_is_allowed_and_others_of_its_name_are_not_counted() -> None:
    notes = {"id": "n", "type": "notes", "data": {"type": "workflow_return"}}
    assert len(check(nodes=[node_with(type="workflow_return"), notes], edges=[])["nodes"]) == 2


@pytest.mark.parametrize("name", ["nodes", "edges"])
def test_a_file_of_format_1_may_lack_nodes_and_edges(name: str) -> None:
    given = {**DOCUMENT, **old("1.0.0", "integer", 1)}
    assert checked(without(copy.deepcopy(given), name), None)[name] == []
    with pytest.raises(WorkflowFileError, match=f"'{name}' is not a list"):
        checked(without(copy.deepcopy(given), name) | {"meta": {"version": "2.0.0"}}, None)


@pytest.mark.parametrize(
    ("version", "declared", "value", "read"),
    [
        ("1.0.0", "integer", 5, {"value": 5}),
        ("1.0.0", "Any", 5, {}),
        ("2.0.0", {"name": "IntegerField", "isCollection": False}, 5, {"value": 5}),
        ("2.0.0", "IntegerField", 5.0, {"value": 5.0}),
        ("2.0.0", "IntegerField", "five", {}),
        ("2.0.0", "FancyField", 5, {}),
        ("2.0.0", None, "as it is", {"value": "as it is"}),
        # Since format 3 the type is the template's.
        ("3.0.0", "IntegerField", "five", {"value": "five"}),
        ("4.0.0", "FancyField", 5, {"value": 5}),
    ],
)
def test_a_value_of_an_old_format_is_read_by_its_declared_type(
    version: str, declared: Any, value: Any, read: dict[str, Any]
) -> None:
    given = check(**old(version, declared, value))["nodes"][0]["data"]["inputs"]["a"]
    assert {key: held for key, held in given.items() if key == "value"} == read


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
def test_an_old_input_without_a_value_still_has_none(version: str) -> None:
    changes = old(version, "integer" if version == "1.0.0" else "IntegerField", 1)
    del changes["nodes"][0]["data"]["inputs"]["a"]["value"]
    assert "value" not in check(**changes)["nodes"][0]["data"]["inputs"]["a"]


@pytest.mark.parametrize(
    "outputs", [None, {}, {"value": {"type": "integer"}}, {"value": {}}, {"value": 5}, {"value": {"type": 5}}]
)
def test_outputs_of_format_1_that_can_be_read_are_fine(outputs: Any) -> None:
    check(**old("1.0.0", "integer", 1, outputs=outputs))


def test_outputs_of_later_formats_are_not_looked_at() -> None:
    check(**old("2.0.0", "IntegerField", 1, outputs={"value": {"type": "FancyField"}}))


@pytest.mark.parametrize(("version", "keeps"), [("1.0.0", False), ("2.0.0", False), ("3.0.0", True), ("4.0.0", True)])
def test_old_formats_have_neither_forms_nor_inputs_of_their_own(version: str, keeps: bool) -> None:
    declared = "integer" if version == "1.0.0" else "IntegerField"
    read = check(**old(version, declared, 1, dynamicInputTemplates={"b": {}}))
    assert ("form" in read) is keeps
    assert ("dynamicInputTemplates" in read["nodes"][0]["data"]) is keeps
