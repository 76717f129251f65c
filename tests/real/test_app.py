"""The server itself, its style presets, and that the client has a method, or a reason, for each of its routes."""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path

import PIL.Image
import pytest

from invokeai_py_client import InvokeAIClient, errors
from invokeai_py_client.local import LocalServer
from invokeai_py_client.repositories.schema_drift import known_routes

SEEN_BY = ("anyone", "an administrator")


def png() -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (64, 64), (1, 2, 3)).save(buffer, "PNG")
    return buffer.getvalue()


def test_how_it_is(client: InvokeAIClient, its_server: LocalServer) -> None:
    health = client.health_check()
    assert health
    assert (health.is_reachable, health.version, health.is_processing_started) == (True, its_server.version, True)
    assert health.latency is not None
    assert client.wait_until_ready(5) == its_server.version


def test_a_server_that_does_not_exist() -> None:
    with InvokeAIClient.from_url("http://127.0.0.1:9", retries=0) as client:
        health = client.health_check()
        assert not health
        assert isinstance(health.error, errors.TransportError)
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            client.wait_until_ready(0.6)
        assert 0.5 < time.monotonic() - began < 20


def test_what_it_is_made_of(client: InvokeAIClient, its_server: LocalServer) -> None:
    assert "torch" in {name.lower() for name in client.app.get_dependencies()}
    config = client.app.get_config()
    assert config.config["port"] == int(its_server.url.rsplit(":", 1)[1])
    assert "port" in config.set_fields
    (device,) = client.app.list_generation_devices()
    assert (device.device, device.name) == ("cpu", "CPU")
    history = config.config["max_queue_history"]
    assert client.app.update_config({"max_queue_history": 500}).config["max_queue_history"] == 500
    client.app.update_config({"max_queue_history": history})
    with pytest.raises(errors.RejectedError):
        client.app.update_config({"max_queue_history": "many"})


def test_its_log_level(client: InvokeAIClient) -> None:
    before = client.app.get_log_level()
    assert client.app.set_log_level(40) == client.app.get_log_level() == 40
    client.app.set_log_level(before)
    with pytest.raises(errors.RejectedError):
        client.app.set_log_level(41)


def test_its_cache_of_outputs(client: InvokeAIClient) -> None:
    client.app.disable_invocation_cache()
    assert not client.app.get_invocation_cache().enabled
    client.app.enable_invocation_cache()
    assert client.app.get_invocation_cache().enabled
    client.app.clear_invocation_cache()
    assert client.app.get_invocation_cache().size == 0


def test_dynamic_prompts(client: InvokeAIClient) -> None:
    assert client.app.dynamic_prompts("a {red|blue} cub") == ["a red cub", "a blue cub"]
    assert len(client.app.dynamic_prompts("a {red|blue} cub", combinatorial=False, max_prompts=3, seed=1)) == 3
    with pytest.raises(errors.PromptTemplateError, match="red"):
        client.app.dynamic_prompts("a {red|blue cub")


def test_style_presets(client: InvokeAIClient, tmp_path: Path) -> None:
    repo = client.style_preset_repo
    made = repo.create_style_preset("woodcut", "a woodcut of {prompt}", "photo", image=png())
    assert (made.name, made.preset_data.positive_prompt, made.type) == ("woodcut", "a woodcut of {prompt}", "user")
    assert made.id in {preset.id for preset in repo.list_style_presets()}
    assert "default" in {preset.type for preset in repo.list_style_presets()}
    assert repo.get_style_preset_image(made.id)[8:12] == b"WEBP"
    changed = repo.update_style_preset(made.id, name="linocut")
    assert (changed.name, changed.preset_data.negative_prompt) == ("linocut", "photo")
    assert repo.get_style_preset_image(made.id)
    exported = repo.export_style_presets(tmp_path / "presets.csv").read_text()
    assert "a woodcut of {prompt}" in exported
    assert not changed.is_public
    assert repo.update_style_preset(made.id, is_public=True).is_public
    assert repo.update_style_preset(made.id, name="linocut").is_public
    assert repo.update_style_preset(made.id, image=PIL.Image.new("RGB", (32, 32))).image
    with pytest.raises(TypeError, match="remove_image"):
        repo.update_style_preset(made.id, image=png(), remove_image=True)
    assert repo.update_style_preset(made.id, remove_image=True).image is None
    with pytest.raises(errors.NotFoundError, match="no image"):
        repo.get_style_preset_image(made.id)
    repo.delete_style_preset(made.id)
    with pytest.raises(errors.NotFoundError):
        repo.get_style_preset(made.id)
    with pytest.raises(errors.NotFoundError):
        repo.delete_style_preset(made.id)
    with pytest.raises(errors.NotFoundError, match=r"none|no style"):
        repo.export_style_presets(tmp_path / "none.csv")
    repo.import_style_presets(tmp_path / "presets.csv")
    (tmp_path / "one.json").write_text(json.dumps([{"name": "sketch", "prompt": "a sketch", "negative_prompt": ""}]))
    repo.import_style_presets(tmp_path / "one.json")
    mine = {preset.name: preset for preset in repo.list_style_presets() if preset.type == "user"}
    assert set(mine) == {"linocut", "sketch"}
    with pytest.raises(errors.NotFoundError, match="no image"):
        repo.get_style_preset_image(mine["sketch"].id)
    (tmp_path / "bad.csv").write_text("no,such,columns\n1,2,3\n")
    with pytest.raises(errors.RejectedError):
        repo.import_style_presets(tmp_path / "bad.csv")
    for preset in mine.values():
        repo.delete_style_preset(preset.id)


