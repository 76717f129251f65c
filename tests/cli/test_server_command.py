"""A server of one's own from the command line alone: started, used, asked, stopped."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cli.conftest import CLI


def test_a_server_from_start_to_stop(cli: CLI, tmp_path: Path) -> None:
    root = tmp_path / "root"
    none = {"INVOKEAI_URL": ""}
    started = cli("server", "start", "--root", root, "--port", 0, "--tiny-model", **none).data()
    try:
        status = cli("server", "status", **none).data()
        assert (status["url"], status["process"]) == (started["url"], started)
        assert [model["name"] for model in cli("models", "list", **none).data()["models"]] == ["tiny-sd-1"]
        lines = cli("server", "logs", "--lines", 500, **none).data()["lines"]
        assert any(started["url"] in line for line in lines)
    finally:
        assert cli("server", "stop", **none).data() == {"stopped": started}
    assert not os.path.exists(f"/proc/{started['pid']}/root")
    ended = cli("server", "status", "--url", started["url"])
    assert (ended.exit_code, ended.error()["code"]) == (3, "unreachable")
