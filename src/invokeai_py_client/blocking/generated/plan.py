# Generated from batch/async_plan.py by scripts/generate_blocking.py. Do not edit.
"""`Plan`: the methods of `AsyncPlan`, blocking."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from invokeai_py_client.batch.async_plan import AsyncPlan
from invokeai_py_client.batch.batch_options import WINDOW, WhichImages
from invokeai_py_client.batch.file_names import DEFAULT_TEMPLATE
from invokeai_py_client.batch.rows import Axis, PlannedRow
from invokeai_py_client.blocking.generated.batch_run import BatchRun
from invokeai_py_client.live.priority import Priority, PriorityName
from invokeai_py_client.runtime.twins import Blocking


class Plan(Blocking[AsyncPlan]):
    """The rows that a workflow is to run, checked and not yet sent. `Plan` blocks, `AsyncPlan` (`plan.aio`) is awaited.

    Made by `wf.plan(...)`. It keeps the values that the workflow had then. Rows are made when they are read, so a plan
    may be large. `print(plan)` says how many rows there are, how often models are loaded, and how long they may take.

    Example:
        >>> plan = wf.plan({"Positive Prompt": ["a cat", "a dog"], "Steps": [8, 20]}, seeds=4)
        >>> print(plan)
        16 rows, 1 model loaded
        >>> batch = plan.submit(folder="out")
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
        """Write the plan to a file, with its workflow; `client.load_plan` reads it, on any machine.

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

    def submit(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        images: WhichImages = "outputs",
        file_name: str = DEFAULT_TEMPLATE,
        window: int = WINDOW,
        priority: Priority | PriorityName | None = Priority.NORMAL,
        queue_id: str = "default",
        stop_after_failures: int | None = None,
        report: bool = False,
        overwrite: bool = False,
    ) -> BatchRun:
        """Run the rows, in the background. Rows that share models run together; else the order is that of the plan.

        With a `folder`, everything is written down there: what is sent, before it is sent, in `.batch`; what became of
        each row in `manifest.jsonl`, one line for each row that has ended, the last line of a row counts; and the
        images. So after a crash of this program or of the server, submit the same plan to the same folder again. Only
        what is missing, has failed, or whose files are gone or altered is run. So it is with a plan that has other rows
        by now: rows that are the same are not run again, whatever their place. Rows that were drawn at random are the
        same if the plan was made with the same `random_seed`, `sample_seed`, or loaded from a file.

        Endpoint: POST /api/v1/queue/{queue_id}/enqueue_batch

        Args:
            folder: where the images and the manifest go; it is made if it is missing. None keeps nothing.
            images: which images are downloaded into the folder: those of output nodes (`outputs`), those of
                intermediate nodes as well (`all`), or `none`.
            file_name: the template of the names of the images, without the suffix. It can name the columns, `index`,
                `seed`, `row_id` and `repetition`, with formats as in `str.format`. What a row does not have is left
                out. Characters that file names cannot have are replaced, equal names and several images of a row are
                numbered.
            window: how many items of the batch may be in the queue at the same time; others share it.
            priority: as for `wf.submit_sync`, for each part that is sent.
            queue_id: the queue.
            stop_after_failures: stop when so many rows have failed; None goes on whatever fails.
            report: write a page into the folder, `index.html`, that shows the rows as they finish, and at the end a
                contact sheet, `contact_sheet.png`. `batch.open_report()` opens the page.
            overwrite: delete what an earlier batch has left in the folder, and cancel what it still has in the queue.

        Returns:
            The batch. It goes on for as long as the client is open.

        Raises:
            SettingsError: one of the arguments cannot be used.
            BatchFolderError: the folder is in use by another batch, holds results of another workflow, or cannot be
                written.
            InputsNotReadyError: the workflow could not run; it lists all problems.
            InvokeAIError: as any request; or `report`, and Pillow is not installed.

        Example:
            >>> batch = plan.submit(folder="out")
            >>> batch.wait(progress_callback=print)
        """
        work = self._aio.submit(
            folder,
            images=images,
            file_name=file_name,
            window=window,
            priority=priority,
            queue_id=queue_id,
            stop_after_failures=stop_after_failures,
            report=report,
            overwrite=overwrite,
        )
        del folder, images, file_name, window, priority, queue_id, stop_after_failures, report, overwrite
        return BatchRun(self._aio._engine.block(work))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return what a notebook shows: what varies, the first rows, and why rows cannot run."""
        return self._aio._repr_mimebundle_(include, exclude)

    def __str__(self) -> str:

        return self._aio.__str__()

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
