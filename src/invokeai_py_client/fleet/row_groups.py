"""The rows of a plan, grouped by their graphs: which servers can run them, and which rows remain to be handed out."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from invokeai_py_client.fleet.placement import Placement

MOST_CHECKED = 1000
"""How many groups each server checks before anything is sent. The others are checked when they are sent."""


class RowGroups:
    """The groups of a plan, numbered in running order. A *group* is the rows that run with the same graph.

    Args:
        groups: the indexes of the rows of each group, and the models that it needs.
    """

    def __init__(self, groups: Iterable[tuple[Sequence[int], frozenset[str]]]) -> None:
        self._groups = [*groups]
        self._barred: list[set[str]] = [set() for _ in self._groups]
        self._reasons: dict[tuple[int, str], str] = {}
        self._avoided: dict[int, set[str]] = {}

    def firsts(self) -> list[tuple[int, int]]:
        """Return the numbers of the groups to check, each with the index of its first row."""
        return [(number, indexes[0]) for number, (indexes, _) in enumerate(self._groups[:MOST_CHECKED])]

    def of_rows(self, indexes: Collection[int]) -> dict[int, int]:
        """Return the number of the group of each row."""
        return {index: number for number, (rows, _) in enumerate(self._groups) for index in rows if index in indexes}

    # Which servers can run what

    def learn(self, server: str, unable: Mapping[int, str]) -> None:
        """Record which groups a server cannot run, and why."""
        for number, barred in enumerate(self._barred):
            barred.discard(server)
            self._reasons.pop((number, server), None)
            if number in unable:
                barred.add(server)
                self._reasons[number, server] = unable[number]

    def avoid(self, index: int, servers: Iterable[str]) -> None:
        """Record that these servers must not get a row."""
        self._avoided.setdefault(index, set()).update(servers)

    def forgive(self, index: int) -> None:
        """Let all servers get a row again."""
        self._avoided.pop(index, None)

    def avoided(self, index: int) -> Collection[str]:
        """Return the servers that must not get a row."""
        return self._avoided.get(index, ())

    def is_possible(self, number: int, servers: Iterable[str], index: int | None = None) -> bool:
        """Return whether one of these servers can run a group, or the given row of it."""
        avoided = () if index is None else self.avoided(index)
        return any(server not in self._barred[number] and server not in avoided for server in servers)

    def impossible(self, servers: Collection[str]) -> list[int]:
        """Return the groups that none of these servers can run."""
        return [number for number in range(len(self._groups)) if not self.is_possible(number, servers)]

    def why_not(self, number: int) -> str:
        """Return why no server can run a group, in one line."""
        return "; ".join(f"{server}: {why}" for (one, server), why in self._reasons.items() if one == number)

    def __len__(self) -> int:
        return len(self._groups)

    # What is to be handed out

    def rows(self, number: int, is_unsent: Callable[[int], bool]) -> Sequence[int]:
        """Return the rows of a group that are unsent."""
        return array("q", filter(is_unsent, self._groups[number][0]))

    def fill(self, placement: Placement[int], rows: Sequence[Sequence[int]]) -> None:
        """Replace the rows of a placement.

        Args:
            placement: the placement.
            rows: the new rows of each group.
        """
        placement.clear()
        for number, (indexes, (_, models)) in enumerate(zip(rows, self._groups, strict=True)):
            anywhere = [index for index in indexes if index not in self._avoided] if self._avoided else indexes
            placement.add(number, anywhere, len(anywhere), models=models, barred=self._barred[number])
            for index in indexes if self._avoided else ():
                if index in self._avoided:
                    placement.put_back(number, index, avoiding=self._avoided[index])
