"""The running server has all that the client rests on; the script says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from invokeai_py_client import InvokeAIClient

SCRIPT = Path(__file__).parents[2] / "scripts" / "schema_drift.py"


def test_there_is_none(client: InvokeAIClient) -> None:
    assert client.schema_drift() == []
    done = subprocess.run(
        [sys.executable, str(SCRIPT), client.settings.url], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"{client.settings.url}: InvokeAI 6.14.2, 0 differences\n")
