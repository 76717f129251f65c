from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from invokeai_py_client.cli.app import run
from invokeai_py_client.cli.session import Session


def test_an_interrupted_wait_for_an_installation_says_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wait_until(timeout: float | None, **_: Any) -> None:
        raise KeyboardInterrupt

    job = SimpleNamespace(job_id=7, wait_until=wait_until)
    models = SimpleNamespace(install_model=lambda source, **_: job)
    monkeypatch.setattr(Session, "client", SimpleNamespace(models=models))
    assert run(["models", "install", "owner/name", "--format", "json"]) == 130
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "interrupted"
    assert error["message"] == "The installation of 'owner/name' goes on as job 7."
    assert error["details"] == {"job_id": 7}
