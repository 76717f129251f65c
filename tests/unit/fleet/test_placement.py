"""Which server takes which row: on simulated servers, and by hand."""

from __future__ import annotations

import random

import pytest
from tests.support.placement_simulation import Simulation

from invokeai_py_client.fleet.placement import Lane, Placement


def lanes(placement: Placement[int], *names: str, slots: int = 1) -> list[Lane]:
    joined = [Lane(name, slots) for name in names]
    for lane in joined:
        placement.join(lane)
    return joined


def handed_out(placement: Placement[int]) -> list[tuple[str, int]]:
    return [(given.lane.name, given.row) for given in placement.hand_out()]


@pytest.mark.parametrize("rows", [20, 70, 200])
def test_servers_of_different_speeds_end_together(rows: int) -> None:
    simulation = Simulation(["m"] * rows)
    for name, seconds in (("slow", 4.0), ("medium", 2.0), ("fast", 1.0)):
        simulation.add_server(name, seconds)
    ideal = rows / (1 / 4 + 1 / 2 + 1)
    assert simulation.run() < 1.1 * ideal
    assert sorted(simulation.ran_on) == [*range(rows)]


def test_a_server_that_dies_and_one_that_joins_late_cost_little() -> None:
    simulation = Simulation(["m"] * 200)
    for name, seconds in (("slow", 1.0), ("medium", 0.5), ("fast", 0.25)):
        simulation.add_server(name, seconds)
    simulation.kill("medium", at=10.0)
    simulation.add_server("late", 0.5, at=15.0)
    ideal = 15 + (200 - 10 * 7 - 5 * 5) / 7
    assert simulation.run() < 1.15 * ideal
    assert all(len(servers) == 1 for servers in simulation.ran_on.values())


@pytest.mark.parametrize("speed", [1.0, 3.0])
@pytest.mark.parametrize("seed", range(5))
def test_three_models_on_two_servers_are_loaded_four_times_at_most(seed: int, speed: float) -> None:
    models = [model for model in "ABC" for _ in range(20)]
    random.Random(seed).shuffle(models)
    simulation = Simulation(models, seed=seed)
    simulation.add_server("one", 1.0, load=5.0)
    simulation.add_server("two", 1.0 / speed, load=5.0 / speed)
    simulation.run()
    assert simulation.loads <= 4


def test_many_servers_end_together() -> None:
    speeds = random.Random(1)
    simulation = Simulation(["m"] * 4_000)
    rate = 0.0
    for number in range(200):
        seconds = speeds.uniform(0.5, 2.0)
        rate += 1 / seconds
        simulation.add_server(f"server {number}", seconds)
    assert simulation.run() < 1.15 * 4_000 / rate
    assert len(simulation.ran_on) == 4_000


def test_a_slot_has_two_rows_in_hand() -> None:
    placement: Placement[int] = Placement()
    lanes(placement, "a", slots=3)
    placement.add(0, range(100), 100)
    assert len(placement.hand_out()) == 6
    assert handed_out(placement) == []


def test_a_slow_server_has_one_row_in_hand() -> None:
    placement: Placement[int] = Placement()
    (lane,) = lanes(placement, "a")
    placement.add(0, range(100), 100)
    assert len(placement.hand_out()) == 2
    placement.ended(lane, 20.0)
    placement.ended(lane, 20.0)
    assert len(placement.hand_out()) == 1


def test_a_row_goes_only_to_servers_that_can_run_it() -> None:
    placement: Placement[int] = Placement()
    lanes(placement, "a", "b")
    placement.add(0, [1], 1, barred=["a"])
    placement.add(1, [2], 1, barred=["a", "b"])
    assert handed_out(placement) == [("b", 1)]
    assert placement.left == 1


def test_a_row_that_was_put_back_avoids_a_server() -> None:
    placement: Placement[int] = Placement()
    first, second = lanes(placement, "a", "b")
    placement.add(0, [1], 1)
    assert handed_out(placement) == [("a", 1)]
    placement.ended(first)
    placement.put_back(0, 1, avoiding=["a"])
    assert handed_out(placement) == [("b", 1)]
    placement.ended(second, 1.0)
    assert placement.left == 0


def test_a_fast_server_gets_the_last_row_although_it_is_busy() -> None:
    placement: Placement[int] = Placement()
    slow, fast = lanes(placement, "slow", "fast")
    placement.add(0, range(4), 4)
    placement.hand_out()
    for lane, seconds in ((slow, 10.0), (slow, 10.0), (fast, 1.0)):
        placement.ended(lane, seconds)
    placement.add(1, [9], 1)
    assert handed_out(placement) == [("fast", 9)]


def test_rows_of_a_loaded_model_come_first() -> None:
    placement: Placement[str] = Placement()
    lane = Lane("a")
    placement.join(lane)
    placement.add(0, ["x"], 1, models=frozenset("x"))
    placement.add(1, ["y1", "y2", "y3"], 3, models=frozenset("y"))
    order = []
    while given := placement.hand_out():
        order += [one.row for one in given]
        for one in given:
            placement.ended(one.lane, 1.0)
    assert order == ["y1", "y2", "y3", "x"]
