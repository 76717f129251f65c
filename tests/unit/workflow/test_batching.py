from __future__ import annotations

import itertools
from typing import Any

import pytest
from tests.documents import edge

from invokeai_py_client.errors import BatchError
from invokeai_py_client.workflow.batching import batch_data, batch_faults, batch_nodes, rest_of
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.generators import BoardImages
from invokeai_py_client.workflow.references import LocalImage
from invokeai_py_client.workflow.templates import NodeTemplates


def node(node_id: str, node_type: str, **values: Any) -> dict[str, Any]:
    inputs = {name: {"name": name, "value": value} for name, value in values.items()}
    return {"id": node_id, "type": "invocation", "data": {"type": node_type, "version": "1.0.0", "inputs": inputs}}


def integers(node_id: str, items: list[int], group: str = "None") -> dict[str, Any]:
    return node(node_id, "integer_batch", integers=items, batch_group_id=group)


def wire(source: str, target: str, field: str, output: str = "value") -> dict[str, str]:
    return edge(source, output, target, field)


class Made:
    def __init__(self, templates: NodeTemplates, nodes: list[dict[str, Any]], wires: list[dict[str, str]]) -> None:
        document = {"name": "w", "meta": {"version": "3.0.0"}, "nodes": nodes, "edges": wires}
        definition = WorkflowDefinition.from_dict(document)
        self.edges, self.warnings = kept_edges(definition, templates)
        self.nodes = batch_nodes(definition, WorkflowFields(definition, templates), self.edges)

    def data(self, answers: dict[str, list[Any]] | None = None) -> list[list[tuple[str, str, list[Any]]]]:
        made = batch_data(self.nodes, self.edges, answers or {})
        return [[(datum["node_path"], datum["field_name"], datum["items"]) for datum in group] for group in made]

    def faults(self, answers: dict[str, list[Any]] | None = None) -> list[tuple[str, str, str]]:
        return [(node.id, name, why) for node, name, why in batch_faults(self.nodes, self.edges, answers or {})]


ADD = node("add", "add")
BLUR = node("blur", "img_blur")


def test_ungrouped_batches_are_multiplied_and_groups_zipped(templates: NodeTemplates) -> None:
    made = Made(
        templates,
        [
            integers("x", [1, 2]),
            integers("y", [3, 4], "Group 1"),
            integers("z", [5, 6], "Group 1"),
            integers("unused", [7]),
            ADD,
            node("add2", "add"),
        ],
        [
            wire("x", "add", "a"),
            wire("x", "add", "b"),
            wire("y", "add2", "a"),
            wire("z", "add2", "b"),
        ],
    )
    assert made.warnings == ()
    assert made.data() == [
        [("add", "a", [1, 2]), ("add", "b", [1, 2])],
        [("add2", "a", [3, 4]), ("add2", "b", [5, 6])],
    ]
    # As the web UI has it: "batch node not connected".
    assert made.faults() == [("unused", "", "no edge leads from this batch node to another node")]


def test_a_generator_goes_before_the_nodes_own_list(templates: NodeTemplates) -> None:
    value = {"type": "integer_generator_arithmetic_sequence", "start": 1, "step": 2, "count": 3}
    made = Made(
        templates,
        [node("g", "integer_generator", generator=value), integers("x", [9]), ADD],
        [wire("g", "x", "integers", "integers"), wire("x", "add", "a")],
    )
    assert made.warnings == ()
    assert made.data() == [[("add", "a", [1, 3, 5])]]


def test_images_of_a_board_are_filled_in(templates: NodeTemplates) -> None:
    value = {"type": "image_generator_images_from_board", "board_id": "b"}
    made = Made(
        templates,
        [
            node("g", "image_generator", generator=value),
            node("x", "image_batch", batch_group_id="None", images=[]),
            BLUR,
        ],
        [wire("g", "x", "images", "images"), wire("x", "blur", "image", "image")],
    )
    (batch,) = made.nodes
    assert batch.items == BoardImages("b", ("general",))
    answers = {"x": [{"image_name": "a.png"}]}
    assert made.data(answers) == [[("blur", "image", [{"image_name": "a.png"}])]]
    assert made.faults(answers) == []
    ((node_id, name, why),) = made.faults({"x": []})
    assert (node_id, name) == ("x", "images")
    assert "the batch would be empty" in why


def test_an_empty_batch_is_refused(templates: NodeTemplates) -> None:
    made = Made(templates, [integers("x", []), ADD], [wire("x", "add", "a")])
    assert made.faults() == [("x", "integers", "it has no items, so the batch would be empty")]


def test_a_group_of_unequal_lengths_is_refused(templates: NodeTemplates) -> None:
    made = Made(
        templates,
        [integers("x", [1], "Group 2"), integers("y", [1, 2], "Group 2"), ADD],
        [wire("x", "add", "a"), wire("y", "add", "b")],
    )
    why = "the batch nodes of 'Group 2' must have the same number of items, but have 1, 2"
    assert made.faults() == [("x", "integers", why), ("y", "integers", why)]


