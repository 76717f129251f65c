"""Runs the rows of a plan for `batch` and `sweep`: shows the plan, the progress, and what became of the rows."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from invokeai_py_client.cli.failures import Failure, failure_of
from invokeai_py_client.cli.output import Output, counted
from invokeai_py_client.cli.session import Session
from invokeai_py_client.cli.submitting import (
    board_option,
    check_events,
    events_option,
    priority_option,
    submit_queue_option,
    telling_connection,
)
from invokeai_py_client.cli.vary import read_seeds
from invokeai_py_client.cli.workflow_argument import set_option

if TYPE_CHECKING:
    from invokeai_py_client.batch.batch_run import AsyncBatchRun
    from invokeai_py_client.batch.manifest import BatchRow
    from invokeai_py_client.batch.rows import CellProblem
    from invokeai_py_client.blocking.generated.batch_run import BatchRun
    from invokeai_py_client.blocking.generated.plan import Plan
    from invokeai_py_client.blocking.workflow_handle import WorkflowHandle
    from invokeai_py_client.client import InvokeAIClient
    from invokeai_py_client.fleet.fleet import Fleet
    from invokeai_py_client.runtime.engine import Engine

F = TypeVar("F", bound=Callable[..., Any])

_MOST_ROWS = 20
"""How many rows `--dry-run` shows, and how many problems of rows a person is told."""

_MOST_LOOKED_AT = 10_000
"""How many rows are searched for the invalid ones."""

_LONGEST_LIST, _LONGEST_VALUE = 60, 30
"""How many letters a person is shown of the values of an axis, and of each of them."""

_MOST_TOLD = 5
"""How many failed rows a person is told of while the others run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How the rows are run; the fields are named as the options of the command line."""

    out: Path
    resume: bool
    overwrite: bool
    seeds: Any
    skip_bad_rows: bool
    name: str | None
    opens: bool
    fleet: Path | None
    board: str | None
    priority: Any
    queue_id: str
    stop_after_failures: int | None
    dry_run: bool
    events: bool


def run_options(function: F) -> F:
    """Add the options of `RunOptions` and `--set` to a command."""
    options = (
        set_option,
        click.option(
            "--seeds",
            metavar="SEEDS",
            callback=read_seeds,
            help="Run each row with several seeds: 4 means 0 to 3, lists are 7,21 and 7..9, and random draws one for "
            "each row.",
        ),
        click.option(
            "--out",
            required=True,
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder for the images, and for manifest.jsonl, which has a line for each row that has ended.",
        ),
        click.option(
            "--resume",
            is_flag=True,
            help="Go on in a folder with results: what is done, for the same values, is not run again.",
        ),
        click.option("--overwrite", is_flag=True, help="Delete the results that the folder has."),
        click.option("--skip-bad-rows", is_flag=True, help="Leave out rows with values that an input does not allow."),
        click.option(
            "--stop-after-failures", type=click.IntRange(1), metavar="N", help="Stop when so many rows have failed."
        ),
        click.option(
            "--name",
            metavar="TEMPLATE",
            help="Names of the files, made of columns, index, seed and row_id, such as '{index:05d}-{Steps}-{seed}'.",
        ),
        click.option(
            "--fleet",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Run the rows on all servers of this file, which has a [[server]] with a url for each.",
        ),
        board_option,
        priority_option,
        submit_queue_option,
        click.option("--dry-run", is_flag=True, help="Check and show the plan, and submit nothing."),
        events_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


def check_options(output: Output, options: RunOptions) -> None:
    """Refuse what can be seen to be wrong before the server is asked.

    Raises:
        Failure: options do not fit together, or the folder has results and it is not said what becomes of them.
    """
    from invokeai_py_client.batch.folder import has_results

    check_events(output, options.events)
    if options.resume and options.overwrite:
        raise Failure("usage", "--resume and --overwrite exclude each other.", "Leave out one of them.")
    if options.fleet is not None and options.board is not None:
        raise Failure(
            "usage", "--fleet and --board exclude each other: servers have different boards.", "Leave out --board."
        )
    if has_results(options.out) and not options.dry_run and not (options.resume or options.overwrite):
        raise Failure(
            "folder_error",
            f"The folder {str(options.out)!r} has the results of an earlier batch.",
            "Go on there with --resume, delete them with --overwrite, or give another folder.",
            {"folder": str(options.out)},
        )


def chosen_fleet(session: Session, options: RunOptions) -> AbstractContextManager[Fleet | None]:
    """Open the fleet of `--fleet`, if it was given; its first usable server is then the one of the session.

    Raises:
        Failure, SettingsError: as `opened_fleet`.
    """
    from invokeai_py_client.cli.fleet import opened_fleet

    return nullcontext() if options.fleet is None else opened_fleet(session, options.fleet)


def run_rows(
    session: Session, wf: WorkflowHandle, source: Any, options: RunOptions, *, report: bool, fleet: Fleet | None
) -> None:
    """Plan and run rows, and print what became of them.

    Args:
        session: of the command.
        wf: the workflow, with its values.
        source: what `wf.plan` takes.
        options: how they are run.
        report: write a page and a contact sheet.
        fleet: runs them; None for the server of the session.

    Raises:
        Failure: rows have failed, or Ctrl-C has ended it.
        InvokeAIError: as `wf.plan` and `plan.submit`.
    """
    output = session.output
    plan = _plan(output, wf, source, options)
    if options.dry_run:
        _print_plan(output, plan)
        return
    _note_plan(output, plan)
    if plan.invalid and output.is_human:
        _note_problems(output, [problem for row in islice(plan, _MOST_LOOKED_AT) for problem in row.problems])
    if options.events:
        output.line({"event": "plan", "rows": len(plan), "invalid": plan.invalid})
    from invokeai_py_client.batch.file_names import DEFAULT_TEMPLATE

    began = time.monotonic()
    submit = partial(
        plan.aio.submit if fleet is None else partial(fleet.aio.submit, plan.aio),
        options.out,
        file_name=options.name or DEFAULT_TEMPLATE,
        priority=options.priority,
        queue_id=options.queue_id,
        stop_after_failures=options.stop_after_failures,
        report=report,
        overwrite=options.overwrite,
    )
    # A fleet goes on with the servers that it has.
    client = None if fleet is not None else session.client
    batch, failure = _ran(output, wf.aio._engine, submit, options, client)
    if failure is not None and report:
        failure.hint += f" Draw the contact sheet with: invokeai-client report {shlex.quote(str(options.out))}"
    facts = _facts(batch, options.out, report=report, seconds=round(time.monotonic() - began, 3))
    if failure is None and (batch.counts["failed"] or batch.counts["canceled"]):
        failure = Failure("rows_failed", _failed(batch), "Run them again with the same command and --resume.")
    if failure is not None:
        failure.details = facts
        if output.is_human:
            _say(output, facts)
        raise failure
    output.done(facts, quiet=_files(batch), human=lambda: _say(output, facts))


def _plan(output: Output, wf: WorkflowHandle, source: Any, options: RunOptions) -> Plan:
    from invokeai_py_client.batch.folder import plan_path
    from invokeai_py_client.batch.plan_file import read_plan
    from invokeai_py_client.batch.rows import CellProblem
    from invokeai_py_client.errors import PlanError

    earlier = plan_path(options.out)
    # So that what was drawn at random is drawn again, and its rows are known to be done.
    random_seed = read_plan(earlier).random_seed if options.resume and earlier.exists() else None
    try:
        return wf.plan(
            source,
            seeds=options.seeds,
            random_seed=random_seed,
            on_bad_row="skip" if options.skip_bad_rows else "raise",
        )
    except PlanError as error:
        if not error.problems or any(row is None for row, _, _ in error.problems):
            raise
        failure = failure_of(error)
        failure.hint = "Correct them, or leave out their rows with --skip-bad-rows."
        if output.is_human and len(error.problems) > 1:
            _note_problems(output, [CellProblem(*problem) for problem in error.problems])
            failure.message = f"The plan cannot run: {len(error.problems):,} values or rows are not allowed."
        raise failure from error


def _note_problems(output: Output, problems: Sequence[CellProblem]) -> None:
    for problem in problems[:_MOST_ROWS]:
        output.note(str(problem))
    if len(problems) > _MOST_ROWS:
        output.note(f"and {len(problems) - _MOST_ROWS:,} more")


def _note_plan(output: Output, plan: Plan) -> None:
    """Tell a person what is going to run."""
    if output.is_human:
        output.note(f"Plan: {plan}")
        for axis in plan.axes:
            output.note(f"  {axis.title}: {_shown(axis.values)}")


def _print_plan(output: Output, plan: Plan) -> None:
    """Print a plan that is not run."""
    first = [plan[index] for index in range(min(len(plan), _MOST_ROWS))]
    data = {
        "rows": len(plan),
        "invalid": plan.invalid,
        "columns": [*plan.columns],
        "axes": [{"name": axis.title, "values": [*axis.values]} for axis in plan.axes],
        "first_rows": [
            {"index": row.index, "values": row.values, "seed": row.seed, "problems": [one.why for one in row.problems]}
            for row in first
        ],
    }

    def show() -> None:
        _note_plan(output, plan)
        output.table(
            ("Row", *plan.columns, *(["Problems"] if plan.invalid else [])),
            [
                (
                    row.index,
                    *(row.values.get(column) for column in plan.columns),
                    *(["; ".join(map(str, row.problems))] if plan.invalid else []),
                )
                for row in first
            ],
        )
        if len(plan) > len(first):
            output.note(f"and {len(plan) - len(first):,} more rows")

    output.done(data, quiet=[len(plan)], human=show)


def _shown(values: Any) -> str:
    from invokeai_py_client.report.axes import label_of

    shown = ""
    for count, value in enumerate(values):
        text = label_of(value)
        part = (", " if count else "") + (text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}...")
        if len(shown) + len(part) > _LONGEST_LIST:
            return f"{shown}, ... ({len(values):,} values)"
        shown += part
    return shown


def _ran(
    output: Output,
    engine: Engine,
    submit: Callable[[], Awaitable[AsyncBatchRun]],
    options: RunOptions,
    client: InvokeAIClient | None,
) -> tuple[BatchRun, Failure | None]:
    """Submit rows, and wait until they have ended.

    Args:
        output: shows how far they are.
        engine: runs the submission.
        submit: submits them.
        options: how they are run.
        client: a person is told when its connection is lost; None for no client.

    Returns:
        The batch, and what has stopped it before its end.

    Raises:
        InvokeAIError: the batch cannot be submitted, or cannot go on.
    """
    from invokeai_py_client.blocking.generated.batch_run import BatchRun
    from invokeai_py_client.cli.interrupts import attend
    from invokeai_py_client.cli.rows_progress import showing_rows
    from invokeai_py_client.errors import RunError

    told = 0
    failure: Failure | None = None

    async def begin() -> BatchRun:
        return BatchRun(await submit())

    def follow(batch: BatchRun) -> None:
        nonlocal failure
        if options.opens:
            from invokeai_py_client.cli.viewer import open_file

            open_file(output, options.out / "index.html")
        try:
            with nullcontext() if client is None else telling_connection(output, client):
                tell_rows(batch)
        except RunError as error:
            hint = "Run the rest with the same command and --resume."
            failure = Failure("rows_failed", failure_of(error).message, hint)

    def tell_rows(batch: BatchRun) -> None:
        nonlocal told
        for row in batch.as_completed():
            if options.events:
                _print_row(output, batch, row)
            elif row.status == "failed" and output.is_human:
                told += 1
                if told <= _MOST_TOLD:
                    output.note(f"row {row.index} failed: {row.error}")
                if told == _MOST_TOLD:
                    output.note("Further failures are counted, and told at the end.")

    batch, was_interrupted = attend(
        output, engine, begin, follow=follow, cancel=BatchRun.cancel, showing=partial(showing_rows, output)
    )
    if was_interrupted:
        is_canceled = bool(batch.counts["canceled"])
        done = f"{batch.counts['completed']} of {len(batch)} rows are done"
        failure = Failure(
            "interrupted",
            f"{done}; the others were canceled." if is_canceled else f"{done}.",
            "Go on with the same command and --resume." if is_canceled else "",
        )
    return batch, failure


def _print_row(output: Output, batch: BatchRun, row: BatchRow) -> None:
    from invokeai_py_client.batch.manifest import line_of

    line = line_of(row, batch.folder)
    output.line({"event": "row", **line, "progress": round(batch.progress, 1), "eta": batch.eta})


def _failed(batch: BatchRun) -> str:
    """Say how many rows have failed, and why."""
    counts = batch.counts
    parts = [f"{counts['failed']} failed"] if counts["failed"] else []
    parts += [f"{counts['canceled']} were canceled"] if counts["canceled"] else []
    groups = batch.failures()
    reasons = [str(group) for group in groups] if len(groups) > 1 else [group.kind for group in groups]
    return f"Of {len(batch)} rows, {' and '.join(parts)}{': ' if reasons else ''}{'; '.join(reasons)}."


def _facts(batch: BatchRun, folder: Path, *, report: bool, seconds: float) -> dict[str, Any]:
    from invokeai_py_client.report.contact_sheet import contact_sheets_in

    page = folder / "index.html"
    sheets = contact_sheets_in(folder)
    return {
        "folder": str(folder),
        "rows": len(batch),
        "counts": dict(batch.counts),
        "servers": dict(Counter(row["server"] for row in batch.to_rows() if row["status"] == "completed")),
        "seconds": seconds,
        "page": str(page) if report and page.exists() else None,
        "contact_sheets": [str(path) for path in sheets] if report else [],
        "failures": [{"why": group.kind, "rows": [row.index for row in group.rows]} for group in batch.failures()],
    }


def _files(batch: BatchRun) -> Any:
    return (file.path for row in batch.results() for file in row.files)


def _say(output: Output, facts: Mapping[str, Any]) -> None:
    for path in (facts["page"], *facts["contact_sheets"]) if facts["page"] else (facts["folder"],):
        output.say(path)
    counts = {status: count for status, count in facts["counts"].items() if count}
    output.note(f"{counted(counts)} in {facts['seconds']:.1f} s")
    if len(facts["servers"]) > 1:
        output.note("Rows by server: " + ", ".join(f"{url} {rows}" for url, rows in facts["servers"].items()))
