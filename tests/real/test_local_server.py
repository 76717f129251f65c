"""The managed server, on the one that the session runs."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.errors import LocalServerInUseError
from invokeai_py_client.local import LocalServer
from invokeai_py_client.local.models import build_tiny_model


def test_it_answers_with_its_version(server: LocalServer, client: InvokeAIClient) -> None:
    assert client.app.get_version() == server.version
    assert server.running


def test_the_tiny_model_is_installed_once(server: LocalServer, client: InvokeAIClient) -> None:
    key = server.install_tiny_model()
    assert server.install_tiny_model() == key
    (model,) = client.dnn_model_repo.list_models()
    assert (model.key, model.base, model.type, model.format) == (key, "sd-1", "main", "diffusers")


def test_a_tiny_model_whose_files_are_gone_is_built_again(server: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    built = build_tiny_model(server.python, tmp_path / "tiny", lambda step: None)
    assert (built / "model_index.json").exists()


def test_another_process_cannot_start_on_the_same_root(server: LocalServer) -> None:
    with pytest.raises(LocalServerInUseError, match=str(os.getpid())):
        LocalServer(server.root, report=lambda _: None).start()
    code = f"""
from invokeai_py_client.errors import LocalServerInUseError
from invokeai_py_client.local import LocalServer
try:
    LocalServer({str(server.root)!r}).start()
except LocalServerInUseError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert str(os.getpid()) in done.stdout
    assert str(server.root) in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's word at a parent's death is Linux's")
def test_a_server_outlives_the_thread_that_started_it_and_not_its_process(server: LocalServer, tmp_path: Path) -> None:
    code = f"""
import os, signal, threading, time
from invokeai_py_client import InvokeAIClient
from invokeai_py_client.local import LocalServer
local = LocalServer({str(tmp_path)!r})
thread = threading.Thread(target=local.start)
thread.start()
thread.join()
with InvokeAIClient.from_url(local.url) as client:
    print(local.pid, client.app.get_version(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    program = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    pid, version = program.stdout.split()
    assert version == server.version
    try:
        process = os.pidfd_open(int(pid))
    except ProcessLookupError:
        return
    ended = select.poll()
    ended.register(process, select.POLLIN)
    assert ended.poll(10_000), "the server is still there"
    os.close(process)
