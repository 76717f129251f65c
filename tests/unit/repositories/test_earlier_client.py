"""Scripts of the earlier client, `invokeai-py-client` 1.1, find its names here, with their arguments."""

from __future__ import annotations

import inspect
import pydoc
import re
from typing import Any

import pytest

from invokeai_py_client import InvokeAIClient, WorkflowHandle
from invokeai_py_client.blocking.generated.board import Board
from invokeai_py_client.blocking.generated.boards import Boards
from invokeai_py_client.blocking.generated.install_job import InstallJob
from invokeai_py_client.blocking.generated.models import Models
from invokeai_py_client.blocking.generated.queue import Queue
from invokeai_py_client.blocking.generated.workflows import Workflows

# Those of its public methods that were sane, with their arguments in order.
NAMES: dict[type[Any], dict[str, str]] = {
    Boards: {
        "list_boards": "all include_uncategorized",
        "get_board_by_id": "board_id",
        "get_boards_by_name": "name",
        "create_board": "name",
        "update_board": "board_id name",
        "delete_board": "board_id delete_images",
        "get_board_handle": "board_id",
        "get_board_handle_by_name": "name",
        "get_uncategorized_board": "",
        "get_uncategorized_handle": "",
    },
    Board: {
        "refresh": "",
        "list_images": "offset limit order_by order_dir starred_first search_term",
        "upload_image": "file_path is_intermediate image_category",
        "upload_image_data": "image_data filename is_intermediate image_category",
        "download_image": "image_name full_resolution",
        "move_image_to": "image_name target_board_id",
        "remove_image": "image_name",
        "delete_image": "image_name",
        "star_image": "image_name",
        "unstar_image": "image_name",
        "get_image_count": "",
    },
    Models: {
        "list_models": "",
        "get_model_by_key": "model_key",
        "install_model": "source config inplace access_token",
        "list_install_jobs": "",
        "get_install_job": "id",
        "prune_install_jobs": "",
        "install_huggingface": "repo_id config access_token",
        "convert_model": "key",
        "delete_model": "key",
        "empty_model_cache": "",
        "get_stats": "",
        "scan_folder": "scan_path",
        "hf_status": "",
        "hf_login": "token",
        "hf_logout": "",
    },
    InstallJob: {"refresh": "", "wait_until": "timeout poll_interval", "cancel": "", "progress": ""},
    Queue: {
        "get_status": "",
        "list_all": "destination",
        "list_running": "",
        "list_pending": "",
        "get_current": "",
        "get_item": "item_id",
        "get_items_by_ids": "item_ids",
        "cancel_all_except_current": "",
        "clear": "",
        "prune": "",
        "wait_until_idle": "timeout poll_interval",
    },
    Workflows: {
        "create_workflow": "definition",
        "create_workflow_from_file": "filepath",
        "create_workflow_from_dict": "data",
        "list_available_workflows": "",
        "download_workflow": "workflow_id",
        "upload_workflow": "definition overwrite",
        "delete_workflow": "workflow_id",
    },
}

# The names of the page on execution modes, with the arguments that may be passed by position.
PAGE: dict[type[Any], dict[str, str]] = {
    InvokeAIClient: {
        "cancel_workflow": "item_id queue_id",
        "delete_image": "image_name",
        "health_check": "timeout",
        "wait_until_ready": "timeout",
        "schema_drift": "",
        "_make_request": "method endpoint",
    },
    WorkflowHandle: {
        "submit": "queue_id",
        "submit_sync": "queue_id",
        "submit_sync_monitor_async": "queue_id",
        "wait_for_completion": "submission",
        "wait_for_completion_sync": "submission",
        "stream_events": "session_id",
        "stream_events_sync": "session_id",
        "cancel": "submission",
        "sync_dnn_model": "by_name by_base",
        "sync_dnn_model_async": "by_name by_base",
        "validate_inputs": "",
        "validate_inputs_async": "",
        "_build_submission": "",
    },
}

AWAITED = {"submit", "wait_for_completion", "sync_dnn_model_async", "validate_inputs_async"}

# What it also took, and why it is not taken here.
NOT_TAKEN = {
    "create_board is_private": "the server knows three visibilities: `visibility`",
    "update_board is_private": "as with create_board",
    "upload_image session_id": "the session of a graph that made an image; an upload has none",
    "upload_image_data session_id": "as with upload_image",
    "create_workflow validate, auto_fix": "a workflow is always checked, and never changed behind its author's back",
}


@pytest.mark.parametrize(
    ("face", "name", "arguments"),
    [(face, name, arguments) for face, names in (NAMES | PAGE).items() for name, arguments in names.items()],
    ids=lambda one: one if isinstance(one, str) and one.isidentifier() else "",
)
def test_a_name_is_taken_with_its_arguments_in_their_order(face: type[Any], name: str, arguments: str) -> None:
    ours = [*inspect.signature(getattr(face, name)).parameters.values()][1:]
    by_position = [one.name for one in ours if one.kind is one.POSITIONAL_OR_KEYWORD]
    wanted = arguments.split()
    assert by_position[: len(wanted)] == wanted
    # What is ours beside them may be left out.
    others = [one for one in ours if one.name not in wanted and one.kind is not one.VAR_KEYWORD]
    assert all(one.default is not one.empty for one in others)


def test_what_is_not_taken_is_not_there() -> None:
    methods = {name: getattr(face, name) for face in NAMES for name in NAMES[face]}
    for entry in NOT_TAKEN:
        name, arguments = entry.split(" ", 1)
        assert not {*arguments.split(", ")} & {*inspect.signature(methods[name]).parameters}, entry


def test_the_repositories_have_the_names_of_the_earlier_client() -> None:
    with InvokeAIClient.from_url("http://127.0.0.1:9") as client:
        assert isinstance(client.board_repo, Boards)
        assert isinstance(client.dnn_model_repo, Models)
        assert isinstance(client.workflow_repo, Workflows)
        assert isinstance(client.queue_repo.get_queue("default"), Queue)
        assert client.queue_repo.list_queues() == ["default"]


def test_of_the_page_some_names_are_awaited_and_their_twins_block() -> None:
    methods = {name: getattr(face, name) for face, names in PAGE.items() for name in names}
    assert {name for name, method in methods.items() if inspect.iscoroutinefunction(method)} == AWAITED
    awaited, blocking = methods["wait_for_completion"], methods["wait_for_completion_sync"]
    assert inspect.signature(awaited) == inspect.signature(blocking)
    awaited, blocking = (inspect.signature(methods[name]).parameters for name in ("submit", "submit_sync"))
    assert {**awaited}.keys() - {**blocking}.keys() == {"subscribe_events", "unknown"}


def test_the_models_have_a_plain_name_too() -> None:
    with InvokeAIClient.from_url("http://127.0.0.1:9") as client:
        assert client.models == client.dnn_model_repo
        assert client.aio.models is client.aio.dnn_model_repo


def test_help_names_every_repository() -> None:
    told = pydoc.plain(pydoc.render_doc(InvokeAIClient))
    for name in ("app", "auth", "board_repo", "image_repo", "models", "queue", "video_repo", "workflow_repo"):
        assert re.search(rf"\n \|  {name}( =|\n)", told), name
