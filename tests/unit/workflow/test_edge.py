from __future__ import annotations

from invokeai_py_client.workflow.edge import Edge


def test_edges_between_the_same_fields_are_equal_whatever_their_ids() -> None:
    one, other = Edge("a", "value", "b", "x", "1"), Edge("a", "value", "b", "x", "2")
    assert one == other
    assert len({one, other, Edge("a", "value", "b", "y", "1")}) == 2


def test_an_edge_is_said_by_its_ends() -> None:
    assert str(Edge("a", "value", "b", "x", "1")) == "a.value -> b.x"


def test_an_edge_without_field_names_belongs_to_a_collapsed_node() -> None:
    assert Edge("a", "", "b", "").is_collapsed
    assert not Edge("a", "value", "b", "x").is_collapsed
