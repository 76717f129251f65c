"""Models for a local server: the tiny one, and the installation of a folder through the server's API."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from invokeai_py_client.errors import LocalServerError
from invokeai_py_client.json_text import read_json
from invokeai_py_client.local.environment import Report, ServerEnvironment
from invokeai_py_client.local.locking import FileLock

_SCRIPT = Path(__file__).with_name("tiny_model.py")
_INSTALL_TIMEOUT = 120.0

# A proxy of the user's is not for a server on this machine.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def build_tiny_model(python: Path, folder: Path, report: Report) -> Path:
    """Build the tiny model, unless it is there, and whole.

    Args:
        python: An interpreter that has diffusers and transformers.
        folder: where to; it appears when it is complete.
        report: is told the step.

    Returns:
        The folder.

    Raises:
        LocalServerError: it could not be built; with what the script said.
    """
    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    lock.acquire(wait=True)
    try:
        if not (folder / "model_index.json").exists():
            report(f"building a tiny model (once) in {folder}")
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            done = subprocess.run(
                [str(python), str(_SCRIPT), str(unfinished)],
                capture_output=True,
                text=True,
                check=False,
                env=ServerEnvironment.variables(),
            )
            if done.returncode != 0:
                raise LocalServerError(
                    f"The tiny model could not be built; {_SCRIPT.name} said:\n"
                    + "\n".join(done.stderr.strip().splitlines()[-20:])
                    + "\n",
                    hint="Is this version of the server's diffusers too old or too new for the script?",
                )
            # What is left of one whose files somebody has taken away.
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.rename(folder)
    finally:
        lock.release()
    return folder


def install_model(url: str, folder: Path, report: Report) -> str:
    """Install a model folder in place, unless the server has it, through `POST /api/v2/models/install`.

    Args:
        url: the server's.
        folder: the model's.
        report: is told the step.

    Returns:
        The model's key.

    Raises:
        LocalServerError: the server refused it, or took too long.
    """
    for model in _ask(f"{url}/api/v2/models/")["models"]:
        if model["path"] == str(folder):
            return str(model["key"])
    report(f"installing the model {folder.name}")
    query = urllib.parse.urlencode({"source": str(folder), "inplace": "true"})
    job = _ask(f"{url}/api/v2/models/install?{query}", body={})
    deadline = time.monotonic() + _INSTALL_TIMEOUT
    while job["status"] not in {"completed", "error", "cancelled"} and time.monotonic() < deadline:
        time.sleep(0.1)
        job = _ask(f"{url}/api/v2/models/install/{job['id']}")
    if job["status"] != "completed":
        raise LocalServerError(
            f"The model in {folder} was not installed ({job['status']}): {job.get('error_reason') or 'no reason'}.",
            hint="The server's log says more.",
        )
    return str(job["config_out"]["key"])


def _ask(url: str, *, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    try:
        with _open(request, timeout=30) as answer:
            return read_json(answer.read())
    except (OSError, ValueError) as error:
        raise LocalServerError(
            f"The server did not answer {url} as it should: {error}.", hint="The server's log says more."
        ) from error
