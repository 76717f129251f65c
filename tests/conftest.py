"""The real server that most tests run on, and clients of it."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from tests.documents import edge, node
from tests.programs import NOT_RUN
from xdist.scheduler import LoadFileScheduling

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.local import LocalServer

HERE = Path(__file__).parent

# On a busy machine an example may take long, so there are no time limits. `make unit` tries new examples each time;
# `make test` always tries the same ones, so that it fails because of a change, and not by chance.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeat", settings.get_profile("search"), derandomize=True)
settings.load_profile("search")

# Where the tests run in the background of a shell, Ctrl-C is ignored, and the programs that they start inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The servers of the tests ask nobody but this machine.
os.environ["HF_HUB_OFFLINE"] = "1"

# The tiny model is too small for several threads: beside other work they wait for each other, ten times as long as one
# thread takes for the whole image.
os.environ["OMP_NUM_THREADS"] = "1"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say at the very end which tests did not run. Worker processes have no terminal reporter."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    reasons = dict.fromkeys(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason in reasons:
        if NOT_RUN in reason:
            print(f"\n{reason}")


TOGETHER = {
    **dict.fromkeys(
        [
            "tests/real/test_app.py",
            "tests/real/test_board_repo.py",
            "tests/real/test_image_repo.py",
            "tests/real/test_model_repo.py",
            "tests/real/test_queue.py",
            "tests/real/test_users.py",
            "tests/real/test_workflow_library.py",
        ],
        "the server with users",
    ),
    **dict.fromkeys(["tests/docs/test_examples.py", "tests/real/test_fleet.py"], "the second server"),
    **dict.fromkeys(
        ["tests/faults/test_server_faults.py", "tests/real/test_batch_crash.py"], "the server with little room"
    ),
    **dict.fromkeys(["tests/browser/test_docs_site.py", "tests/docs/test_site.py"], "the documentation site"),
    **dict.fromkeys(["tests/typing/test_generated_modules.py", "tests/typing/test_types.py"], "the cache of mypy"),
}
"""Modules that share what takes long to make, and what that is: of several workers one runs them, and makes it once."""


def unit_of_work(nodeid: str) -> str:
    """Return the name of what one worker runs: a module, or what modules share."""
    module = nodeid.split("::", 1)[0]
    # `seen_by` is the first parameter. What anyone sees needs no users.
    return module if "[anyone" in nodeid else TOGETHER.get(module, module)


class Schedule(LoadFileScheduling):  # type: ignore[misc]
    """Gives a worker one unit of work after another, in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of_work(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Schedule | None:
    """Have `--dist loadfile` know which modules belong together."""
    return Schedule(config, log) if config.option.dist == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Have each worker begin with another part of a folder: what one has compiled, the others read."""
    report = yield
    worker = getattr(collector.config, "workerinput", None)
    if worker is not None and isinstance(collector, pytest.Dir) and report.result:
        start = len(report.result) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
        report.result[:] = report.result[start:] + report.result[:start]
    return report


LONGEST = [
    "the server with little room",
    "the second server",
    "the server with users",
    "tests/faults/test_network_faults.py",
    "tests/faults/test_batch_at_scale.py",
    "tests/real/test_local_server.py",
    "tests/docs/test_blocks.py",
    "tests/cli/test_terminal.py",
    "tests/real/test_called_workflows.py",
    "tests/real/test_live_runs.py",
    "the documentation site",
    "tests/browser/test_page.py",
    "tests/browser/test_real_sweep.py",
    "the cache of mypy",
    "tests/cli/test_shells.py",
]
"""The units that take longest, the longest first. Begun late, one of them would be all that still runs at the end."""

QUICK = ("unit", "properties", "test_architecture.py")
"""What waits for nothing: it comes last, to keep the processors busy until the end."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest. All workers must have the same order."""
    rank = {unit: number for number, unit in enumerate(LONGEST)}

    def place(item: pytest.Item) -> tuple[int, bool, Path]:
        unit = unit_of_work(item.nodeid)
        return rank.get(unit, len(rank)), unit.startswith(tuple(f"tests/{name}" for name in QUICK)), item.path

    items.sort(key=place)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A running server on a fresh root, with the tiny model and the tests' own nodes."""
    version, as_of = os.environ.get("INVOKEAI_TEST_SERVER"), os.environ.get("INVOKEAI_TEST_SERVER_AS_OF")
    root = tmp_path_factory.mktemp("server")
    if version:
        local = LocalServer(root, version=version, exclude_newer=as_of or None)
    else:
        # So that models can be downloaded from this machine.
        local = LocalServer(root, config={"allow_private_download_urls": True})
    shutil.copytree(HERE / "node_pack", local.nodes_folder / "test_nodes")
    with local:
        local.install_tiny_model()
        yield local


def server_to_be_killed(root: Path, **config: Any) -> LocalServer:
    """Return a server with the tests' own nodes, on a port that it keeps when it is started again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        local = LocalServer(root, config={"port": probe.getsockname()[1], **config})
    shutil.copytree(HERE / "node_pack", local.nodes_folder / "test_nodes")
    return local


@pytest.fixture(scope="session")
def second_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server beside the one that most tests use, with the same model under another key. A test may kill it."""
    with server_to_be_killed(tmp_path_factory.mktemp("second")) as local:
        local.install_tiny_model()
        yield local


@pytest.fixture(scope="session")
def server_with_little_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with server_to_be_killed(tmp_path_factory.mktemp("little room"), max_queue_size=8) as local:
        yield local


@pytest.fixture
def mortal(server_with_little_room: LocalServer) -> LocalServer:
    """A server with room for eight items, which a test may kill; it runs, and its queue is empty."""
    server_with_little_room.start()
    with InvokeAIClient.from_url(server_with_little_room.url) as client:
        client.queue.clear()
    return server_with_little_room


@pytest.fixture(scope="session")
def site() -> Path:
    """The documentation site, built strictly: a warning, such as a dead link, is an error."""
    build = [sys.executable, "-m", "scripts.build_docs"]
    result = subprocess.run(build, cwd=HERE.parent, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return HERE.parent / "out" / "site"


@pytest.fixture
def client(server: LocalServer) -> Iterator[InvokeAIClient]:
    with InvokeAIClient.from_url(server.url) as client:
        yield client


@pytest.fixture(scope="session")
def text_to_image(server: LocalServer) -> WorkflowDefinition:
    """The server's own default workflow for Stable Diffusion 1.5, small, with `steps` on its form."""
    with InvokeAIClient.from_url(server.url) as client:
        document = client.workflow_repo.download_workflow("Text to Image - SD1.5").to_dict()
    for one in document["nodes"]:
        inputs = one["data"]["inputs"]
        if one["data"]["type"] == "noise":
            inputs["width"]["value"] = inputs["height"]["value"] = 64
        if one["data"]["type"] == "denoise_latents":
            inputs["steps"]["value"] = 8
            inputs["scheduler"]["value"] = "euler"
            document["exposedFields"].append({"nodeId": one["id"], "fieldName": "steps"})
    return WorkflowDefinition.from_dict(document)


BLUR: dict[str, Any] = {
    "name": "blur",
    "meta": {"version": "3.0.0", "category": "user"},
    "exposedFields": [
        {"nodeId": "blank", "fieldName": "width"},
        {"nodeId": "blur", "fieldName": "radius"},
        {"nodeId": "blur", "fieldName": "board"},
    ],
    "nodes": [
        node("blank", "blank_image", "1.2.2", width=64, height=64, mode="RGB"),
        node("blur", "img_blur", "1.2.2", intermediate=False, radius=2.0, blur_type="gaussian", board="auto"),
    ],
    "edges": [edge("blank", "image", "blur", "image")],
}

SLEEP: dict[str, Any] = {
    "name": "sleep",
    "meta": {"version": "3.0.0", "category": "user"},
    "exposedFields": [
        {"nodeId": "sleep", "fieldName": "steps"},
        {"nodeId": "sleep", "fieldName": "seconds"},
        {"nodeId": "sleep", "fieldName": "fail_at"},
    ],
    "nodes": [node("sleep", "test_sleep", "1.0.0", steps=4, seconds=0.2, fail_at=-1)],
    "edges": [],
}


@pytest.fixture
def blur() -> dict[str, Any]:
    """A workflow without a model: a blank image is blurred, and the result goes to the gallery."""
    return copy.deepcopy(BLUR)


@pytest.fixture
def sleep() -> dict[str, Any]:
    """A workflow of one node that takes its time, tells its progress, and fails where it is told to."""
    return copy.deepcopy(SLEEP)