def test_a_generator_that_cannot_be_understood_is_named(templates: NodeTemplates) -> None:
    with pytest.raises(
        BatchError, match=r"'integer_generator' \(node g\).*its value .*'count': 'x'.* is not that of a generator"
    ):
        Made(
            templates,
            [
                node(
                    "g", "integer_generator", generator={"type": "integer_generator_arithmetic_sequence", "count": "x"}
                ),
                integers("x", []),
            ],
            [wire("g", "x", "integers", "integers")],
        )


@pytest.mark.parametrize(
    ("groups", "zipped"),
    [
        # Without a group, or with a null one, batches are zipped with one another: JavaScript's group "undefined".
        (["", None], [["x"], ["y"]]),
        ([None, None], [["x", "y"]]),
        (["None", None], [["x"], ["y"]]),
        (["None", "None"], [["x"], ["y"]]),
        ([3.0, 3], [["x", "y"]]),
        ([True, "true"], [["x", "y"]]),
        ([[1, 2], "1,2"], [["x", "y"]]),
        # JavaScript lists whole numbers before other keys, by size.
        (["Group 1", "7"], [["y"], ["x"]]),
        (["10", 9], [["y"], ["x"]]),
        (["07", "a"], [["x"], ["y"]]),
        (["a", "0"], [["y"], ["x"]]),
        (["a", "4294967294"], [["y"], ["x"]]),
        # One more is not an index any longer.
        (["a", "4294967295"], [["x"], ["y"]]),
        ([2.5, "2.5"], [["x", "y"]]),
        ([False, "false"], [["x", "y"]]),
        ([["a", "b"], "a,b"], [["x", "y"]]),
    ],
)
def test_batches_are_grouped_and_ordered_as_javascript_would(
    templates: NodeTemplates, groups: list[Any], zipped: list[list[str]]
) -> None:
    nodes = [
        node(name, "integer_batch", integers=[1], batch_group_id=group)
        for name, group in zip("xy", groups, strict=True)
    ]
    made = Made(
        templates,
        [*nodes, node("add_x", "add"), node("add_y", "add")],
        [wire(name, f"add_{name}", "a") for name in "xy"],
    )
    assert [[path.removeprefix("add_") for path, _, _ in group] for group in made.data()] == zipped


@pytest.mark.parametrize(
    ("kind", "items"),
    [
        ("integer", "1"),
        ("integer", [1.5]),
        ("integer", ["a"]),
        ("float", ["1"]),
        ("float", {"type": "float_generator_arithmetic_sequence"}),
        ("string", [1]),
        ("image", ["a.png"]),
    ],
)
def test_a_batch_whose_list_is_of_another_kind_is_refused(templates: NodeTemplates, kind: str, items: Any) -> None:
    with pytest.raises(
        BatchError, match=rf"'{kind}_batch' \(node x\) of w contains .* instead of a list of {kind}s"
    ) as caught:
        Made(templates, [node("x", f"{kind}_batch", **{f"{kind}s": items})], [])
    assert caught.value.node_ids == ("x",)


def test_a_list_that_fits_nothing_at_all_counts_as_none(templates: NodeTemplates) -> None:
    made = Made(templates, [node("x", "integer_batch", integers=[None])], [])
    assert made.nodes[0].items == []


def test_a_batch_without_a_list_is_refused(templates: NodeTemplates) -> None:
    with pytest.raises(BatchError, match=r"'integer_batch' \(node x\) of w has no input 'integers'"):
        Made(templates, [node("x", "integer_batch", batch_group_id="None")], [])


def test_a_batch_fed_by_a_connector_without_a_source_is_rejected(templates: NodeTemplates) -> None:
    connector = {"id": "c", "type": "connector", "data": {"type": "connector"}}
    with pytest.raises(BatchError, match=r"\(node x\) of w is fed by a connector without a source"):
        Made(templates, [connector, integers("x", [1])], [wire("c", "x", "integers", "out")])


@pytest.mark.parametrize(
    ("value", "items"),
    [
        # An object without a type is read as the first generator of all, which is one of floats.
        ({}, [0.1 * place for place in range(10)]),
        ({"start": 1, "count": 1}, [1]),
    ],
)
def test_a_float_generator_without_a_type_takes_the_default(
    templates: NodeTemplates, value: Any, items: list[float]
) -> None:
    generator = node("g", "float_generator", generator=value)
    made = Made(templates, [generator, node("x", "float_batch", floats=[])], [wire("g", "x", "floats", "floats")])
    assert made.nodes[0].items == items


@pytest.mark.parametrize(
    "value", [{}, {"type": "float_generator_arithmetic_sequence"}, 5, None, [1], {"image_name": "a"}]
)
def test_a_generators_value_of_another_kind_is_refused(templates: NodeTemplates, value: Any) -> None:
    generator = node("g", "integer_generator", generator=value)
    with pytest.raises(BatchError, match=r"'integer_generator' \(node g\) of w cannot be read"):
        Made(templates, [generator, integers("x", [1])], [wire("g", "x", "integers", "integers")])


