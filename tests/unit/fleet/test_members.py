"""The rows that a server has."""

from __future__ import annotations

from invokeai_py_client.batch.rows import PlannedRow
from invokeai_py_client.fleet.members import Attempt, Member


def test_a_row_that_is_not_sent_yet_does_not_run() -> None:
    server = Member("one")
    attempt = Attempt(PlannedRow(0, "row-0", {}, None), 0, "batch")
    server.take(attempt, 1.0)
    assert [*server.beginning(2.0)] == []
    attempt.drop = lambda: None
    assert [*server.beginning(3.0)] == [attempt]
    assert [*server.beginning(4.0)] == []
    assert server.end(attempt, 5.0) == 2.0