def test_the_server_s_own_style_presets_are_left_alone(client: InvokeAIClient) -> None:
    repo = client.style_preset_repo
    own = next(preset for preset in repo.list_style_presets() if preset.type == "default")
    with pytest.raises(errors.RejectedError, match="is included with the server"):
        repo.update_style_preset(own.id, name="mine")
    with pytest.raises(errors.RejectedError, match="is included with the server"):
        repo.delete_style_preset(own.id)
    after = repo.get_style_preset(own.id)
    assert (after.name, after.preset_data) == (own.name, own.preset_data)


NOT_WRAPPED = {
    "/api/v1/app/external_providers/": "keys of paid services, which belong into the server's own settings",
    "/api/v1/app/patchmatch_status": "a choice in the web UI's canvas",
    "/api/v1/auth/media-cookie": "for browsers, whose image elements send no token",
    "POST /api/v1/board_images/": "the same as the batch of one",
    "DELETE /api/v1/board_images/": "the same as the batch of one",
    "/api/v1/client_state/": "where the web UI keeps its own settings",
    "/api/v1/gallery/": "images and videos mixed for the web UI's gallery; each has lists of its own",
    "/api/v1/image_moves/": "maintenance of the server's folders",
    "GET /api/v1/videos/": "pages by offset, which skip and repeat; the names and the records do not",
    "POST /api/v1/images/": "answers 501 on every server so far",
    "HEAD /api/v1/images/i/{image_name}/full": "GET has the same headers",
    "HEAD /api/v1/videos/i/{video_name}/full": "GET has the same headers",
    "DELETE /api/v1/videos/i/{video_name}": "the same as the list of one",
    "DELETE /api/v1/videos/uncategorized": "the same as deleting what list_videos(board='none') gives",
    "/api/v1/recall/": "sets the parameters that are shown in an open web UI",
    "/api/v1/system_prompts/": "for the web UI's expansion of prompts",
    "/api/v1/utilities/expand-prompt": "needs a language model, for the web UI's prompt box",
    "/api/v1/utilities/image-to-prompt": "needs a vision model, for the web UI's prompt box",
    "/api/v1/utilities/fonts": "for the web UI's canvas",
    "/api/v1/virtual_boards/": "views by date for the web UI's gallery",
    "/api/v1/workflows/counts_by": "figures beside the web UI's filters",
    "/api/v1/workflows/i/{workflow_id}/opened_at": "what the web UI opened last",
    "/api/v2/custom_nodes/": "installs foreign code on the server: request() can, on purpose",
    "/api/v2/models/install/huggingface": "answers with a page for the browser",
    "/api/v2/models/i/bulk_reidentify": "the same as reidentify_model for each",
}
"""Routes without a method, by how they begin, and why. `client.request` reaches them all."""


def test_every_route_has_a_method_or_a_reason(client: InvokeAIClient) -> None:
    paths = client.request("GET", "/openapi.json").json()["paths"]
    known = {(route.method, _nameless(route.path)) for route in known_routes()}
    routes = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    assert len(routes) > 180
    lacking = [f"{method} {path}" for method, path in routes if (method, _nameless(path)) not in known]
    reasons = {route: [why for why in NOT_WRAPPED if _begins(route, why)] for route in lacking}
    assert [route for route, why in reasons.items() if not why] == []
    assert {why for whys in reasons.values() for why in whys} == set(NOT_WRAPPED), "a reason for what has a method"


def _begins(route: str, reason: str) -> bool:
    if reason.startswith("/"):
        return route.split(" ", 1)[1].startswith(reason)
    return route == reason


def _nameless(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def test_every_call_is_made_by_some_method() -> None:
    source = "\n".join(
        path.read_text()
        for path in (Path(__file__).parents[2] / "src" / "invokeai_py_client").rglob("*.py")
        if "wire" not in path.parts
    )
    # Some are passed on, and called elsewhere.
    used = {*re.findall(r"\b(\w+)[(,]", source)}
    assert [route.made_by for route in known_routes() if route.made_by.split(".")[1] not in used] == []
