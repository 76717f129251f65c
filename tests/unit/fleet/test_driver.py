"""Batches on simulated servers, in virtual time: who runs which rows, and what happens when servers come and go."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.fleet_simulation import Item, Simulation
from tests.support.virtual_time import in_virtual_time

from invokeai_py_client.batch.folder import BatchFolder
from invokeai_py_client.batch.journal import SentChunk, SentRow, Start
from invokeai_py_client.batch.manifest import BatchRow
from invokeai_py_client.errors import PlanError, RunError, TransportError
from invokeai_py_client.fleet.calls import Call, Cancel, Look, RunRow, Settle


def each_row_once(simulation: Simulation) -> bool:
    assert [row.status for row in simulation.rows] == ["completed"] * len(simulation.models)
    return set(simulation.done.values()) == {1} and len(simulation.done) == len(simulation.models)


def lose_first(simulation: Simulation, kind: type[Call]) -> None:
    """Have the first call of a kind be lost."""
    lost: list[Call] = []

    def is_lost(call: Call) -> bool:
        if isinstance(call, kind) and not lost:
            lost.append(call)
            return True
        return False

    simulation.loses = is_lost


# How rows are spread


@pytest.mark.parametrize("rows", [20, 70, 200])
def test_servers_of_different_speeds_end_together(rows: int) -> None:
    simulation = Simulation(["m"] * rows)
    for url, seconds in (("slow", 4.0), ("medium", 2.0), ("fast", 1.0)):
        simulation.add_server(url, seconds)
    ideal = rows / (1 / 4 + 1 / 2 + 1)
    assert simulation.run() < 1.1 * ideal
    assert each_row_once(simulation)


def test_a_server_that_dies_and_one_that_joins_late_cost_little() -> None:
    simulation = Simulation(["m"] * 200)
    simulation.add_server("slow", 1.0)
    medium = simulation.add_server("medium", 0.5)
    simulation.add_server("fast", 0.25)
    simulation.kill(medium, at=10.0)
    simulation.add_server("late", 0.5, at=15.0)
    ideal = 15 + (200 - 10 * 7 - 5 * 5) / 7
    assert simulation.run() < 1.15 * ideal
    assert each_row_once(simulation)
    assert simulation.done_by["late"] > 20


@pytest.mark.parametrize("speed", [1.0, 3.0])
@pytest.mark.parametrize("seed", range(5))
def test_three_models_on_two_servers_are_loaded_four_times_at_most(seed: int, speed: float) -> None:
    models = [model for model in "ABC" for _ in range(20)]
    random.Random(seed).shuffle(models)
    simulation = Simulation(models, seed=seed)
    simulation.add_server("one", 1.0, load=5.0)
    simulation.add_server("two", 1.0 / speed, load=5.0 / speed)
    simulation.run()
    assert each_row_once(simulation)
    assert simulation.loads <= 4


def test_many_servers_end_together_and_cost_little_time() -> None:
    speeds = random.Random(1)
    simulation = Simulation(["m"] * 4_000)
    rate = 0.0
    for number in range(200):
        seconds = speeds.uniform(0.5, 2.0)
        rate += 1 / seconds
        simulation.add_server(f"server {number}", seconds)
    began = time.process_time()
    assert simulation.run() < 1.15 * 4_000 / rate
    cpu = time.process_time() - began
    assert each_row_once(simulation)
    assert cpu / 4_000 < 0.003


@in_virtual_time
async def test_the_number_of_slots_is_learned_from_what_runs_at_once() -> None:
    simulation = Simulation(["m"] * 400)
    fewer = simulation.add_server("fewer", 3.0, slots=2, told=8)
    more = simulation.add_server("more", 3.0, slots=4, told=1)
    batch = await simulation.begin()
    await simulation.until(2)
    assert [len(server.waiting) + len(server.running) for server in (fewer, more)] == [16, 2]
    await simulation.until(100)
    assert [len(server.waiting) + len(server.running) for server in (fewer, more)] == [4, 8]
    await batch.wait()
    assert batch.counts["completed"] == 400


# Servers that cannot run everything


def test_rows_go_to_servers_that_can_run_them() -> None:
    simulation = Simulation(["a", "b"] * 10)
    simulation.add_server("all", 1.0)
    simulation.add_server("few", 0.1, unable={1: "the model b is not installed"})
    simulation.run()
    assert each_row_once(simulation)
    assert {row.server for row in simulation.rows if row.index % 2} == {"all"}


def test_rows_that_no_server_can_run_fail_at_once() -> None:
    simulation = Simulation(["a", "b"])
    simulation.add_server("one", 1.0, unable={1: "the model b is not installed"})
    simulation.run()
    first, second = simulation.rows
    assert first.status == "completed"
    assert second.status == "failed"
    assert second.error == "no server of the fleet can run it: one: the model b is not installed"
    assert simulation.calls["RunRow"] == 1


def test_rows_that_a_server_which_comes_back_cannot_run_either_fail_then() -> None:
    simulation = Simulation(["a"] * 20 + ["b"])
    simulation.add_server("one", 1.0, unable={1: "the model b is not installed"})
    away = simulation.add_server("two", 1.0, unable={1: "the model b is not installed"}, is_alive=False)
    simulation.restart(away, at=10.5)
    simulation.run()
    assert [row.index for row in simulation.rows if row.status == "failed"] == [20]
    assert simulation.done_by["two"] > 2


def test_a_plan_that_no_server_can_run_is_refused() -> None:
    simulation = Simulation(["a"])
    simulation.add_server("one", 1.0, unable={0: "the node pack x is not installed"})
    with pytest.raises(PlanError, match="one: the node pack x is not installed"):
        simulation.run()


def test_a_fleet_without_a_server_that_answers_refuses_a_plan() -> None:
    simulation = Simulation(["a"])
    simulation.add_server("one", 1.0, is_alive=False)
    with pytest.raises(TransportError, match="one: connection refused"):
        simulation.run()


def test_a_server_with_less_memory_leaves_a_row_to_another_one() -> None:
    simulation = Simulation(["m"] * 10)
    for url in ("small", "small too"):
        simulation.add_server(
            url, 1.0, device="8 GB", fails=lambda index: "OutOfMemoryError: CUDA" if index < 3 else None
        )
    simulation.add_server("large", 1.0, device="24 GB")
    simulation.run()
    assert each_row_once(simulation)
    assert {row.server for row in simulation.rows[:3]} == {"large"}


def test_a_row_that_no_server_has_the_memory_for_fails() -> None:
    simulation = Simulation(["m"] * 2)
    for url in ("one", "two"):
        simulation.add_server(url, 1.0, fails=lambda index: "OutOfMemoryError: CUDA" if index == 1 else None)
    simulation.run()
    assert [row.status for row in simulation.rows] == ["completed", "failed"]
    assert simulation.calls["RunRow"] == 3


# Servers that come and go


def test_a_server_that_is_restarted_goes_on_with_what_it_has() -> None:
    simulation = Simulation(["m"] * 40)
    first = simulation.add_server("first", 1.0)
    simulation.add_server("second", 1.0)
    simulation.kill(first, at=7.5)
    simulation.restart(first, at=14.0)
    simulation.run()
    assert each_row_once(simulation)
    assert simulation.done_by["first"] > 10


def test_the_only_server_is_waited_for() -> None:
    simulation = Simulation(["m"] * 10)
    server = simulation.add_server("only", 1.0)
    simulation.kill(server, at=3.5)
    simulation.restart(server, at=500.0)
    assert simulation.run() > 500
    assert each_row_once(simulation)


def test_a_server_that_was_away_for_long_does_not_run_what_others_have_run() -> None:
    simulation = Simulation(["m"] * 300)
    first = simulation.add_server("first", 1.0)
    simulation.add_server("second", 1.0)
    simulation.kill(first, at=5.5)
    simulation.restart(first, at=200.0)
    simulation.run()
    assert each_row_once(simulation)
    assert simulation.calls["Settle"] == 1


def test_what_a_server_has_run_while_it_was_out_of_reach_is_taken() -> None:
    simulation = Simulation(["m"] * 20)
    first = simulation.add_server("first", 1.0)
    simulation.add_server("second", 1.0)
    simulation.leave(first, at=3.5)
    simulation.rejoin(first, at=6.5)
    simulation.run()
    assert each_row_once(simulation)


def test_a_row_that_kills_three_servers_is_set_aside() -> None:
    simulation = Simulation(["m"] * 30)
    for number in range(4):
        server = simulation.add_server(f"server {number}", 1.0)
        simulation.deadly[server] = {5}
    simulation.run()
    assert [row.index for row in simulation.rows if row.status == "failed"] == [5]
    assert simulation.rows[5].error == "set aside: 3 servers have died while they ran it"
    assert sum(server.is_alive for server in simulation.deadly) == 1


def test_an_end_that_was_not_told_is_asked_for() -> None:
    simulation = Simulation(["m"] * 10)
    lost: list[Call] = []

    def is_lost(call: Call) -> bool:
        if isinstance(call, RunRow) and call.index == 4 and not lost:
            lost.append(call)
            return True
        return False

    simulation.add_server("one", 1.0, hangs=is_lost)
    assert simulation.run() < 100
    assert each_row_once(simulation)


def test_a_server_of_which_a_call_was_lost_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    simulation = Simulation(["m"] * 10)
    server = simulation.add_server("only", 1.0)
    lost: list[Call] = []

    def is_lost(call: Call) -> bool:
        if isinstance(call, RunRow) and call.index == 4 and not lost:
            lost.append(call)
            return True
        return False

    simulation.loses = is_lost
    assert simulation.run() < 30
    assert each_row_once(simulation)
    assert simulation.done_by[server.url] == 10
    assert caplog.messages == ["only is lost: the call was lost"]


def test_a_server_that_answers_nothing_has_hung() -> None:
    simulation = Simulation(["m"] * 10)
    hung = simulation.add_server("hung", 1.0)
    simulation.add_server("well", 1.0)

    def hang() -> None:
        hung.hangs = lambda call: True

    simulation.plan(1.5, hang)
    assert simulation.run() < 250
    assert all(row.status == "completed" for row in simulation.rows)


def test_an_open_question_is_forgotten_with_the_server() -> None:
    simulation = Simulation(["m"] * 10)
    server = simulation.add_server("one", 1.0, hangs=lambda call: isinstance(call, Look) or _is_row_4(call))

    def hang(call: Call) -> bool:
        return True

    def answer(call: Call) -> bool:
        return False

    simulation.plan(75.0, lambda: setattr(server, "hangs", hang))
    simulation.leave(server, at=75.0)
    simulation.plan(190.0, lambda: setattr(server, "hangs", answer))
    simulation.rejoin(server, at=200.0)
    simulation.run()
    assert each_row_once(simulation)
    assert simulation.calls["Look"] == 1
    # It is not taken for hung as soon as it is back.
    assert simulation.calls["ComeBack"] == 0


def _is_row_4(call: Call) -> bool:
    return isinstance(call, RunRow) and call.index == 4


def test_rows_that_were_moved_are_canceled_although_the_first_try_is_lost() -> None:
    simulation = Simulation(["m"] * 4)
    first = simulation.add_server("first", 10.0)
    simulation.add_server("second", 10.0)
    lose_first(simulation, Settle)
    simulation.kill(first, at=1.0)
    simulation.restart(first, at=35.0)
    simulation.run()
    assert each_row_once(simulation)
    assert simulation.calls["Settle"] == 2


@in_virtual_time
async def test_what_has_run_before_it_was_called_for_is_not_measured() -> None:
    simulation = Simulation(["m"] * 4, noise=0.0)
    server = simulation.add_server("one", 100.0)

    def hang(call: Call) -> bool:
        return True

    simulation.plan(150.0, lambda: setattr(server, "hangs", hang))
    simulation.leave(server, at=150.0)
    simulation.plan(349.0, lambda: setattr(server, "hangs", lambda call: False))
    simulation.rejoin(server, at=350.0)
    batch = await simulation.begin()
    await simulation.until(400)
    assert batch.counts["completed"] == 2
    assert batch.progress == pytest.approx(62.5, abs=1)
    await batch.wait()


def leave_folder(path: Path, *chunks: SentChunk, ended: Sequence[BatchRow] = ()) -> None:
    """Leave a folder as a process does that has sent chunks and was killed."""
    folder = BatchFolder(path)
    folder.journal.started(Start("simulated", {}, "batch"))
    folder.journal.sending(*chunks)
    for row in ended:
        folder.manifest.add(row)
    folder.journal.close()
    folder.manifest.close()
    folder.release()


def test_earlier_rows_are_settled_although_the_call_is_lost(tmp_path: Path) -> None:
    leave_folder(tmp_path, SentChunk("earlier", [SentRow("row-0", ""), SentRow("row-1", "")], server="one"))
    simulation = Simulation(["m"] * 4)
    one = simulation.add_server("one", 1.0)
    one.items["earlier"] = Item(RunRow("batch", 0, "row-0", "earlier"), "completed")
    lose_first(simulation, Settle)
    simulation.run(folder=tmp_path)
    assert [row.status for row in simulation.rows] == ["completed"] * 4
    assert [simulation.done[index] for index in range(4)] == [0, 1, 1, 1]


@in_virtual_time
async def test_rows_of_a_server_that_is_not_in_the_fleet_are_not_canceled_by_overwriting_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sent = [SentChunk(f"chunk-{n}", [SentRow(f"row-{n}", "")], server="one" if n == 3 else "gone") for n in range(4)]
    ended = [BatchRow(index=n, row_id=f"row-{n}", values={}, status="completed", batch_id=f"chunk-{n}") for n in (0, 3)]
    leave_folder(tmp_path, *sent, ended=ended)
    simulation = Simulation(["m"] * 4)
    simulation.add_server("one", 1.0)
    batch = await simulation.begin(folder=tmp_path, overwrite=True)
    await batch.wait()
    assert batch.counts["completed"] == 4
    assert [told for told in caplog.messages if "gone" in told] == [
        "gone is not in the fleet: 2 unfinished rows that were sent to it are not canceled there"
    ]
    assert simulation.calls["Settle"] == 0


@in_virtual_time
async def test_a_server_that_is_lost_while_it_settles_earlier_rows_is_not_waited_for(tmp_path: Path) -> None:
    leave_folder(tmp_path, SentChunk("earlier", [SentRow("row-0", ""), SentRow("row-1", "")], server="one"))
    simulation = Simulation(["m"] * 4)
    one = simulation.add_server("one", 1.0)
    simulation.add_server("two", 1.0)

    def is_lost(call: Call) -> bool:
        if isinstance(call, Settle):
            simulation.lose(one)
        return isinstance(call, Settle)

    one.hangs = is_lost
    batch = await simulation.begin(folder=tmp_path)
    await batch.wait()
    assert batch.counts["completed"] == 4


# What the caller does


@in_virtual_time
async def test_a_batch_is_canceled() -> None:
    simulation = Simulation(["m"] * 30)
    simulation.add_server("one", 1.0)
    batch = await simulation.begin()
    await simulation.until(5.5)
    await batch.cancel()
    await batch.wait()
    assert 4 <= batch.counts["completed"] <= 6
    assert batch.counts["completed"] + batch.counts["canceled"] == 30


@in_virtual_time
async def test_a_batch_is_canceled_although_a_call_is_lost() -> None:
    simulation = Simulation(["m"] * 30)
    simulation.add_server("one", 3600.0)
    lose_first(simulation, Cancel)
    batch = await simulation.begin()
    await simulation.until(10)
    await batch.cancel()
    await simulation.until(20)
    assert batch.counts["canceled"] == 30
    assert simulation.calls["Cancel"] == 2


@in_virtual_time
async def test_rows_that_cannot_be_canceled_are_told_and_followed_until_they_are() -> None:
    simulation = Simulation(["m"] * 30)
    simulation.add_server("one", 3600.0)
    simulation.loses = lambda call: isinstance(call, Cancel)
    batch = await simulation.begin()
    await simulation.until(10)
    with pytest.raises(
        TransportError, match="one has not canceled the 2 rows that it has: the call was lost"
    ) as caught:
        await batch.cancel()
    assert "batch.cancel() again" in caught.value.hint
    assert (batch.is_over, batch.counts["in_progress"]) == (False, 1)
    simulation.loses = lambda call: False
    await batch.cancel()
    await batch.wait()
    assert batch.counts["canceled"] == 30


@in_virtual_time
async def test_a_server_that_is_lost_while_its_rows_are_canceled_is_told(caplog: pytest.LogCaptureFixture) -> None:
    simulation = Simulation(["m"] * 30)
    lost = simulation.add_server("lost", 3600.0, hangs=lambda call: isinstance(call, Cancel))
    other = simulation.add_server("other", 3600.0)
    simulation.leave(lost, at=20.0)
    batch = await simulation.begin()
    await simulation.until(10)
    with pytest.raises(TransportError, match="lost has not canceled the 2 rows that it has: its worker is gone"):
        await batch.cancel()
    await batch.wait()
    assert batch.counts["canceled"] == 30
    assert {item.status for item in other.items.values()} == {"canceled"}
    assert [told for told in caplog.messages if "is not canceled there" in told] == [
        f"lost is away: row {item.call.index} is not canceled there" for item in lost.items.values()
    ]


def test_a_row_that_another_server_has_run_is_canceled_although_the_call_is_lost() -> None:
    simulation = Simulation(["m"] * 2, noise=0.0)
    first = simulation.add_server("first", 22.0)
    simulation.add_server("second", 3600.0, at=10.0)
    # It comes back after 5 s. Meanwhile it has run the first row, and both are moved to the second server.
    simulation.leave(first, at=20.0)
    lose_first(simulation, Cancel)
    assert simulation.run() == pytest.approx(3630, abs=1)
    assert each_row_once(simulation)


@in_virtual_time
async def test_a_batch_whose_server_is_away_is_canceled() -> None:
    simulation = Simulation(["m"] * 30)
    server = simulation.add_server("one", 1.0)
    simulation.kill(server, at=2.5)
    batch = await simulation.begin()
    await simulation.until(20)
    await batch.cancel()
    await batch.wait()
    assert batch.counts["canceled"] > 20


@in_virtual_time
async def test_a_paused_batch_sends_nothing() -> None:
    simulation = Simulation(["m"] * 30)
    simulation.add_server("one", 1.0)
    batch = await simulation.begin()
    await simulation.until(5.5)
    await batch.pause()
    await simulation.until(100.0)
    assert 4 <= batch.counts["completed"] <= 8
    await batch.resume()
    await batch.wait()
    assert batch.counts["completed"] == 30


@in_virtual_time
async def test_failed_rows_are_run_again() -> None:
    simulation = Simulation(["m"] * 10)
    server = simulation.add_server("one", 1.0, fails=lambda index: "no" if index == 3 else None)
    batch = await simulation.begin()
    await batch.wait()
    assert batch.counts["failed"] == 1
    server.fails = lambda index: None
    assert await batch.retry_failed() == 1
    await batch.wait()
    assert batch.counts["completed"] == 10


@in_virtual_time
async def test_a_row_that_every_server_has_refused_is_run_again_while_others_run() -> None:
    simulation = Simulation(["m"] * 20)
    servers = [simulation.add_server(url, 1.0, refuses=lambda i: "no" if i == 0 else None) for url in ("one", "two")]
    batch = await simulation.begin()
    await simulation.until(2)
    assert batch.counts["failed"] == 1
    for server in servers:
        server.refuses = lambda index: None
    assert await batch.retry_failed() == 1
    await batch.wait(100)
    assert batch.counts["completed"] == 20


@in_virtual_time
async def test_too_many_failures_stop_a_batch() -> None:
    simulation = Simulation(["m"] * 100)
    simulation.add_server("one", 1.0, fails=lambda index: "no")
    batch = await simulation.begin(stop_after_failures=3)
    with pytest.raises(RunError, match="stopped after 3 failed rows"):
        await batch.wait()
    assert batch.counts["failed"] < 6


@in_virtual_time
async def test_progress_grows_while_rows_run() -> None:
    simulation = Simulation(["m"] * 4)
    simulation.add_server("one", 100.0)
    batch = await simulation.begin()
    await simulation.until(150)
    assert batch.counts["in_progress"] == 1
    assert 30 < batch.progress < 50
    await batch.wait()
    assert batch.progress == 100
