"""A workflow for plans, and plans of it without a server."""

from __future__ import annotations

from typing import Any

from tests.documents import edge, node

from invokeai_py_client.batch.plan_data import PlanData
from invokeai_py_client.batch.plan_options import PlanOptions
from invokeai_py_client.batch.planner import Planner
from invokeai_py_client.batch.server_names import ServerNames
from invokeai_py_client.batch.sources import taken
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.inputs import shown_inputs
from invokeai_py_client.workflow.templates import NodeTemplates

TINY = {"key": "k-tiny", "hash": "h-tiny", "name": "tiny", "base": "sd-1", "type": "main"}
HUGE = {"key": "k-huge", "hash": "h-huge", "name": "huge", "base": "sd-1", "type": "main"}
VAE = {"key": "k-vae", "hash": "h-vae", "name": "vae", "base": "sd-1", "type": "vae"}
MODELS = [TINY, HUGE, VAE]
BOARD = {"board_id": "b-1", "board_name": "Cats"}
SERVER = ServerNames(models=MODELS, boards=[BOARD], missing_images=frozenset({"gone.png"}))


def _shown(name: str, field: str) -> dict[str, str]:
    return {"nodeId": name, "fieldName": field}


def document() -> dict[str, Any]:
    """A workflow with a random seed, texts, numbers, a boolean, a choice, a model, an image and a board."""
    prompt = node("prompt", "string", "1.0.1", value="a cat on a mat")
    prompt["data"]["inputs"]["value"]["label"] = "Positive Prompt"
    image = {"image_name": "a.png"}
    blur = node("blur", "img_blur", "1.2.2", intermediate=False, image=image, radius=2.0, blur_type="box", board="auto")
    return {
        "name": "plans",
        "meta": {"version": "3.0.0"},
        "nodes": [
            prompt,
            node("random", "rand_int", "1.0.1", low=0, high=10),
            node("noise", "noise", "1.0.3", seed=5, width=64, height=64, use_cpu=True),
            node("model", "main_model_loader", "1.0.4", model=TINY),
            node("vae", "vae_loader", "1.0.4", vae_model=VAE),
            blur,
            node("add", "add", "1.0.1", a=1, b=2),
        ],
        "edges": [edge("random", "value", "noise", "seed")],
        "exposedFields": [
            _shown("prompt", "value"),
            _shown("noise", "width"),
            _shown("noise", "height"),
            _shown("model", "model"),
            _shown("blur", "image"),
            _shown("blur", "radius"),
            _shown("noise", "use_cpu"),
            _shown("blur", "blur_type"),
            _shown("blur", "board"),
        ],
    }


def planned(
    templates: NodeTemplates,
    what: Any,
    *,
    document: dict[str, Any] | None = None,
    values: dict[Any, Any] | None = None,
    server: ServerNames = SERVER,
    **options: Any,
) -> PlanData:
    """Plan runs of a workflow.

    Args:
        templates: the server's.
        what: columns or rows, as for `wf.plan`.
        document: the workflow; that of `document()` if it is left out.
        values: set in the workflow before it is planned.
        server: what the server has.
        options: as for `wf.plan`.
    """
    definition = WorkflowDefinition.from_dict(_default() if document is None else document)
    fields = WorkflowFields(definition, templates)
    inputs = shown_inputs(definition, templates, fields)
    for key, value in (values or {}).items():
        inputs[key].set(value, override_edge=True)
    checked = PlanOptions(**options).checked()
    planner = Planner(definition, definition, templates, fields)
    return planner.plan(taken(what), checked).finished(server, checked.on_bad_row)


_default = document


def cells(plan: PlanData) -> list[tuple[Any, ...]]:
    """Return the values of each row, one for each column."""
    return [tuple(row.values.values()) for row in plan]
