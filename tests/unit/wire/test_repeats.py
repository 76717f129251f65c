"""Requests that are repeated after a lost response, and what their second outcome means."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from typing import Any

import pytest

from invokeai_py_client.wire import calls
from invokeai_py_client.wire.call import Call, Response
from invokeai_py_client.wire.calls import (
    auth,
    boards,
    images,
    models,
    queue,
    style_presets,
    videos,
    workflows,
)


def response(status: int, body: Any = None) -> Response:
    return Response("DELETE", "http://host/x", status, {}, json.dumps(body).encode(), is_repeat=True)


GONE: list[Call[Any]] = [
    auth.delete_user("u"),
    boards.delete_board("b", include_images=True),
    images.delete_image("a.png"),
    models.delete_model("k"),
    models.delete_cover_image("k"),
    models.unlink_models("k", "l"),
    queue.delete_queue_item("default", 3),
    style_presets.delete_style_preset("s"),
    workflows.delete_workflow("w"),
    workflows.delete_thumbnail("w"),
]


@pytest.mark.parametrize("call", GONE, ids=lambda call: call.path)
def test_a_repeated_deletion_that_finds_nothing_has_succeeded(call: Call[Any]) -> None:
    assert call.idempotent
    assert 404 in call.done_statuses
    call.parse(response(404, {"detail": "no such thing"}))


def test_a_repeated_deletion_names_what_is_gone() -> None:
    assert images.delete_image("a.png").parse(response(404)).deleted_images == ["a.png"]
    assert boards.delete_board("b", include_images=True).parse(response(404)).board_id == "b"
    answer = response(200, {"deleted_images": ["b.png"], "failed_images": ["c.png"]})
    assert images.delete_images(["a.png", "b.png", "c.png"]).parse(answer).deleted_images == ["a.png", "b.png"]
    answer = response(200, {"deleted_videos": [], "failed_videos": ["c.mp4"]})
    assert videos.delete_videos(["a.mp4", "c.mp4"]).parse(answer).deleted_videos == ["a.mp4"]
    answer = response(200, {"deleted": ["a"], "errors": {"b": "error: path does not exist", "c": "error: busy"}})
    orphans = models.delete_orphaned_models(["a", "b", "c"]).parse(answer)
    assert (orphans.deleted, orphans.errors) == (["a", "b"], {"c": "error: busy"})


def test_a_first_deletion_names_what_the_server_names() -> None:
    answer = Response("POST", "u", 200, {}, json.dumps({"deleted_images": ["b.png"]}).encode())
    assert images.delete_images(["a.png", "b.png"]).parse(answer).deleted_images == ["b.png"]
    orphans = {"deleted": [], "errors": {"b": "error: path does not exist"}}
    answer = Response("DELETE", "u", 200, {}, json.dumps(orphans).encode())
    assert models.delete_orphaned_models(["b"]).parse(answer).deleted == []


def test_a_repeated_link_that_exists_has_succeeded() -> None:
    call = models.link_models("k", "l")
    assert call.idempotent
    assert call.done_statuses == {409}
    call.parse(response(409, {"detail": "exists"}))


def argument(kind: str) -> Any:
    """Return an argument for a parameter of some type."""
    for beginning, value in {
        "Sequence": ["x"],
        "Mapping": {},
        "Query": {},
        "bytes": b"x",
        "int": 1,
        "bool": True,
    }.items():
        if kind.startswith(beginning):
            return value
    return {"batch": {}} if kind.startswith("dict") else "x"


def all_calls() -> list[tuple[str, Call[Any]]]:
    """Return every call that this client can make, by its name."""
    found = []
    for module in pkgutil.iter_modules(calls.__path__):
        home = importlib.import_module(f"{calls.__name__}.{module.name}")
        for name, function in inspect.getmembers(home, inspect.isfunction):
            if not name.startswith("_") and function.__module__ == home.__name__:
                parameters = inspect.signature(function).parameters.values()
                required = [parameter for parameter in parameters if parameter.default is parameter.empty]
                given = {parameter.name: argument(str(parameter.annotation)) for parameter in required}
                found.append((f"{module.name}.{name}", function(**given)))
    return found


NOT_REPEATED = {
    # Each time they make something new.
    "auth.create_user",
    "auth.setup",
    "boards.create_board",
    "images.start_bulk_download",
    "images.upload_image",
    "models.install_model",
    "queue.enqueue_batch",
    "queue.retry_items",
    "style_presets.create_style_preset",
    "style_presets.import_style_presets",
    "videos.upload_video",
    "workflows.create_workflow",
    # The second time does not tell what the first has removed.
    "images.clear_intermediates",
    "images.delete_uncategorized_images",
    "queue.clear_queue",
    "queue.delete_all_except_current",
    "queue.delete_by_destination",
    "queue.prune_queue",
    # The second time is refused, or tells another story: a changed password, a model that is not a checkpoint any more.
    "auth.update_me",
    "models.convert_model",
    "models.delete_models",
    # The server deletes the zip, or makes another password.
    "images.get_bulk_download",
    "auth.generate_password",
}


def test_what_is_not_repeated_is_known_and_everything_else_is() -> None:
    assert {name for name, call in all_calls() if not call.idempotent} == NOT_REPEATED


def test_every_deletion_of_one_thing_by_its_name_accepts_that_it_is_gone() -> None:
    of_many = {
        "app.clear_invocation_cache",
        "images.clear_intermediates",
        "images.delete_uncategorized_images",
        "models.delete_orphaned_models",
        "models.hf_logout",
        "models.prune_install_jobs",
        "queue.delete_by_destination",
        # The server cancels a job twice, and takes an absent video off no board.
        "models.cancel_install_job",
        "videos.remove_video_from_board",
    }
    deletions = {name for name, call in all_calls() if call.method == "DELETE" and not call.done_statuses}
    assert deletions == of_many
