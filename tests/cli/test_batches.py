"""`batch`, `sweep` and `report` on the real server, through pipes: what they print and leave, and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from tests.cli.conftest import CLI

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.cli import rows_progress
from invokeai_py_client.cli.app import run

FACTS = {"folder", "rows", "counts", "servers", "seconds", "page", "contact_sheets", "failures"}


def checked(facts: dict[str, Any], **counts: int) -> dict[str, Any]:
    """What a batch says at its end, which is checked against the contract."""
    assert facts.keys() == FACTS
    statuses = ("pending", "in_progress", "completed", "failed", "canceled", "invalid")
    assert facts["counts"] == {status: counts.get(status, 0) for status in statuses}
    assert facts["rows"] == sum(counts.values())
    assert sum(facts["servers"].values()) == counts.get("completed", 0)
    return facts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_sweep_leaves_images_a_page_and_a_contact_sheet(cli: CLI, blur_file: Path, folder: Path) -> None:
    sweep = ("sweep", blur_file, "--vary", "Width=64,96", "--out", folder)
    facts = checked(cli(*sweep, "--vary", "blur.radius=1..2").data(), completed=4)
    assert (facts["folder"], facts["page"]) == (str(folder), str(folder / "index.html"))
    assert Path(facts["page"]).is_file()
    (sheet,) = facts["contact_sheets"]
    with Pillow.open(sheet) as opened:
        assert min(opened.size) > 128
    rows = manifest(folder)
    assert {(row["values"]["Width"], row["values"]["blur.radius"]) for row in rows} == {
        *((64, 1), (64, 2), (96, 1), (96, 2))
    }
    with Pillow.open(folder / rows[0]["files"][0]["path"]) as opened:
        assert "invokeai_workflow" in opened.info
    # With more values, only the new combinations are run.
    ended = cli(*sweep, "--vary", "blur.radius=1..3", "--resume", "--format", "quiet")
    assert (ended.exit_code, len(ended.out.splitlines())) == (0, 6)
    assert all(Path(path).is_file() for path in ended.out.splitlines())
    assert len(manifest(folder)) == 6


def test_results_are_neither_mixed_nor_deleted_unasked(
    cli: CLI, blur_file: Path, sleep_file: Path, folder: Path
) -> None:
    sweep = ("sweep", blur_file, "--vary", "Width=64,72", "--out", folder)
    checked(cli(*sweep).data(), completed=2)
    ended = cli(*sweep)
    error = ended.error()
    assert (ended.exit_code, error["code"], error["details"]) == (2, "folder_error", {"folder": str(folder)})
    assert "--resume" in error["hint"]
    other = ("sweep", sleep_file, "--vary", "Seconds=0,0.01", "--out", folder)
    ended = cli(*other, "--resume")
    assert (ended.exit_code, ended.error()["code"]) == (2, "folder_error")
    assert "--overwrite" in ended.error()["hint"]
    checked(cli(*other, "--overwrite").data(), completed=2)
    assert len(manifest(folder)) == 2


def test_a_batch_runs_the_rows_of_a_csv_file(cli: CLI, blur_file: Path, folder: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text('Width,1,#Note\n72,1,"wide, and soft"\n80,2,\n', encoding="utf-8")
    ended = cli("batch", blur_file, rows, "--out", folder, "--name", "{#Note}-{Width}-{index}", "--events")
    facts = checked(ended.data(), completed=2)
    assert (facts["page"], facts["contact_sheets"]) == (None, [])
    events = [json.loads(line) for line in ended.out.splitlines()[:-1]]
    assert events[0] == {"event": "plan", "rows": 2, "invalid": 0}
    assert [event["event"] for event in events[1:]] == ["row", "row"]
    first = next(event for event in events[1:] if event["index"] == 0)
    assert first["values"] == {"Width": 72, "1": 1.0, "#Note": "wide, and soft"}
    with Pillow.open(folder / "wide, and soft-72-0.png") as opened:
        assert opened.size == (72, 64)
    # The page can be made later.
    report = cli("report", folder).data()
    assert report.keys() == {"folder", "rows", "page", "contact_sheets"}
    assert (report["rows"], Path(report["page"]).is_file(), len(report["contact_sheets"])) == (2, True, 1)


def test_ctrl_c_while_the_display_opens_cancels_the_rows(
    client: InvokeAIClient,
    sleep_file: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rows_progress, "showing_rows", interrupt)
    arguments = ["--vary", "Seconds=60,61", "--out", str(folder), "--url", client.settings.url]
    assert run(["sweep", str(sleep_file), *arguments]) == 130
    assert client.queue.wait_until_idle(30)
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["message"] == "0 of 2 rows are done; the others were canceled."
    assert error["hint"].endswith(f"Draw the contact sheet with: invokeai-client report {folder}")
    assert error["details"]["contact_sheets"] == []


def test_a_batch_goes_on_with_what_has_failed(cli: CLI, sleep_file: Path, folder: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    lines = [{"Fail At": fail_at, "#n": n} for n, fail_at in enumerate([-1, 1, 1, -1])]
    rows.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    ended = cli("batch", sleep_file, rows, "--set", "Seconds=0.01", "--out", folder)
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (1, "rows_failed")
    assert error["message"] == "Of 4 rows, 2 failed: RuntimeError: told to fail at step."
    assert "--resume" in error["hint"]
    facts = checked(error["details"], completed=2, failed=2)
    assert [failure["rows"] for failure in facts["failures"]] == [[1, 2]]
    ended = cli(
        *("batch", sleep_file, rows, "--set", "Seconds=0.01", "--out", folder),
        *("--resume", "--stop-after-failures", 1),
    )
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (1, "rows_failed")
    assert error["message"].startswith("The batch was stopped after 1 failed row,")
    assert error["details"]["counts"]["completed"] == 2
    assert error["details"]["failures"]
    assert "has stopped" not in ended.err, "it is the error"
    # What is done was not run again.
    assert sum(row["status"] == "completed" for row in manifest(folder)) == 2


def test_random_seeds_are_the_same_when_it_goes_on(cli: CLI, folder: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("Positive Prompt\na cat\na dog\n", encoding="utf-8")
    small = [f"--set={key}={value}" for key, value in {"Width": 64, "Height": 64, "denoise_latents.steps": 2}.items()]
    batch = ("batch", "Text to Image - SD1.5", rows, *small, "--seeds", "random", "--out", folder)
    checked(cli(*batch).data(), completed=2)
    checked(cli(*batch, "--resume").data(), completed=2)
    assert len(manifest(folder)) == 2


def test_a_dry_run_shows_the_plan_and_submits_nothing(
    cli: CLI, blur_file: Path, folder: Path, client: InvokeAIClient
) -> None:
    before = client.queue.get_status().queue.total
    sweep = ("sweep", blur_file, "--vary", "Width=64..80..8", "--out", folder, "--dry-run")
    data = cli(*sweep).data()
    assert data == {
        "rows": 3,
        "invalid": 0,
        "columns": ["Width"],
        "axes": [{"name": "Width", "values": [64, 72, 80]}],
        "first_rows": [
            {"index": index, "values": {"Width": 64 + 8 * index}, "seed": None, "problems": []} for index in range(3)
        ],
    }
    shown = cli(*sweep, "--format", "human")
    assert [line.split() for line in shown.out.splitlines()[:2]] == [["Row", "Width"], ["0", "64"]]
    assert shown.err.splitlines() == ["Plan: 3 rows", "  Width: 64, 72, 80"]
    assert not folder.exists()
    assert client.queue.get_status().queue.total == before


def test_rows_with_values_that_are_not_allowed(cli: CLI, blur_file: Path, folder: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("Width\n64\nwide\n", encoding="utf-8")
    batch = ("batch", blur_file, rows, "--out", folder)
    ended = cli(*batch)
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (2, "bad_input")
    assert [(one["row"], one["column"]) for one in error["details"]["problems"]] == [(1, "Width")]
    assert error["hint"] == "Correct them, or leave out their rows with --skip-bad-rows."
    rows.write_text("Width\n64\nwide\ntall\n", encoding="utf-8")
    first, second, last, _ = cli(*batch, "--format", "human").err.splitlines()
    assert first.startswith("row 1, 'Width': 'wide' is not allowed")
    assert second.startswith("row 2, 'Width': 'tall' is not allowed")
    assert last == "error: The plan cannot run: 2 values or rows are not allowed."
    # What is left out is told as well.
    assert [first, second] == cli(*batch, "--skip-bad-rows", "--format", "human").err.splitlines()[2:4]
    rows.write_text("Width\n64\nwide\n", encoding="utf-8")
    batch = ("batch", blur_file, rows, "--out", tmp_path / "other")
    checked(cli(*batch, "--skip-bad-rows").data(), completed=1, invalid=1)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["batch", "{blur}", "none.csv"], "bad_input", "There is no file 'none.csv'"),
        (["batch", "{blur}", "{rows}"], "bad_input", "did you mean 'Width'?"),
        (["sweep", "{blur}", "--vary", "Widht=1"], "unknown_input", "Did you mean 'Width'?"),
        (["sweep", "{blur}", "--vary", "Width=64,x"], "bad_input", "whole number"),
        (["sweep", "{blur}"], "usage", "There is nothing to vary."),
        (["sweep", "{blur}", "--seeds", "x"], "usage", "neither a number of seeds"),
        (["sweep", "{blur}", "--vary", "Width=64", "--resume", "--overwrite"], "usage", "exclude each other"),
        (["sweep", "{blur}", "--vary", "Width=64", "--events", "--format", "quiet"], "usage", "--format json"),
        (["sweep", "{blur}", "--vary", "Width=64", "--name", "{{Heigth}}"], "bad_input", "'Heigth' is unknown"),
    ],
)
def test_a_wrong_input(
    cli: CLI, blur_file: Path, folder: Path, tmp_path: Path, arguments: list[str], code: str, said: str
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("Widht\n64\n", encoding="utf-8")
    ended = cli(*(one.format(blur=blur_file, rows=rows) for one in arguments), "--out", folder)
    if "quiet" in arguments:
        assert (ended.exit_code, ended.out) == (2, "")
        assert said in ended.err
        return
    error = ended.error()
    assert (error["code"], ended.exit_code) == (code, 2)
    assert said in f"{error['message']} {error['hint']}"
    assert "wf." not in error["hint"]
    if "--resume" not in arguments:
        # The folder has nothing that would have to be kept or deleted.
        checked(cli("sweep", blur_file, "--vary", "Width=64", "--out", folder).data(), completed=1)


def test_what_was_made_is_opened(cli: CLI, blur_file: Path, folder: Path, tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    browser.chmod(0o700)
    environment = {"BROWSER": f"{browser} %s"}
    cli("sweep", blur_file, "--vary", "Width=64", "--out", folder, "--open", **environment).data()
    cli("report", folder, "--open", **environment).data()
    cli("run", blur_file, "--out", tmp_path, "--name", "one", "--open", **environment).data()
    page = (folder / "index.html").as_uri()
    assert opened.read_text().splitlines() == [page, page, (tmp_path / "one.png").as_uri()]


def test_a_report_needs_a_batch(cli: CLI, tmp_path: Path) -> None:
    ended = cli("report", tmp_path / "none")
    assert (ended.exit_code, ended.error()["code"]) == (2, "bad_input")


def test_a_server_that_is_not_there(cli: CLI, blur_file: Path, folder: Path) -> None:
    ended = cli("sweep", blur_file, "--vary", "Width=64", "--out", folder, "--url", "http://127.0.0.1:9")
    assert (ended.exit_code, ended.error()["code"]) == (3, "unreachable")
    assert not folder.exists()
