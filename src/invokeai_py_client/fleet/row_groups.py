"""The rows of a plan by the graph that they run: which servers can run them, and which rows are to be handed out."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from invokeai_py_client.fleet.placement import Placement

MOST_CHECKED = 1000
"""How many groups are checked by each server before anything is sent; others when their turn comes."""


class RowGroups:
    """The groups of a plan. A *group* is the rows that run with the same graph; they have numbers in running order.

    Args:
        groups: for each group the indexes of its rows, and the models that it needs.
    """

    def __init__(self, groups: Iterable[tuple[Sequence[int], frozenset[str]]]) -> None:
        self._groups = [*groups]
        self._barred: list[set[str]] = [set() for _ in self._groups]
        self._reasons: dict[tuple[int, str], str] = {}
        self._avoided: dict[int, set[str]] = {}

    def firsts(self) -> list[tuple[int, int]]:
        """Return the numbers of the groups that are to be checked, each with the index of its first row."""
        return [(number, indexes[0]) for number, (indexes, _) in enumerate(self._groups[:MOST_CHECKED])]

    def of_rows(self, indexes: Collection[int]) -> dict[int, int]:
        """Return the numbers of the groups of rows."""
        return {index: number for number, (rows, _) in enumerate(self._groups) for index in rows if index in indexes}

    # Which servers can run what

    def learn(self, server: str, unable: Mapping[int, str]) -> None:
        """Take in which groups a server cannot run, and why."""
        for number, barred in enumerate(self._barred):
            barred.discard(server)
            self._reasons.pop((number, server), None)
            if number in unable:
                barred.add(server)
                self._reasons[number, server] = unable[number]

    def avoid(self, index: int, servers: Iterable[str]) -> None:
        """Do not give a row to these servers."""
        self._avoided.setdefault(index, set()).update(servers)

    def avoided(self, index: int) -> Collection[str]:
        """Return the servers that are not to get a row."""
        return self._avoided.get(index, ())

    def is_possible(self, number: int, servers: Iterable[str], index: int | None = None) -> bool:
        """Return whether one of these servers can run a group, or a row of it."""
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
        """Have a placement hand out rows, and nothing else.

        Args:
            placement: what hands out.
            rows: the rows of each group.
        """
        placement.clear()
        for number, (indexes, (_, models)) in enumerate(zip(rows, self._groups, strict=True)):
            anywhere = [index for index in indexes if index not in self._avoided] if self._avoided else indexes
            placement.add(number, anywhere, len(anywhere), models=models, barred=self._barred[number])
            for index in indexes if self._avoided else ():
                if index in self._avoided:
                    placement.put_back(number, index, avoiding=self._avoided[index])
