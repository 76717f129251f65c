"""What a person sees while the rows of a batch are waited for: rows done and failed, and the time left."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from invokeai_py_client.cli.keys import state_of_terminal
from invokeai_py_client.cli.output import BAR_WIDTH, Output

if TYPE_CHECKING:
    from invokeai_py_client.blocking.generated.batch_run import BatchRun


@contextlib.contextmanager
def showing_rows(output: Output, batch: BatchRun) -> Iterator[Callable[[], None]]:
    """Show the progress of a batch on stderr, if a person looks at it.

    Yields:
        What shows the batch as it is now.
    """
    if not output.is_live:
        yield lambda: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        TextColumn("{task.fields[done]} of {task.fields[rows]} rows"),
        BarColumn(bar_width=BAR_WIDTH),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[failed]}", style="red"),
    )
    bar = Progress(*columns, console=output.console(sys.stderr), transient=True)
    with state_of_terminal(bar.start, bar.stop):
        task = bar.add_task("", total=100, done=0, rows=len(batch), left="", failed="")

        def show() -> None:
            counts, eta = batch.counts, batch.eta
            ends = [f"{counts[status]} {status}" for status in ("failed", "canceled") if counts[status]]
            bar.update(
                task,
                completed=batch.progress,
                done=sum(counts.values()) - counts["pending"] - counts["in_progress"],
                left="" if not eta else f"{_clock(eta)} left",
                failed=", ".join(ends),
            )

        show()
        yield show


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
