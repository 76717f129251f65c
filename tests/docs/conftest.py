"""The folder in which the pages and the examples run."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as Pillow
from tests.documents import HUE_AND_BLUR

from invokeai_py_client import WorkflowDefinition
from invokeai_py_client.local import LocalServer


@pytest.fixture
def folder(
    tmp_path: Path, server: LocalServer, text_to_image: WorkflowDefinition, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The files that the pages speak of, in the current folder."""
    text_to_image.save(tmp_path / "workflow.json")
    WorkflowDefinition.from_dict(HUE_AND_BLUR).save(tmp_path / "photo-effects.json")
    (tmp_path / "photos").mkdir()
    for name, colour in {"photo.png": "teal", "photos/a.png": "navy", "photos/b.png": "olive"}.items():
        Pillow.new("RGB", (64, 64), colour).save(tmp_path / name)
    (tmp_path / "prompts.csv").write_text("Positive Prompt,Steps\na tiger cub,2\nan owl,3\n", encoding="utf-8")
    (tmp_path / "fleet.toml").write_text(f'[[server]]\nurl = "{server.url}"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path
