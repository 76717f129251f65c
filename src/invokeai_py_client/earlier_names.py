"""Replacements for names of client 1.1 that this client does not have.

They are shown in error messages, for scripts that were written for `invokeai-py-client` 1.1. Such scripts import from
the modules in `earlier/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Never

_COLOR = "Set all parts at once: field.value = '#ff8000', or {'r': 255, 'g': 128, 'b': 0, 'a': 255}."
_BOX = "Set all sides at once: field.value = {'x_min': 0, 'y_min': 0, 'x_max': 64, 'y_max': 64}."
_LORA = "Set the LoRA and its weight at once: field.value = {'lora': 'its name', 'weight': 0.8}."
_LIMIT = "The limits are the server's, and a value is checked against them when it is assigned: see field.template"
_CHECKED = "A value is checked when it is assigned; field.fault() checks the value that the file has."
_SENT = "field.raw is the value as it would be sent."
_QUEUE = "client.queue_repo.get_queue() has the queue items"

ATTRIBUTES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "Field": {
            "choices": "EnumField has `options`.",
            "get_choices": "EnumField has `options`.",
            "min_length": f"{_LIMIT}.min_length.",
            "max_length": f"{_LIMIT}.max_length.",
            "min_value": f"{_LIMIT}.minimum.",
            "max_value": f"{_LIMIT}.maximum.",
            "minimum": f"{_LIMIT}.minimum.",
            "maximum": f"{_LIMIT}.maximum.",
            "validate_field": _CHECKED,
            "to_api_format": _SENT,
            "to_json_dict": _SENT,
            "description": "An input has `description`: wf.get_input(index).description.",
        },
        "ColorField": dict.fromkeys("rgba", _COLOR),
        "BoundingBoxField": dict.fromkeys(("x_min", "y_min", "x_max", "y_max"), _BOX),
        "LoRAField": dict.fromkeys(("key", "hash", "name", "base", "type", "weight"), _LORA),
        "WorkflowInput": {
            "jsonpath": "(node_id, field_name) tells where an input is in the workflow.",
            "validate_input": _CHECKED,
        },
        "WorkflowHandle": {
            "set_input_value": "Set the value of the field: wf.inputs[index].value = ...",
            "cancel_async": "Await wf.aio.cancel().",
            "get_queue_item": "A run has `item`: wf.submit_sync().item, or client.run(item_id).item.",
            "get_output_image_jsonpath_templates": "wf.map_outputs_to_images(result) returns the images of each node.",
            "job": "submit_sync() returns the run: its status, progress and images.",
            "batch_id": "submit_sync() returns the run, which has `batch_id`.",
            "item_id": "submit_sync() returns the run, which has `item_id`.",
            "session_id": "submit_sync() returns the run, which has `session_id`.",
            "client": "Keep the client beside the handle.",
        },
        "InvokeAIClient": {
            "socketio_session": "client.stream_queue_events() has the events of a queue, run.stream() those of a run.",
            "connect_socketio": "The client connects its socket itself; client.on_connection() reports its state.",
            "disconnect_socketio": "client.close() disconnects the socket.",
            "create_workflow": "Call client.workflow_repo.create_workflow(definition).",
            "list_jobs": f"{_QUEUE}: list_items().",
            "get_job": f"{_QUEUE}: get_item(item_id). client.run(item_id) follows a run.",
            "cancel_job": f"{_QUEUE}: cancel_item(item_id).",
            "list_models": "Call client.models.list_models().",
            "get_model_info": "Call client.models.get_model_by_key(key).",
            "base_url": "client.settings.url is the server's address.",
            "session": "client.request(method, path) sends any request.",
            "_make_request_v2": "Call client.request(method, '/api/v2/...').",
        },
        "Boards": {
            "clear_cache": "Boards are always read from the server.",
            "get_image_current_board_id": "Call client.image_repo.get_image(name).board_id.",
            "move_image_to_board_by_name": "Call board_repo.get_board_handle(name).add_images(image_name).",
        },
        "Board": {"to_dict": "board.record has what the server knows of it: dict(board.record)."},
        "InstallJob": {"wait": "Call wait_until()."},
    }
)
"""Sentences by the name of the class, without "Async", and the attribute."""


def hint_for(kind: type, name: str) -> str:
    """Return the replacement for an attribute of client 1.1, as a sentence; "" if there is none.

    Args:
        kind: the class of the object.
        name: the attribute.
    """
    for base in kind.__mro__:
        hint = ATTRIBUTES.get(base.__name__.removeprefix("Async"), {}).get(name)
        if hint is not None:
            return hint
    return ""


def refuse(function: str, unknown: Mapping[str, Never], **instead: str) -> None:
    """Raise an error if there are unknown keyword arguments.

    Args:
        function: the name of the function.
        unknown: the unknown arguments.
        instead: the replacements for arguments of client 1.1, as sentences.

    Raises:
        TypeError: there are unknown arguments.
    """
    for name in unknown:
        hint = instead.get(name, "")
        raise TypeError(f"{function}() got an unexpected keyword argument {name!r}.{hint and f' {hint}'}")
