"""The workflow that `reproduce` runs: with the values of the graph in the image, and with the drawn numbers."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from typing import Any

import PIL.Image
import pytest
from aiohttp import web
from PIL.PngImagePlugin import PngInfo
from tests.documents import edge, node
from tests.support.scripted_server import WORKFLOW, ScriptedServer

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.cli.image_source import SourceImage
from invokeai_py_client.cli.reproduce import prepared_workflow

RANDOM = node("random", "rand_int", "1.0.1", low=0, high=9)
BATCH = node("batch", "integer_batch", "1.0.0", integers=[5, 6])
SUM = node("sum", "add", "1.0.1", a=1, b=2)
NOISE = node("noise", "noise", "1.0.3", seed=1, width=64, height=64)
VIA = {"id": "via", "type": "connector", "position": {"x": 0, "y": 0}, "data": {"id": "via", "type": "connector"}}

IMAGE = {
    "image_name": "known.png",
    "image_url": "x",
    "thumbnail_url": "x",
    "image_origin": "internal",
    "image_category": "general",
    "width": 1,
    "height": 1,
    "created_at": "2026-01-01",
    "updated_at": "2026-01-01",
    "is_intermediate": False,
    "starred": False,
    "has_workflow": True,
    "session_id": "s-1",
}


async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
    """Have the node `random` draw 4, and the node `twice` 5 and 6."""
    server.finish(item_id)
    session = server.items[item_id]["session"]
    session["results"] = {
        name: {"type": "integer_output", "value": n} for name, n in zip("abc", (4, 5, 6), strict=True)
    }
    session["prepared_source_mapping"] = {"a": "random", "b": "twice", "c": "twice"}


async def known_image(_: web.Request) -> web.Response:
    return web.json_response(IMAGE)


@pytest.fixture(scope="module")
def client() -> Iterator[InvokeAIClient]:
    """A client of a server that knows one image, which its item 1 has made."""
    routes = [web.get("/api/v1/images/i/known.png", known_image)]
    with ScriptedServer(play, routes=routes) as server, InvokeAIClient.from_url(server.url) as client:
        client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW)).submit_sync()
        yield client


def image(nodes: list[dict[str, Any]], edges: list[dict[str, str]], graph: Any, name: str = "other.png") -> SourceImage:
    """An image with a workflow, and the graph that has made it."""
    workflow = {"name": "w", "meta": {"version": "3.0.0"}, "exposedFields": [], "nodes": nodes, "edges": edges}
    info, buffer = PngInfo(), io.BytesIO()
    info.add_text("invokeai_workflow", json.dumps(workflow))
    PIL.Image.new("L", (1, 1)).save(buffer, "PNG", pnginfo=info)
    return SourceImage(name, buffer.getvalue(), {"graph": json.dumps(graph)})


def graph_edge(source: str, field: str, target: str, target_field: str) -> dict[str, Any]:
    return {"source": {"node_id": source, "field": field}, "destination": {"node_id": target, "field": target_field}}


@pytest.mark.parametrize("source", [RANDOM, BATCH], ids=["rand_int", "batch"])
@pytest.mark.parametrize("name", ["known.png", "other.png"])
def test_a_value_of_a_row_replaces_the_edge_of_the_workflow(
    client: InvokeAIClient, source: dict[str, Any], name: str
) -> None:
    graph = {"nodes": {"noise": {"type": "noise", "seed": 6, "width": 64}}, "edges": []}
    wf, notes = prepared_workflow(
        client, image([source, NOISE], [edge(source["id"], "value", "noise", "seed")], graph, name)
    )
    seed = wf.inputs["noise", "seed"]
    assert (seed.edge, seed.value, notes) == (None, 6, [])


@pytest.mark.parametrize("edges", [None, [1, {"destination": 2}, {}]])
def test_an_edge_that_ran_is_kept(client: InvokeAIClient, edges: list[Any] | None) -> None:
    """The graph also has a value for an input that an edge feeds, which the server does not use."""
    ran = [graph_edge("sum", "value", "noise", "seed")]
    graph = {"nodes": {"noise": {"seed": 0}, "sum": {"a": 3, "b": 2}}, "edges": [*(edges or []), *ran]}
    wf, _ = prepared_workflow(client, image([SUM, NOISE], [edge("sum", "value", "noise", "seed")], graph))
    assert wf.inputs["noise", "seed"].edge is not None
    assert wf.inputs["sum", "a"].value == 3


@pytest.mark.parametrize("steps", [["random", "noise"], ["random", "via", "noise"]], ids=["directly", "by connector"])
def test_a_drawn_number_is_set_or_noted(client: InvokeAIClient, steps: list[str]) -> None:
    fields = {"random": ("value", ""), "via": ("out", "in"), "noise": ("", "seed")}
    edges = [edge(a, fields[a][0], b, fields[b][1]) for a, b in itertools.pairwise(steps)]
    graph = {"nodes": {"noise": {"seed": 0}}, "edges": [graph_edge("random", "value", "noise", "seed")]}
    wf, notes = prepared_workflow(client, image([RANDOM, VIA, NOISE], edges, graph, "known.png"))
    seed = wf.inputs["noise", "seed"]
    assert (seed.edge, seed.value, notes) == (None, 4, [])
    wf, notes = prepared_workflow(client, image([RANDOM, VIA, NOISE], edges, graph))
    assert wf.inputs["noise", "seed"].edge is not None
    assert notes == ["the node rand_int draws Seed at random, and not as it was"]


@pytest.mark.parametrize(
    ("source", "target", "field"),
    [
        (node("twice", "rand_int", "1.0.1", low=0, high=9), NOISE, "seed"),
        (RANDOM, node("list", "collect", "1.1.0"), "item"),
    ],
    ids=["several in an iteration", "an input without a value"],
)
def test_a_drawn_number_that_cannot_be_set_is_noted(
    client: InvokeAIClient, source: dict[str, Any], target: dict[str, Any], field: str
) -> None:
    graph = {"nodes": {}, "edges": [graph_edge(source["id"], "value", target["id"], field)]}
    edges = [edge(source["id"], "value", target["id"], field)]
    wf, notes = prepared_workflow(client, image([source, target], edges, graph, "known.png"))
    assert wf.inputs[target["id"], field].edge is not None
    assert ["at random" in note for note in notes] == [True]


def test_a_node_with_a_seed_of_its_own_runs_again(client: InvokeAIClient) -> None:
    nodes = [node("range", "random_range", "1.0.1", low=0, high=9, size=2, seed=5), node("each", "iterate", "1.1.0")]
    edges = [edge("range", "collection", "each", "collection")]
    graph = {"nodes": {}, "edges": [graph_edge("range", "collection", "each", "collection")]}
    wf, notes = prepared_workflow(client, image(nodes, edges, graph, "known.png"))
    assert wf.inputs["each", "collection"].edge is not None
    assert notes == []