@pytest.mark.parametrize("taken", range(13))
def test_the_rest_of_a_batch_is_what_the_server_has_not_taken(taken: int) -> None:
    batch = {
        "graph": {},
        "runs": 2,
        "data": [
            [
                {"node_path": "a", "field_name": "x", "items": [1, 2, 3]},
                {"node_path": "b", "field_name": "y", "items": ["p", "q", "r"]},
            ],
            [{"node_path": "c", "field_name": "z", "items": [0.5, 0.25]}],
        ],
    }

    def expanded(batch: dict[str, Any]) -> list[list[Any]]:
        """As the server expands it."""
        zipped = [list(zip(*(datum["items"] for datum in group), strict=True)) for group in batch["data"]]
        rows = [[value for group in row for value in group] for row in itertools.product(*zipped)]
        runs: int = batch["runs"]
        return rows * runs

    assert expanded(rest_of(batch, taken)) == expanded(batch)[taken:]
    assert rest_of({"graph": {}, "runs": 13}, taken)["runs"] == 13 - taken


def test_only_a_group_of_its_own_is_not_multiplied(templates: NodeTemplates) -> None:
    nodes = [integers("x", [1], "Group 1"), integers("y", [2]), integers("z", [3], "Group 1"), ADD, node("add2", "add")]
    wires = [wire("x", "add", "a"), wire("y", "add", "b"), wire("z", "add2", "a")]
    # The group comes where its first batch is.
    assert Made(templates, nodes, wires).data() == [
        [("add", "a", [1]), ("add2", "a", [3])],
        [("add", "b", [2])],
    ]


@pytest.mark.parametrize(
    ("kind", "output", "items"),
    [
        ("float", "value", [1.5]),
        ("integer", "value", [2]),
        ("string", "value", ["a"]),
        ("image", "image", [{"image_name": "a"}]),
    ],
)
def test_the_edges_of_a_batch_leave_its_output(
    templates: NodeTemplates, kind: str, output: str, items: list[Any]
) -> None:
    values: dict[str, Any] = {f"{kind}s": items, "batch_group_id": "None"}
    target, field = {"image": ("img_blur", "image")}.get(kind, (kind, "value"))
    made = Made(templates, [node("x", f"{kind}_batch", **values), node("t", target)], [wire("x", "t", field, output)])
    assert made.warnings == ()
    assert made.data() == [[("t", field, items)]]
    assert made.faults() == []


def test_faults_are_those_of_groups_and_of_empty_batches(templates: NodeTemplates) -> None:
    nodes = [
        integers("a", [1, 2], "Group 1"),
        integers("b", [1], "Group 1"),
        integers("c", [1, 2, 3], "Group 2"),
        integers("d", [], "None"),
        integers("e", [1]),
        integers("f", [1, 2]),
        ADD,
        node("add2", "add"),
        node("add3", "add"),
    ]
    wires = [
        wire(name, target, field)
        for name, target, field in zip(
            "abcdef", ("add", "add", "add2", "add2", "add3", "add3"), ("a", "b") * 3, strict=True
        )
    ]
    faults = Made(templates, nodes, wires).faults()
    assert [(node_id, name) for node_id, name, _ in faults] == [("d", "integers"), ("a", "integers"), ("b", "integers")]
    assert "'Group 1'" in faults[1][2]
    assert "2, 1" in faults[1][2]
    assert faults[1][2] == faults[2][2]


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("data", [None, []])
def test_the_rest_of_a_batch_without_data_is_its_runs(runs: int, data: Any) -> None:
    batch = {"graph": {}, "runs": runs, **({} if data is None else {"data": data})}
    assert rest_of(batch, 1) == {**batch, "runs": runs - 1}


def test_what_is_set_on_a_batch_is_what_it_makes(templates: NodeTemplates) -> None:
    document = {
        "meta": {"version": "3.0.0"},
        "nodes": [integers("x", [1]), node("i", "image_batch", images=[], batch_group_id="None"), ADD],
        "edges": [wire("x", "add", "a")],
    }
    definition = WorkflowDefinition.from_dict(document)
    fields = WorkflowFields(definition, templates)
    numbers, images, group = (fields.get(*at) for at in (("x", "integers"), ("i", "images"), ("x", "batch_group_id")))
    assert numbers is not None
    assert images is not None
    assert group is not None
    numbers.value = [5, 6]
    images.value = [b"\x89PNG\r\n\x1a\n" + bytes(8)]
    group.restore(("Group 2", False))
    made = batch_nodes(definition, fields, fields.edges)
    assert [(one.node.id, one.group, one.items) for one in made] == [
        ("x", "Group 2", [5, 6]),
        ("i", "None", [LocalImage(b"\x89PNG\r\n\x1a\n" + bytes(8))]),
    ]
