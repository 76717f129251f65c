"""How the status of a fleet is drawn in little or much room."""

from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.cli.fleet_view import FleetView, summary
from invokeai_py_client.errors import TransportError
from invokeai_py_client.fleet.status import FleetStatus, ServerStatus

REFUSED = TransportError("No connection\x1b[2J to the server.", url="http://gpu2", sent=False, hint="Start it.")


def ready(name: str, **more: Any) -> ServerStatus:
    facts: dict[str, Any] = {
        "version": "6.14.2",
        "devices": {"cuda:0": "RTX 4090"},
        "slots": 2,
        "models": ("dream",),
        "pending": 3,
        "in_progress": 2,
        "rows_per_hour": 118.4,
        "failed": 1,
    }
    return ServerStatus(name=name, url=f"http://{name}", state="ready", **{**facts, **more})


def refused(name: str) -> ServerStatus:
    return ServerStatus(name=name, url=f"http://{name}", state="refused", error=REFUSED)


def drawn(servers: list[ServerStatus], width: int, height: int, *, now: float = 12.0) -> list[str]:
    view = FleetView()
    view.update(FleetStatus(tuple(servers)), 0.0)
    return [line.plain for line in view.lines(width, height, now)]


def test_with_room_everything_is_shown() -> None:
    lines = drawn([ready("gpu1"), refused("gpu2")], 120, 12)
    assert lines[0] == "1 of 2 servers usable, 2 rows on 2 slots, 3 pending, 118 rows an hour"
    assert [line.split() for line in lines[2:4]] == [
        ["Server", "State", "Running", "Pending", "Rows/h", "Failed", "Version", "Devices", "Models"],
        ["gpu1", "ready", "2/2", "3", "118", "1", "6.14.2", "cuda:0", "RTX", "4090", "dream"],
    ]
    assert lines[4].startswith("gpu2    refused")
    assert lines[4].endswith(r"for 12 s: No connection\x1b[2J to the server.")
    assert len(lines) == 12
    assert lines[-1] == "q quits. What runs goes on."


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (10, 2), (59, 40), (200, 9), (80, 24), (300, 60)])
def test_it_fits_whatever_room_there_is(size: tuple[int, int]) -> None:
    width, height = size
    servers = [ready(f"gpu{number} äöü 漢字" * 5) for number in range(50)] + [refused("gpu-last")]
    view = FleetView()
    view.update(FleetStatus(tuple(servers)), 0.0)
    lines = view.lines(width, height, 99.0)
    assert 1 <= len(lines) <= height
    assert all(line.cell_len <= width for line in lines)
    assert "\x1b" not in "".join(line.plain for line in lines)


def test_where_not_all_fit_the_lost_ones_are_shown_first() -> None:
    lines = drawn([*(ready(f"gpu{number}") for number in range(20)), refused("gpu-last")], 60, 10)
    assert lines[3].startswith("gpu-last")
    assert lines[4].startswith("gpu0 ")
    assert lines[-2] == "and 16 more"


def test_in_few_lines_there_is_no_heading() -> None:
    assert drawn([ready("gpu1"), ready("gpu2")], 24, 3) == [
        "2 of 2 servers usable, …",
        "gpu1  ready  2/2  3  118",
        "gpu2  ready  2/2  3  118",
    ]


def test_it_counts_since_when_a_server_is_lost() -> None:
    view = FleetView()
    for now, server in enumerate((refused("a"), ready("a"), refused("a"), refused("a"))):
        view.update(FleetStatus((server,)), 10.0 * now)
    assert "for 15 s:" in view.lines(80, 12, 35.0)[3].plain


def test_before_the_first_reading_it_says_what_it_does() -> None:
    assert [line.plain for line in FleetView().lines(80, 24, 0.0)] == ["asking the servers"]


def test_the_summary_adds_up() -> None:
    fleet = FleetStatus((ready("a"), ready("b", pending=1, rows_per_hour=1.6), refused("c")))
    assert summary(fleet) == "2 of 3 servers usable, 4 rows on 4 slots, 4 pending, 120 rows an hour"
