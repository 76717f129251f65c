"""Batches on a server with little room, and with programs and servers that die: every row is done exactly once."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image

from invokeai_py_client import BatchRun, InvokeAIClient, WorkflowDefinition
from invokeai_py_client.local import LocalServer

PROGRAM = """
import json, sys
from invokeai_py_client import InvokeAIClient, WorkflowDefinition
url, workflow, folder, columns = sys.argv[1:]
with InvokeAIClient.from_url(url) as client:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_json(workflow))
    plan = wf.plan(json.loads(columns), combine="zip")
    print("planned", flush=True)
    batch = plan.submit(folder=folder, window=15)
    print("submitted", flush=True)
    batch.wait()
"""


def submit(client: InvokeAIClient, workflow: dict[str, Any], radii: list[float], folder: Path) -> BatchRun:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(workflow))
    return wf.plan({"Radius": radii}).submit(folder=folder)


def items_of(client: InvokeAIClient, radii: list[float]) -> Counter[tuple[str, float]]:
    """Return how many items the server has by status and radius."""
    items = client._make_request("GET", "/queue/default/list_all").json()
    named = [(item["status"], item["field_values"][0]["value"]) for item in items]
    return Counter((status, radius) for status, radius in named if radius in radii)


def check_files(client: InvokeAIClient, batch: BatchRun, folder: Path, count: int) -> None:
    for row in batch.to_rows():
        (file,) = row["files"]
        content = (folder / file["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        assert content == client.image_repo.get_image(file["image"]).bytes()
    assert len([*folder.glob("*.png")]) == count
    assert not [*folder.glob(".*.part")]


def test_sixty_rows_in_a_queue_of_eight(mortal: LocalServer, blur: dict[str, Any], tmp_path: Path) -> None:
    radii = [1 + n / 100 for n in range(60)]
    with InvokeAIClient.from_url(mortal.url) as client:
        batch = submit(client, blur, radii, tmp_path)
        assert batch.wait(120).counts["completed"] == 60
        assert items_of(client, radii) == Counter(("completed", radius) for radius in radii)
        assert [row.values["Radius"] for row in batch.results()] == radii
        check_files(client, batch, tmp_path, 60)


def test_programs_and_servers_die(
    mortal: LocalServer, blur: dict[str, Any], sleep: dict[str, Any], tmp_path: Path
) -> None:
    choose = random.Random(7)
    # A row takes long enough to die in.
    blur["nodes"] += sleep["nodes"]
    radii = [2 + n / 100 for n in range(120)]
    sleep["nodes"][0]["data"]["inputs"]["seconds"]["value"] = 0.05
    arguments = [mortal.url, json.dumps(blur), str(tmp_path), json.dumps({"Radius": radii})]
    for number in range(5):
        command = [sys.executable, "-c", PROGRAM, *arguments]
        log = (tmp_path / f"{number}.log").open("w+")
        with log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == "planned\n"
            if number in (1, 3):
                assert program.stdout.readline() == "submitted\n"
            time.sleep(choose.uniform(0.02, 0.6))
            if number in (1, 3):
                mortal.kill()
                mortal.start()
                time.sleep(choose.uniform(0.02, 0.5))
            assert program.poll() is None, log.seek(0) or log.read()
            program.kill()
    with InvokeAIClient.from_url(mortal.url) as client:
        before = items_of(client, radii)
        assert 0 < sum(count for (status, _), count in before.items() if status == "completed") < 120
        batch = submit(client, blur, radii, tmp_path)
        assert batch.wait(120).counts["completed"] == 120
        after = items_of(client, radii)
        completed = Counter({radius: count for (status, radius), count in after.items() if status == "completed"})
        assert completed == Counter(radii), "each row has completed exactly once"
        assert {status for status, _ in after} <= {"completed", "canceled"}
        check_files(client, batch, tmp_path, 120)


def test_programs_die_that_upload_the_images_of_their_rows(
    mortal: LocalServer, blur: dict[str, Any], tmp_path: Path
) -> None:
    choose = random.Random(11)
    # The blurred image is that of the row, not the one that the workflow makes.
    blur["nodes"] = [each for each in blur["nodes"] if each["id"] == "blur"]
    blur["edges"] = []
    count = 24
    columns: dict[str, list[Any]] = {"blur.image": [], "Radius": [6 + n / 100 for n in range(count)]}
    (tmp_path / "pictures").mkdir()
    for n in range(count):
        picture = tmp_path / "pictures" / f"{n}.png"
        Image.effect_noise((64 + n, 64), 50).convert("RGB").save(picture)
        columns["blur.image"].append(str(picture))
    folder = tmp_path / "out"
    for number in range(4):
        command = [sys.executable, "-c", PROGRAM, mortal.url, json.dumps(blur), str(folder), json.dumps(columns)]
        log = (tmp_path / f"{number}.log").open("w+")
        with log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == "planned\n", log.seek(0) or log.read()
            time.sleep(choose.uniform(0.02, 0.5))
            program.kill()
    with InvokeAIClient.from_url(mortal.url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))
        batch = wf.plan(columns, combine="zip").submit(folder=folder)
        assert batch.wait(120).counts["completed"] == count
        items = client._make_request("GET", "/queue/default/list_all").json()
        radii = Counter(
            each["value"]
            for item in items
            if item["status"] == "completed"
            for each in item["field_values"]
            if each["field_name"] == "radius" and each["value"] in columns["Radius"]
        )
        assert radii == Counter(columns["Radius"])
        check_files(client, batch, folder, count)
        for row in batch.results():
            with Image.open(row.files[0].path) as image:
                assert image.width == 64 + row.index


def test_sixty_rows_without_a_socket(mortal: LocalServer, blur: dict[str, Any], tmp_path: Path) -> None:
    radii = [4 + n / 100 for n in range(60)]
    with InvokeAIClient.from_url(mortal.url, transport="polling") as client:
        batch = submit(client, blur, radii, tmp_path)
        assert batch.wait(120).counts["completed"] == 60
        assert items_of(client, radii) == Counter(("completed", radius) for radius in radii)
        check_files(client, batch, tmp_path, 60)
