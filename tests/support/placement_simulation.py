"""Servers in simulated time, which work off what `Placement` hands out to them."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from invokeai_py_client.fleet.placement import Given, Lane, Placement


@dataclass
class SimulatedServer:
    """Runs rows one after the other in each slot. A row takes `seconds`, and `load` more if its model is not loaded."""

    lane: Lane
    seconds: float
    load: float
    waiting: deque[Given[int]] = field(default_factory=deque)
    running: list[Given[int]] = field(default_factory=list)
    loaded: str | None = None


class Simulation:
    """A batch on simulated servers.

    Args:
        models: the model of each row, in the order in which rows are given.
        noise: by how much the duration of a row varies, as a part of it.
        seed: of the noise.
    """

    def __init__(self, models: Sequence[str], *, noise: float = 0.1, seed: int = 1) -> None:
        self.models = models
        self.now = 0.0
        self.loads = 0
        self.ran_on: dict[int, list[str]] = {}
        """The servers on which each row has ended."""
        self.placement: Placement[int] = Placement()
        self._noise = noise
        self._random = random.Random(seed)
        self._servers: dict[str, SimulatedServer] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        for number, model in enumerate(dict.fromkeys(models)):
            rows = [row for row, its_model in enumerate(models) if its_model == model]
            self.placement.add(number, rows, len(rows), models=frozenset([model]))

    def add_server(self, name: str, seconds: float, *, slots: int = 1, load: float = 0.0, at: float = 0.0) -> None:
        """Have a server join at a time."""
        server = SimulatedServer(Lane(name, slots), seconds, load)

        def join() -> None:
            self._servers[name] = server
            self.placement.join(server.lane)

        self._plan(at, join)

    def kill(self, name: str, at: float) -> None:
        """Have a server die at a time."""

        def die() -> None:
            server = self._servers.pop(name)
            self.placement.leave(server.lane)
            for given in [*server.running, *server.waiting]:
                self.placement.put_back(given.work, given.row)

        self._plan(at, die)

    def run(self) -> float:
        """Run all rows; returns the time at which the last one ended."""
        while self._agenda:
            self.now, _, happen = heapq.heappop(self._agenda)
            happen()
            for given in self.placement.hand_out():
                server = self._servers[given.lane.name]
                server.waiting.append(given)
                self._start(server)
        return self.now

    def _start(self, server: SimulatedServer) -> None:
        while server.waiting and len(server.running) < server.lane.slots:
            given = server.waiting.popleft()
            seconds = server.seconds * self._random.uniform(1 - self._noise, 1 + self._noise)
            if server.loaded != self.models[given.row]:
                server.loaded = self.models[given.row]
                self.loads += 1
                seconds += server.load
            server.running.append(given)
            self._plan(self.now + seconds, partial(self._end, server, given, seconds))

    def _end(self, server: SimulatedServer, given: Given[int], seconds: float) -> None:
        if server.lane.name not in self._servers:
            return
        server.running.remove(given)
        self.ran_on.setdefault(given.row, []).append(server.lane.name)
        self.placement.ended(server.lane, seconds)
        self._start(server)

    def _plan(self, at: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (at, next(self._numbers), happen))
