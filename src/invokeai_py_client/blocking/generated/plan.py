# Generated from batch/async_plan.py by scripts/generate_blocking.py. Do not edit.
"""`Plan`: the methods of `AsyncPlan`, blocking."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from invokeai_py_client.batch.async_plan import AsyncPlan
from invokeai_py_client.batch.rows import Axis, PlannedRow
from invokeai_py_client.runtime.twins import Blocking


class Plan(Blocking[AsyncPlan]):
    """The rows that a workflow is to run, checked and not yet sent. `Plan` blocks, `AsyncPlan` (`plan.aio`) is awaited.

    Made by `wf.plan(...)`. It keeps the values that the workflow had then. Rows are made when they are read, so a plan
    may be large. `print(plan)` says how many rows there are, how often models are loaded, and how long they may take.

    Example:
        >>> plan = wf.plan({"Positive Prompt": ["a cat", "a dog"], "Steps": [8, 20]}, seeds=4)
        >>> print(plan)
        16 rows, 1 model loaded
        >>> plan.save("cats.plan.json")
    """

    def __len__(self) -> int:
        """Return the number of rows, invalid ones included."""
        return self._aio.__len__()

    def __iter__(self) -> Iterator[PlannedRow]:
        """Yield the rows in the order that the user gave."""
        return self._aio.__iter__()

    def __getitem__(self, index: int) -> PlannedRow:
        """Return a row by its index.

        Raises:
            IndexError: there is no such row.
        """
        return self._aio.__getitem__(index)

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns. Those that begin with `#` are notes, and set nothing."""
        return self._aio.columns

    @property
    def axes(self) -> Sequence[Axis]:
        """What the plan varies, with the values as they are shown: X first, the seeds last."""
        return self._aio.axes

    @property
    def invalid(self) -> int:
        """The number of rows that cannot run, because of `on_bad_row="skip"`."""
        return self._aio.invalid

    @property
    def random_seed(self) -> int | None:
        """What drawn prompts and random seeds were drawn with; None if nothing was drawn."""
        return self._aio.random_seed

    @property
    def sample_seed(self) -> int | None:
        """What the sample was drawn with; None if there is none."""
        return self._aio.sample_seed

    @property
    def seconds(self) -> float | None:
        """About how long the rows take on this server, in seconds.

        It goes by what the nodes took in earlier runs of this client; None while there were none.
        """
        return self._aio.seconds

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the plan to a file, with its workflow; `client.workflow_repo.load_plan` reads it, on any machine.

        Images of this machine are stored by their paths, and also relative to the file: keep them beside it to take
        both elsewhere.

        Args:
            path: of the JSON file, which is replaced if it exists.

        Returns:
            The path.

        Raises:
            UnsafePathError: the path has a NUL character.
            OSError: the file cannot be written.
        """
        work = self._aio.save(path)
        del path
        return self._aio._engine.block(work)

    def __str__(self) -> str:

        return self._aio.__str__()

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
