"""The main job, from nothing to a picture: `python -m invokeai_py_client.demo`.

It starts a local InvokeAI server with a tiny model, takes the server's own workflow "Text to Image - SD1.5" as a user
would who exported it from the web UI, sets its inputs, runs it, and saves the picture under `./out`. With
`INVOKEAI_URL` set, the server there is used instead.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from invokeai_py_client.blocking.generated.run import Run
from invokeai_py_client.client import InvokeAIClient
from invokeai_py_client.errors import InvokeAIError, NotFoundError
from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.local import LocalServer
from invokeai_py_client.settings import URL_VARIABLE, Settings
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.resource_fields import ModelField

WORKFLOW = "Text to Image - SD1.5"
OUT = Path("out")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    argparse.ArgumentParser(
        prog="python -m invokeai_py_client.demo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args(arguments)
    began = time.monotonic()
    try:
        _check_extras()
        with _server() as settings, InvokeAIClient(settings) as client:
            ready = time.monotonic()
            path = _export_workflow(client)
            pictures = _run(client, path)
    except InvokeAIError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(f"{ready - began:6.1f} s  until the server was ready")
    print(f"{time.monotonic() - ready:6.1f} s  for the rest: load, submit, wait, save, close")
    for picture in pictures:
        print(f"the picture: {picture}")
    return 0


def _check_extras() -> None:
    """Say what is missing before minutes have gone by."""
    if importlib.util.find_spec("rich") is None:
        raise InvokeAIError(
            "The demo shows its progress with rich, which is not installed.",
            hint='Install it with: pip install "invokeai-py-client[all]"',
        )


@contextlib.contextmanager
def _server() -> Iterator[Settings]:
    """A server that runs: the one of `INVOKEAI_URL`, else a local one with the tiny model."""
    if os.environ.get(URL_VARIABLE):
        yield Settings.from_environment()
    else:
        with LocalServer() as server:
            server.install_tiny_model()
            yield Settings(server.url)


def _export_workflow(client: InvokeAIClient) -> Path:
    """Save the server's workflow as the file that its web UI would export, with `steps` added to its inputs."""
    document = client.workflow_repo.download_workflow(WORKFLOW).to_dict()
    for node in document["nodes"]:
        if node["data"].get("type") == "denoise_latents":
            document["exposedFields"].append({"nodeId": node["id"], "fieldName": "steps"})
    path = WorkflowDefinition.from_dict(document).save(OUT / "text-to-image-sd15.json")
    print(f"the workflow: {path}")
    return path


def _run(client: InvokeAIClient, path: Path) -> list[Path]:
    """Load the file, set its inputs by label, run it, save what it made."""
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(path))
    wf.inputs["Positive Prompt"].value = "a tiger cub in the snow, photograph"
    wf.inputs["Width"].value = 64
    wf.inputs["Height"].value = 64
    wf.inputs["Steps"].value = 8
    model = wf.inputs["Model"].field
    assert isinstance(model, ModelField)
    fitting = [record for record in client.dnn_model_repo.list_models() if model.accepts(dict(record))]
    if not fitting:
        raise NotFoundError(
            f"The server at {client.settings.url} has no model that {WORKFLOW!r} can use.",
            status=200,
            method="GET",
            url=client.settings.url,
            hint="Install a Stable Diffusion 1.5, or unset INVOKEAI_URL to run on a local server.",
        )
    model.value = fitting[0]
    for shown in wf.inputs:
        print(f"  {shown.label}: {shown.value['name'] if shown is wf.inputs['Model'] else shown.value!r}")
    began = time.monotonic()
    run = wf.submit_sync()
    _show_progress(run)
    run.result()
    print(f"item {run.item_id} completed in {time.monotonic() - began:.2f} s on {fitting[0].name}")
    return [image.save(OUT) for image in run.images]


def _show_progress(run: Run) -> None:
    """Wait for a run behind a bar that its events move."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    with Progress(
        TextColumn("{task.description:>11}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[steps]}")
    ) as bar:
        task = bar.add_task("pending", total=100, steps="")

        def show(item: QueueItem) -> None:
            steps = f"step {item.current_step}/{item.total_steps}" if item.total_steps else ""
            bar.update(task, completed=item.progress_percentage, description=item.status, steps=steps)

        run.wait(timeout=600, progress_callback=show)


if __name__ == "__main__":
    sys.exit(main())
