"""The page of a sweep that runs on a real server, from its first row to picks that are a plan again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import expect
from tests.browser.conftest import PHOTOGRAPH, SCREENSHOTS, OpenPage
from tests.documents import HUE_AND_BLUR

from invokeai_py_client.local import LocalServer

# The browser has the event loop of this thread, so the client runs in a program of its own.
BEGINNING = """
import json, sys
from invokeai_py_client import InvokeAIClient, WorkflowDefinition
url, workflow, photograph, path = sys.argv[1:]
with InvokeAIClient.from_url(url) as client:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_json(workflow))
    wf.inputs["Image"].value = photograph
"""

SWEEP = (
    BEGINNING
    + """
    batch = wf.sweep({"Hue": range(0, 360, 60), "Radius": [0, 2, 5, 10]}, folder=path)
    print("submitted", flush=True)
    batch.wait()
"""
)

PICKS = (
    BEGINNING
    + """
    rows = json.load(open(path))
    print(json.dumps([dict(row.values) for row in wf.plan(rows)]))
"""
)


def test_a_sweep_is_shown_while_it_runs_and_its_picks_are_a_plan(
    server: LocalServer, open_page: OpenPage, tmp_path: Path
) -> None:
    folder = tmp_path / "sweep"
    arguments = [server.url, json.dumps(HUE_AND_BLUR), str(PHOTOGRAPH)]
    command = [sys.executable, "-c", SWEEP, *arguments, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "submitted\n"
        page = open_page(folder / "index.html")
        expect(page.locator("#progress")).to_contain_text("of 24 rows finished")
        expect(page.locator("#progress")).to_contain_text("live")
        expect(page.locator("#progress")).to_contain_text(
            "24 of 24 rows finished (24 completed), ended", timeout=60_000
        )
        assert program.wait(30) == 0
    expect(page.get_by_role("gridcell", name="completed")).to_have_count(24)
    assert page.locator("img").evaluate_all("images => images.every(image => image.naturalWidth > 0)")
    page.screenshot(path=SCREENSHOTS / "real-sweep.png")

    page.get_by_role("gridcell", name="Hue 60, Radius 5").focus()
    page.keyboard.press("p")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save JSON").click()
    picks = tmp_path / "picks.json"
    download.value.save_as(picks)
    command = [sys.executable, "-c", PICKS, *arguments, str(picks)]
    planned = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    (values,) = json.loads(planned.stdout)
    assert (values["Hue"], values["Radius"]) == (60, 5)
