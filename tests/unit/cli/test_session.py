"""What a command tells of the warnings that the package logs."""

from __future__ import annotations

import logging

import pytest

from invokeai_py_client.cli.commands import GlobalOptions
from invokeai_py_client.cli.session import Session


@pytest.mark.parametrize(
    ("is_quick", "told"),
    [(False, "warning: batch 7 may be in the queue\\x1b[2J\n"), (True, "")],
    ids=["command", "completion"],
)
def test_warnings_are_notes_of_a_command(is_quick: bool, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(GlobalOptions(), is_quick=is_quick)
    session.take_warnings()
    logger = logging.getLogger("invokeai_py_client.live")
    logger.info("not told")
    logger.warning("not told", extra={"is_known": True})
    logger.warning("batch %d may be in the queue\x1b[2J", 7)
    session.close()
    assert capsys.readouterr().err == told
