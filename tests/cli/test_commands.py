"""Each command on the real server, through pipes: what it prints, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from tests.cli.conftest import CLI
from tests.documents import node

from invokeai_py_client import InvokeAIClient


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Pillow.new("RGB", (48, 40), "red").save(path)
    return path


def test_run_saves_the_images_and_prints_a_document(cli: CLI, blur_file: Path, tmp_path: Path) -> None:
    data = cli("run", blur_file, "--set", "Width=80", "--set", "blur.radius=3", "--set", "2=none", "--out", "o").data()
    assert (data["status"], len(data["item_ids"])) == ("completed", 1)
    (image,) = data["images"]
    assert image["node"] == "blur"
    file = tmp_path / "cwd" / image["file"]
    with Pillow.open(file) as opened:
        assert opened.size == (80, 64)


def test_run_in_quiet_prints_paths_or_names(cli: CLI, blur_file: Path, client: InvokeAIClient, tmp_path: Path) -> None:
    paths = cli("run", blur_file, "--runs", 2, "--out", tmp_path / "o", "--format", "quiet").out.splitlines()
    assert len(paths) == 2
    assert all(Path(path).is_file() for path in paths)
    (name,) = cli("run", blur_file, "--format", "quiet").out.splitlines()
    assert client.image_repo.get_image(name).width == 64


def test_run_uploads_a_file_reads_stdin_and_runs_an_image_again(cli: CLI, photo: Path, tmp_path: Path) -> None:
    crop = {
        "name": "crop",
        "meta": {"version": "3.0.0", "category": "user"},
        "exposedFields": [{"nodeId": "crop", "fieldName": "image"}],
        "nodes": [node("crop", "img_crop", "1.2.2", intermediate=False, image=None, x=0, y=0, width=32, height=16)],
        "edges": [],
    }
    data = cli("run", "-", "--set", f"Image=@{photo}", "--out", tmp_path, stdin=json.dumps(crop)).data()
    (image,) = data["images"]
    again = cli("run", image["file"], "--set", "crop.width=8").data()
    assert len(again["images"]) == 1
    assert cli("images", "show", again["images"][0]["name"]).data()["width"] == 8


def test_run_without_waiting_prints_the_batch(cli: CLI, blur_file: Path, client: InvokeAIClient) -> None:
    data = cli("run", blur_file, "--no-wait", "--priority", "high").data()
    run = client.run(batch_id=data["batch_id"])
    assert run.wait(30).status == "completed"
    assert [*run.item_ids] == data["item_ids"]


def test_run_prints_the_body_and_submits_nothing(cli: CLI, blur_file: Path, client: InvokeAIClient) -> None:
    before = client.queue.get_status().queue.total
    body = cli("run", blur_file, "--set", "Width=72", "--runs", 3, "--dry-run").data()
    assert body["batch"]["graph"]["nodes"]["blank"]["width"] == 72
    assert body["batch"]["runs"] == 3
    assert client.queue.get_status().queue.total == before


def test_run_tells_events_line_by_line(cli: CLI, sleep_file: Path) -> None:
    ended = cli("run", sleep_file, "--events")
    ended.data()
    events = [json.loads(line) for line in ended.out.splitlines()[:-1]]
    steps = [event["step"] for event in events if event["event"] == "generator_progress"]
    assert steps == [1, 2, 3, 4]
    assert events[-1] == {"event": "session_complete", "item_id": events[-1]["item_id"], "status": "completed"}


def test_run_takes_a_workflow_of_the_library_and_binds_its_models(cli: CLI, tmp_path: Path) -> None:
    small = [f"--set={key}={value}" for key, value in {"Width": 64, "Height": 64, "denoise_latents.steps": 2}.items()]
    data = cli("run", "Text to Image - SD1.5", *small, "--set", "Positive Prompt=yes", "--out", tmp_path).data()
    assert len(data["images"]) == 1


def test_run_sets_the_seed_and_names_the_files(cli: CLI, tmp_path: Path) -> None:
    small = [f"--set={key}={value}" for key, value in {"Width": 64, "Height": 64, "denoise_latents.steps": 2}.items()]
    run = ("run", "Text to Image - SD1.5", *small, "--set", "Positive Prompt=a fox, asleep", "--seed", 7)
    data = cli(*run, "--out", tmp_path, "--name", "{Positive Prompt:.5}-{seed}").data()
    assert [image["file"] for image in data["images"]] == [str(tmp_path / "a fox-7.png")]
    with Pillow.open(tmp_path / "a fox-7.png") as opened:
        graph = json.loads(opened.info["invokeai_graph"])
    assert [one["seed"] for one in graph["nodes"].values() if one["type"] == "noise"] == [7]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--seed", "7"], "unknown_input", "no seed to set"),
        (["--seed", "7", "--runs", "2"], "usage", "sweep --seeds"),
        (["--name", "x"], "usage", "Add --out FOLDER."),
        (["--out", "o", "--name", "{Heigth}"], "bad_input", "'Heigth' is unknown"),
    ],
)
def test_a_seed_or_name_that_run_cannot_use(
    cli: CLI, blur_file: Path, arguments: list[str], code: str, said: str
) -> None:
    ended = cli("run", blur_file, *arguments)
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (2, code)
    assert said in f"{error['message']} {error['hint']}"


def test_a_run_that_fails_says_where(cli: CLI, sleep_file: Path) -> None:
    ended = cli("run", sleep_file, "--set", "Fail At=0")
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (1, "run_failed")
    assert error["details"]["node_id"] == "sleep"
    assert error["details"]["error_message"] == "told to fail at step 0"


def test_a_run_that_takes_too_long_is_canceled(cli: CLI, sleep_file: Path, client: InvokeAIClient) -> None:
    ended = cli("run", sleep_file, "--set", "Seconds=60", "--timeout", "0.5", "--events")
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (1, "timeout")
    assert client.queue.get_item(error["details"]["item_id"]).status == "canceled"


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code", "said"),
    [
        (["--set", "Widht=3"], "unknown_input", 2, "Did you mean 'Width'?"),
        (["--set", "Width=wide"], "bad_input", 2, "whole number"),
        (["--set", "Width"], "usage", 2, "has no '='"),
        (["--set", "Board=gone"], "not_ready", 2, "gone"),
        (["--set", "Width=-1"], "run_failed", 1, ""),
    ],
)
def test_a_wrong_input_of_run(
    cli: CLI, blur_file: Path, arguments: list[str], code: str, exit_code: int, said: str
) -> None:
    ended = cli("run", blur_file, *arguments)
    error = ended.error()
    assert (error["code"], ended.exit_code) == (code, exit_code)
    assert said in f"{error['message']} {error['hint']}"


def test_a_workflow_that_is_not_there(cli: CLI, tmp_path: Path) -> None:
    ended = cli("run", "Text to Image - SD15")
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (5, "not_found")
    assert error["hint"] == "Did you mean 'Text to Image - SD1.5'?"
    (tmp_path / "broken.json").write_text("{")
    ended = cli("inputs", tmp_path / "broken.json")
    assert (ended.exit_code, ended.error()["code"]) == (2, "bad_input")


def test_inputs(cli: CLI, blur_file: Path) -> None:
    rows = cli("inputs", blur_file).data()["inputs"]
    assert [(row["index"], row["key"], row["type"]) for row in rows] == [
        (0, "Width", "IntegerField"),
        (1, "Radius", "FloatField"),
        (2, "Board", "BoardField"),
    ]
    assert "img_blur.blur_type" in cli("inputs", blur_file, "--all", "--format", "quiet").out.splitlines()
    schema = cli("inputs", blur_file, "--json-schema").data()
    assert schema["properties"]["Radius"]["minimum"] == 0
    lines = cli("inputs", blur_file, "--format", "human").out.splitlines()
    assert lines[0].split() == ["#", "Key", "Type", "Takes", "Value"]
    assert lines[1].split() == ["0", "Width", "Integer", "64"]


def test_check(cli: CLI, blur: dict[str, Any], blur_file: Path) -> None:
    assert cli("check", blur_file).data()["workflow"] == "blur"
    blur["nodes"].append(node("odd", "no_such_node", "1.0.0"))
    ended = cli("check", "-", stdin=json.dumps(blur))
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (1, "check_failed")
    assert error["details"]["problems"][0]["node"] == "odd"
    ended = cli("check", "-", "--format", "human", stdin=json.dumps(blur))
    assert "no_such_node" in ended.out
    assert ended.err.startswith("error: The workflow would not run here: 1 problem.")


def test_images_from_upload_to_deletion(cli: CLI, photo: Path, tmp_path: Path) -> None:
    (image,) = cli("images", "upload", photo).data()["images"]
    name = image["name"]
    assert (image["width"], image["height"]) == (48, 40)
    assert cli("images", "star", name).data() == {"starred": [name]}
    assert name in cli("images", "list", "--starred", "--format", "quiet").out.splitlines()
    assert cli("images", "unstar", name).data() == {"unstarred": [name]}
    (file,) = cli("images", "download", name, "--out", tmp_path / "d").data()["files"]
    assert Path(file).read_bytes().startswith(b"\x89PNG")
    assert cli("images", "star", "-", stdin=f"{name}\n\n").data() == {"starred": [name]}
    assert cli("images", "download", "-", "--format", "human", stdin="").out == "Nothing was named.\n"
    ended = cli("images", "delete", name)
    assert (ended.exit_code, ended.error()["code"]) == (2, "needs_yes")
    assert cli("images", "delete", name, "--yes").data() == {"deleted": [name]}
    ended = cli("images", "show", name)
    assert (ended.exit_code, ended.error()["code"]) == (5, "not_found")


def test_a_folder_is_uploaded_and_a_list_that_is_cut_says_so(cli: CLI, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for color in ("red", "green", "blue"):
        Pillow.new("RGB", (16, 16), color).save(folder / f"{color}.png")
    (folder / ".hidden").write_text("no image")
    names = [image["name"] for image in cli("images", "upload", folder, photo).data()["images"]]
    assert len(names) == 4
    ended = cli("images", "list", "--limit", 2)
    data = ended.data()
    assert {image["name"] for image in data["images"]} < {*names}
    assert data["total"] >= 4
    assert ended.err == f"note: 2 of {data['total']} images; --limit lists more.\n"
    ended = cli("images", "delete", *names, "gone.png", "lost.png", "--yes")
    error = ended.error()
    assert error["message"] == "The server does not have the image 'gone.png' and 1 of the others."
    assert error["hint"] == "4 of 6 were deleted."


def test_files_that_cannot_be_transferred(cli: CLI, photo: Path, tmp_path: Path) -> None:
    ended = cli("images", "upload", tmp_path / "none.png")
    assert (ended.exit_code, ended.error()["code"]) == (2, "file_error")
    (tmp_path / "text.png").write_text("no image")
    ended = cli("images", "upload", photo, tmp_path / "text.png")
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (1, "transfer_failed")
    assert error["details"]["failed"][0]["name"].endswith("text.png")
    ended = cli("images", "download", "gone.png")
    assert (ended.exit_code, ended.error()["code"]) == (5, "not_found")


@pytest.fixture
def twins(client: InvokeAIClient) -> Iterator[list[str]]:
    """Two boards of one name."""
    boards = [client.board_repo.create_board("twins") for _ in range(2)]
    yield [board.board_id for board in boards]
    for board in boards:
        client.board_repo.delete_board(board)


def test_boards_from_creation_to_deletion(cli: CLI, photo: Path, twins: list[str]) -> None:
    board = cli("boards", "create", "otters").data()
    cli("images", "upload", photo, "--board", "otters").data()
    assert cli("boards", "show", "otters").data()["assets"] == 1
    assert len(cli("images", "list", "--board", "otters").data()["images"]) == 1
    table = cli("boards", "list", "--format", "human").out
    assert [line.split()[1:3] for line in table.splitlines() if line.startswith("otters")] == [["0", "1"]]
    ended = cli("boards", "show", "twins")
    assert (ended.exit_code, ended.error()["code"]) == (2, "ambiguous")
    assert {*ended.error()["details"]["choices"]} == {*twins}
    deleted = cli("boards", "delete", "otters", "--with-images", "--yes").data()
    assert deleted["deleted"]["id"] == board["id"]
    ended = cli("boards", "show", "otters")
    assert (ended.exit_code, ended.error()["code"]) == (5, "not_found")


def test_models(cli: CLI, client: InvokeAIClient) -> None:
    (model,) = cli("models", "list", "--type", "main").data()["models"]
    shown = cli("models", "show", model["name"]).data()
    assert (shown["key"], shown["base"]) == (model["key"], "sd-1")
    error = cli("models", "show", model["name"][:-1]).error()
    assert model["name"] in error["hint"]
    ended = cli("models", "install", shown["source"], "--inplace")
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (1, "install_failed")
    client.models.prune_install_jobs()
    ended = cli("models", "delete", model["key"])
    assert (ended.exit_code, ended.error()["code"]) == (2, "needs_yes")


def test_the_queue(cli: CLI, blur_file: Path, client: InvokeAIClient) -> None:
    assert client.queue.wait_until_idle(60)
    assert cli("queue", "pause").data() == {"is_paused": True}
    try:
        (item_id,) = cli("run", blur_file, "--no-wait").data()["item_ids"]
        status = cli("queue", "status").data()
        assert (status["pending"], status["is_paused"]) == (1, True)
        assert cli("queue", "position", item_id).data()["position"] == 1
        listed = cli("queue", "list", "--status", "pending").data()["items"]
        assert [item["item_id"] for item in listed] == [item_id]
        assert cli("queue", "clear").error()["code"] == "needs_yes"
        assert cli("queue", "clear", "--yes").data()["deleted"] >= 1
    finally:
        assert cli("queue", "resume").data() == {"is_paused": False}


def test_the_server(cli: CLI, client: InvokeAIClient, tmp_path: Path) -> None:
    assert cli("server", "status", "--wait", "10").data()["version"] == client.app.get_version()
    ended = cli("server", "status", "--url", "http://127.0.0.1:9")
    assert (ended.exit_code, ended.error()["code"]) == (3, "unreachable")
    config = tmp_path / "invokeai-client" / "config.toml"
    config.parent.mkdir()
    config.write_text(f'[profiles.test]\nurl = "{client.settings.url}"\n')
    data = cli("server", "status", "--profile", "test", INVOKEAI_URL="http://127.0.0.1:9").data()
    assert data["url"] == client.settings.url


def test_in_a_pipe_there_is_neither_colour_nor_progress(cli: CLI, sleep_file: Path) -> None:
    ended = cli("run", sleep_file, "--format", "human")
    assert (ended.exit_code, ended.out) == (0, "")
    assert ended.err.startswith("0 images in ")
    assert "\x1b" not in ended.err


def test_jobs_of_whatever_program(cli: CLI, sleep_file: Path, client: InvokeAIClient) -> None:
    # Submitted by another program, as far as the commands know.
    good = cli("run", sleep_file, "--no-wait").data()
    bad = cli("run", sleep_file, "--set", "Fail At=1", "--runs", 2, "--no-wait").data()
    assert [job["batch_id"] for job in cli("jobs", "list", "--limit", 2).data()["jobs"]] == [
        bad["batch_id"],
        good["batch_id"],
    ]
    assert cli("jobs", "wait", good["batch_id"]).data()["jobs"][0]["status"] == "completed"
    ids = f"{bad['item_ids'][0]}\n\n{bad['batch_id']}\n"
    ended = cli("jobs", "wait", "-", stdin=ids)
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (1, "run_failed")
    assert [job["item_ids"] for job in error["details"]["jobs"]] == [bad["item_ids"][:1], bad["item_ids"]]
    shown = cli("jobs", "show", bad["batch_id"]).data()
    assert [item["error"] for item in shown["items"]] == ["told to fail at step 1"] * 2
    again = cli("jobs", "retry", bad["batch_id"]).data()
    assert again["retried"] == bad["item_ids"]
    assert [client.queue.get_item(item_id).retried_from_item_id for item_id in again["item_ids"]] == bad["item_ids"]
    assert client.queue.wait_until_idle(30)
    assert cli("jobs", "retry", bad["batch_id"]).data()["retried"] == again["item_ids"], "not the first ones again"
    assert client.queue.wait_until_idle(30)


def test_jobs_that_are_canceled_or_not_there(cli: CLI, sleep_file: Path) -> None:
    batch_id = cli("run", sleep_file, "--set", "Seconds=60", "--no-wait", "--format", "quiet").out.strip()
    ended = cli("jobs", "wait", batch_id, "--timeout", "0.2")
    assert (ended.exit_code, ended.error()["code"]) == (1, "timeout")
    assert ended.error()["hint"].startswith("It goes on.")
    (job,) = cli("jobs", "cancel", batch_id).data()["jobs"]
    assert (job["batch_id"], job["status"]) == (batch_id, "canceled")
    ended = cli("jobs", "wait", batch_id)
    assert (ended.exit_code, ended.error()["code"]) == (1, "run_canceled")
    for missing in ("no-such-batch", "999999", "9" * 30):
        ended = cli("jobs", "show", missing)
        assert (ended.exit_code, ended.error()["code"]) == (5, "not_found")
    ended = cli("jobs", "show", "-", stdin=f"{batch_id}\n")
    assert (ended.exit_code, ended.error()["code"]) == (2, "usage")


def test_the_library_of_workflows(cli: CLI, blur_file: Path, tmp_path: Path) -> None:
    workflow_id = cli("workflows", "push", blur_file).data()["id"]
    assert workflow_id in cli("workflows", "list", "--category", "user", "--format", "quiet").out.splitlines()
    ended = cli("workflows", "push", blur_file)
    error = ended.error()
    assert (ended.exit_code, error["code"], error["hint"]) == (2, "bad_input", "Pass --overwrite to replace it.")
    assert cli("workflows", "push", blur_file, "--overwrite").data()["id"] == workflow_id
    shown = cli("workflows", "show", "blur").data()
    assert (shown["nodes"], shown["inputs"]) == (["blank_image", "img_blur"], ["Width", "Radius", "Board"])
    file = tmp_path / "pulled.json"
    assert cli("workflows", "pull", "blur", "--out", file).data() == {"file": str(file)}
    assert len(cli("run", file).data()["images"]) == 1
    ended = cli("workflows", "pull", "blur", "--out", file)
    assert (ended.exit_code, ended.error()["code"]) == (2, "file_error")
    ended = cli("workflows", "delete", "blur", "--yes")
    assert (ended.exit_code, ended.error()["code"]) == (5, "not_found")
    assert cli("workflows", "delete", workflow_id, "--yes").data()["deleted"]["name"] == "blur"
    ended = cli("workflows", "show", workflow_id)
    assert (ended.exit_code, ended.error()["code"]) == (5, "not_found")


def test_the_doctor(cli: CLI, client: InvokeAIClient) -> None:
    checks = cli("doctor").data()["checks"]
    assert [check["check"] for check in checks if check["ok"]] == [
        *("address", "encryption", "proxy", "server", "version", "access", "events", "models", "queue", "disk")
    ]
    client.queue.pause()
    try:
        ended = cli("doctor")
    finally:
        client.queue.resume()
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (1, "unhealthy")
    bad = [check for check in error["details"]["checks"] if not check["ok"]]
    assert bad == [{"check": "queue", "ok": False, "found": bad[0]["found"], "fix": error["hint"]}]
    assert error["hint"] == "Go on with: invokeai-client queue resume"
    assert cli("doctor", "--url", "http://127.0.0.1:9").error()["details"]["checks"][-1]["check"] == "server"


def test_completion_scripts(cli: CLI) -> None:
    for shell in ("bash", "zsh", "fish"):
        ended = cli("completion", shell)
        assert ended.exit_code == 0
        assert "_INVOKEAI_CLIENT_COMPLETE" in ended.out
