"""`reproduce`: make an image again, and compare it with what it was."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli import completion
from invokeai_py_client.cli.commands import Argument, Command
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.image_source import SourceImage, load_image
from invokeai_py_client.cli.session import Session, with_session
from invokeai_py_client.cli.submitting import board_option, submit_and_wait, submit_queue_option

if TYPE_CHECKING:
    from invokeai_py_client.blocking.generated.image import Image
    from invokeai_py_client.blocking.workflow_handle import WorkflowHandle
    from invokeai_py_client.client import InvokeAIClient
    from invokeai_py_client.workflow.inputs import WorkflowInput

_RANDOM = ("rand_int", "rand_float")
"""Types of nodes whose output is another one each time. `random_range` has a seed, which is a value as any other."""


@click.command(
    "reproduce",
    cls=Command,
    help="""Run the workflow in an image again, and say whether the same pixels come out.

The workflow gets the values with which the image was made, and the models of this server that are those of the image,
or are named so. Nothing is taken from the server's cache. Numbers that the workflow draws at random are those of the
first time if the server still knows them. The exit code is 1 if the pixels differ.""",
    example="invokeai-client reproduce tiger.png --out again",
)
@click.argument(
    "image",
    cls=Argument,
    shell_complete=completion.images,
    help="A PNG that a workflow of InvokeAI made, unchanged, or the name of such an image on the server.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder to save the new image in.")
@board_option
@submit_queue_option
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds to wait; then it is canceled.")
@with_session
def command(
    session: Session, image: str, out: Path | None, board: str | None, queue_id: str, timeout: float | None
) -> None:
    """Reproduce an image."""
    from invokeai_py_client.cli.pixels import sentence_of
    from invokeai_py_client.cli.run_progress import showing_progress

    output = session.output
    session.board = board
    if out is not None:
        # So that a folder that cannot be made costs no run.
        out.mkdir(parents=True, exist_ok=True)
    source = load_image(session, image)
    wf, notes = prepared_workflow(session.client, source)
    for note in notes:
        output.note(f"note: {note}")
    with showing_progress(output, wf, previews=False) as show:
        run = submit_and_wait(output, wf, timeout, show, queue_id=queue_id)
    run.result()
    if not run.images:
        raise Failure("run_failed", "The workflow has made no image this time.", details={"batch_id": run.batch_id})
    nearest, difference = _nearest(source.content, run.images)
    file = nearest.save(out) if out is not None else None
    facts: dict[str, Any] = {
        "equal": difference is None,
        "image": nearest.name,
        "file": file,
        "batch_id": run.batch_id,
        "difference": difference,
        "notes": notes,
    }
    if difference is not None:
        other_machine = "the server runs on other hardware, or with other libraries, than the one that made it"
        raise Failure(
            "differs",
            f"The pixels of {nearest.name} are not those of {source.name}. {sentence_of(difference)}",
            f"A likely reason: {notes[0] if notes else other_machine}.",
            facts,
        )
    output.done(
        facts, quiet=[file or nearest.name], human=lambda: output.say(f"The pixels are equal: {file or nearest.name}")
    )


def prepared_workflow(client: InvokeAIClient, source: SourceImage) -> tuple[WorkflowHandle, list[str]]:
    """Return the workflow of an image with the values of the image, and why it may make another one nevertheless."""
    from invokeai_py_client.workflow.document import WorkflowDefinition

    document = copy.deepcopy(WorkflowDefinition.from_image(source.content).to_dict())
    for node in document["nodes"]:
        if isinstance(node.get("data"), dict) and node.get("type") == "invocation":
            node["data"]["useCache"] = False
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document))
    notes = [f"another model takes the place of the image's: {change}" for change in wf.sync_dnn_model().renamed]
    _set_values(wf, source.json("graph"))
    notes += _set_drawn_numbers(client, wf, source)
    was, now = source.json("metadata").get("app_version"), client.app.get_version()
    if was and was != now:
        notes.append(f"InvokeAI {was} made the image, and the server is {now}")
    return wf, notes


def _inputs_of(wf: WorkflowHandle) -> Iterator[WorkflowInput]:
    for node in wf.nodes:
        yield from node.inputs


def _set_values(wf: WorkflowHandle, graph: Mapping[str, Any]) -> None:
    """Set what the graph that made the image has otherwise than its workflow: the values of its row of a batch.

    A value of a row may replace an edge, which the workflow still has.
    """
    nodes = graph.get("nodes")
    fed = _fed_inputs(graph)
    values: dict[tuple[str, str], Any] = {}
    for entry in _inputs_of(wf):
        node = nodes.get(entry.node_id) if isinstance(nodes, Mapping) else None
        value = node.get(entry.field_name) if isinstance(node, Mapping) else None
        is_plain = isinstance(value, str | int | float) or (isinstance(value, Mapping) and {*value} == {"image_name"})
        place = (entry.node_id, entry.field_name)
        if is_plain and place not in fed and (entry.edge is not None or value != entry.value):
            values[place] = value
    wf.set_many(values, override_edge=True)


def _fed_inputs(graph: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return the inputs that an edge of a graph feeds, by (node id, input name)."""
    edges = graph.get("edges")
    fed = set()
    for edge in edges if isinstance(edges, list) else ():
        with contextlib.suppress(LookupError, TypeError):
            fed.add((edge["destination"]["node_id"], edge["destination"]["field"]))
    return fed


def _set_drawn_numbers(client: InvokeAIClient, wf: WorkflowHandle, source: SourceImage) -> list[str]:
    """Set inputs that random nodes feed to what was drawn for the image; return which of them cannot be."""
    from invokeai_py_client.workflow.connections import Origins

    nodes = wf.definition.first_nodes
    origins = Origins(nodes, wf.definition.edges)
    fed = [
        (entry, origin)
        for entry in _inputs_of(wf)
        if entry.edge is not None
        and (origin := origins.of(entry.edge)) is not None
        and nodes[origin.source].type in _RANDOM
    ]
    if not fed:
        return []
    drawn = _results_of(client, source.name)
    notes = []
    for entry, origin in fed:
        # A node in an iteration has drawn several numbers, and one value cannot stand for them.
        results = drawn.get(origin.source, ())
        value = results[0].get(origin.source_field) if len(results) == 1 else None
        if value is None or entry.field.template.input == "connection":
            notes.append(f"the node {nodes[origin.source].type} draws {entry.label} at random, and not as it was")
        else:
            entry.set(value, override_edge=True)
    return notes


def _results_of(client: InvokeAIClient, name: str) -> dict[str, list[Mapping[str, Any]]]:
    """Return the outputs of the nodes that ran for an image, by node id, if the server still knows of them."""
    from invokeai_py_client.errors import InvokeAIError

    try:
        session_id = client.image_repo.get_image(name).session_id
        if session_id is None:
            return {}
        outputs = client.run(session_id=session_id).item.outputs
    except InvokeAIError:
        return {}
    results: dict[str, list[Mapping[str, Any]]] = {}
    for output in outputs:
        results.setdefault(output.node_id, []).append(output.result)
    return results


def _nearest(content: bytes, images: Any) -> tuple[Image, dict[str, Any] | None]:
    """Return which of some images is like another one, or differs in the fewest pixels, and how it differs."""
    from invokeai_py_client.cli.pixels import difference_of

    compared = []
    for image in images:
        difference = difference_of(content, image.bytes())
        if difference is None:
            return image, None
        compared.append((image, difference))
    return min(compared, key=lambda one: one[1].get("pixels", float("inf")))
