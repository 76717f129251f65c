"""The main job, from nothing to pictures: `python -m invokeai_py_client.cli.demo`.

It starts a local InvokeAI server with a tiny model, takes the server's own workflow "Text to Image - SD1.5" as a user
would who exported it from the web UI, and gives two commands: `invokeai-client run`, which leaves a picture in `./out`,
and a small `invokeai-client sweep`, which leaves a page and a contact sheet in `./out/sweep`. With `INVOKEAI_URL` set,
the server there is used instead.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from invokeai_py_client.client import InvokeAIClient
from invokeai_py_client.errors import InvokeAIError, NotFoundError
from invokeai_py_client.local import LocalServer
from invokeai_py_client.settings import URL_VARIABLE, Settings
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.resource_fields import ModelField

WORKFLOW = "Text to Image - SD1.5"
OUT = Path("out")

_NEEDED = {"click": "click", "rich": "rich", "PIL": "Pillow"}
"""What the commands need: the names of modules, and of what brings them."""


def main(arguments: Sequence[str] = ()) -> int:
    """Run the demo; returns the exit code."""
    argparse.ArgumentParser(
        prog="python -m invokeai_py_client.cli.demo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args(arguments)
    began = time.monotonic()
    try:
        _check_extras()
        with _server() as settings:
            ready = time.monotonic()
            with InvokeAIClient(settings) as client:
                path = _export_workflow(client)
                model = _fitting_model(client, path)
            exit_code = _give_commands(settings.url, path, model)
    except InvokeAIError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    if not exit_code:
        print(f"{ready - began:6.1f} s  until the server was ready")
        print(f"{time.monotonic() - ready:6.1f} s  for the rest")
    return exit_code


def _check_extras() -> None:
    """Say what is missing before minutes have gone by."""
    missing = [name for module, name in _NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise InvokeAIError(
            f"The demo needs {' and '.join(missing)}, which this Python does not have.",
            hint='Install the extras with: pip install "invokeai-py-client[all]"',
        )


@contextlib.contextmanager
def _server() -> Iterator[Settings]:
    """Yield the settings for a server that runs: the one of `INVOKEAI_URL`, else a local one with the tiny model."""
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
    return WorkflowDefinition.from_dict(document).save(OUT / "text-to-image-sd15.json")


def _fitting_model(client: InvokeAIClient, path: Path) -> str:
    """Return the name of a model of the server that the workflow can use.

    Raises:
        NotFoundError: there is none.
    """
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(path))
    model = wf.inputs["Model"].field
    assert isinstance(model, ModelField)
    for record in client.dnn_model_repo.list_models():
        if model.accepts(dict(record)):
            return record.name
    raise NotFoundError(
        f"The server at {client.settings.url} has no model that {WORKFLOW!r} can use.",
        status=200,
        method="GET",
        url=client.settings.url,
        hint="Install a Stable Diffusion 1.5, or unset INVOKEAI_URL to run on a local server.",
    )


def _give_commands(url: str, path: Path, model: str) -> int:
    """Give the commands of the demo, as if they were typed; return the exit code of the first that fails."""
    from invokeai_py_client.cli.entry import main as invokeai_client

    small = ["--set", f"Model={model}", "--set", "Width=64", "--set", "Height=64"]
    prompt = ["--set", "Positive Prompt=a tiger cub in the snow, photograph"]
    varied = ["--vary", "Steps=2,4,8", "--vary", "Positive Prompt=a tiger cub,an owl", "--seeds", "1"]
    commands = (
        ["inputs", str(path)],
        ["run", str(path), *small, *prompt, "--set", "Steps=8", "--out", str(OUT)],
        ["sweep", str(path), *small, *varied, "--out", str(OUT / "sweep"), "--overwrite"],
    )
    for command in commands:
        print(f"\n$ {shlex.join(['invokeai-client', *command])}", flush=True)
        if exit_code := invokeai_client([*command, "--url", url, "--format", "human"]):
            return exit_code
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
