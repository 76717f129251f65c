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
    """The rows that a workflow will run, checked but not sent. `Plan` blocks, `AsyncPlan` (`plan.aio`) is awaited.

    Created by `wf.plan(...)`. Later changes of the workflow's inputs do not affect it. Rows are created when they are
    read, so a plan may be large. `print(plan)` shows the number of rows and of model loads, and the estimated duration.

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
        """Yield the rows in the order of the plan."""
        return self._aio.__iter__()

    def __getitem__(self, index: int) -> PlannedRow:
        """Return a row by its index.

        Raises:
            IndexError: the plan does not have that many rows.
        """
        return self._aio.__getitem__(index)

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns. Those that begin with `#` are notes, which do not set inputs."""
        return self._aio.columns

    @property
    def axes(self) -> Sequence[Axis]:
        """The axes that the plan varies, with their values for display: X first, the seeds last."""
        return self._aio.axes

    @property
    def invalid(self) -> int:
        """The number of rows that cannot run. Above 0 only with `on_bad_row="skip"`."""
        return self._aio.invalid

    @property
    def random_seed(self) -> int | None:
        """The seed that dynamic prompts and random seeds were drawn with; None if nothing was drawn."""
        return self._aio.random_seed

    @property
    def sample_seed(self) -> int | None:
        """The seed that the sample was drawn with; None if the plan is not a sample."""
        return self._aio.sample_seed

    @property
    def seconds(self) -> float | None:
        """The estimated duration of all rows on this server, in seconds.

        The estimate is based on how long the nodes took in earlier runs of this client; None if a node was not
        measured.
        """
        return self._aio.seconds

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the plan to a file, with its workflow. `client.load_plan` reads it, on any machine.

        Local images are stored by path, both absolute and relative to the file. To use the plan on another machine,
        keep the images beside the file.

        Args:
            path: the JSON file. An existing file is replaced.

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
        """Run the rows in the background. Rows that share models run together; otherwise they run in plan order.

        With a `folder`, the batch can be resumed: after a crash of this program or of the server, submit the same plan
        to the same folder again. Only rows that are missing, failed, or whose files are gone or altered are run. The
        plan may have changed: rows that are equal to rows of the earlier plan are not run again, wherever they are. To
        get equal rows from random draws, pass the same `random_seed` and `sample_seed`, or load the plan from a file.

        The folder contains the images; `manifest.jsonl`, with a line for each row that has ended (if a row has several
        lines, the last one is valid); and `.batch`, where rows are recorded before they are sent.

        Endpoint: POST /api/v1/queue/{queue_id}/enqueue_batch

        Args:
            folder: the folder for images and manifest; created if it is missing. None: nothing is written, and the
                batch cannot be resumed by another process.
            images: the images to download into the folder: those of output nodes (`outputs`), those of intermediate
                nodes as well (`all`), or `none`.
            file_name: the template for the names of the images, without the suffix. It can contain the columns,
                `index`, `seed`, `row_id` and `repetition`, with formats as in `str.format`. A part without a value in a
                row is left out. Characters that are not allowed in file names are replaced. A number is added to equal
                names, and to several images of one row.
            window: the maximum number of items of the batch in the queue at the same time. A smaller window leaves more
                of the server to other users.
            priority: as for `wf.submit_sync`; applies to each part of the batch that is sent.
            queue_id: the queue.
            stop_after_failures: stop after this number of failed rows. None: never stop.
            report: write a page, `index.html`, into the folder, which shows the rows as they finish, and at the end a
                contact sheet, `contact_sheet.png`, unless the batch is canceled. `batch.open_report()` opens the page.
            overwrite: delete the results of an earlier batch in the folder, and cancel its rows that are in the queue.
                Those in the queue of another server are not canceled, which is logged as a warning.

        Returns:
            The batch. It runs for as long as the client is open.

        Raises:
            SettingsError: an argument has an invalid value.
            BatchFolderError: the folder is in use by another batch, holds results of another workflow, or cannot be
                written.
            InputsNotReadyError: the workflow cannot run; the error lists all problems.
            InvokeAIError: a request failed, or `report` is set and Pillow is not installed.

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
        """Return the notebook view: the axes, the first rows, and the reasons why rows cannot run."""
        return self._aio._repr_mimebundle_(include, exclude)

    def __str__(self) -> str:

        return self._aio.__str__()

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
