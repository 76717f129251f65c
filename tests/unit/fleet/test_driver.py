"""Batches on simulated servers, in virtual time: who runs which rows, and what happens when servers come and go."""

from __future__ import annotations

import random
import time

import pytest
from tests.support.fleet_simulation import Simulation


def each_row_once(simulation: Simulation) -> bool:
    assert [row.status for row in simulation.rows] == ["completed"] * len(simulation.models)
    return set(simulation.done.values()) == {1} and len(simulation.done) == len(simulation.models)


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
