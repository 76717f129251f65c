"""`run`: submit a workflow, show its progress, save what it makes."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli import completion
from invokeai_py_client.cli.commands import Command
from invokeai_py_client.cli.failures import INTERRUPTED, Failure
from invokeai_py_client.cli.session import Session, with_session
from invokeai_py_client.cli.workflow_argument import WORKFLOW_HELP, load, set_inputs

if TYPE_CHECKING:
    from invokeai_py_client.blocking.generated.run import Run
    from invokeai_py_client.blocking.workflow_handle import WorkflowHandle
    from invokeai_py_client.live.state.queue_item import QueueItem

_EVENT_FACTS = (
    "item_id",
    "node_id",
    "step",
    "total_steps",
    "progress_percentage",
    "message",
    "status",
    "error_message",
)


@click.command(
    "run",
    cls=Command,
    help=f"""Run a workflow, and wait until it has ended.

{WORKFLOW_HELP}

Models that the file names are bound to those of the server. The first Ctrl-C cancels the run on the server, the second
one leaves at once. Without --out, images stay on the server, and their names are printed.""",
    example="invokeai-client run workflow.json --set 'Positive Prompt=a tiger cub' --set Steps=20 --out out",
)
@click.argument("workflow")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=completion.inputs,
    help="Set an input, by label, index or node.field. Image=@photo.png uploads a file. Can be repeated.",
)
@click.option("--runs", type=click.IntRange(1), default=1, show_default=True, help="How often to run it.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder to save the images in.")
@click.option(
    "--board",
    metavar="NAME",
    shell_complete=completion.boards,
    help="Board for images whose node names none, by name or id.",
)
@click.option(
    "--priority",
    type=click.Choice(["low", "normal", "high", "urgent"]),
    default="normal",
    show_default=True,
    help="When it is its turn.",
)
@click.option("--queue", default="default", show_default=True, metavar="ID", help="Queue to submit to.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds to wait; then it is canceled.")
@click.option("--no-wait", is_flag=True, help="Return when it is enqueued, and print its batch id.")
@click.option(
    "--dry-run", is_flag=True, help="Print the body that would be enqueued, and submit nothing. Files are uploaded."
)
@click.option("--events", is_flag=True, help="With --format json: a line for each event before the document.")
@with_session
def command(
    session: Session,
    workflow: str,
    assignments: tuple[str, ...],
    runs: int,
    out: Path | None,
    board: str | None,
    priority: Any,
    queue: str,
    timeout: float | None,
    no_wait: bool,
    dry_run: bool,
    events: bool,
) -> int | None:
    """Run a workflow."""
    output = session.output
    if no_wait and (out is not None or timeout is not None or events):
        raise Failure("usage", "--no-wait goes with none of --out, --timeout and --events.", "Leave out --no-wait.")
    if events and output.format != "json":
        raise Failure("usage", "--events needs --format json.", "Add --format json.")
    session.board = board
    definition = load(session, workflow)
    wf = session.client.workflow_repo.create_workflow(definition)
    _bind_models(session, wf)
    set_inputs(wf, assignments)
    if dry_run:
        body = wf._build_submission()
        body["batch"]["runs"] = runs
        output.done(body, quiet=[], human=lambda: output.line(body))
        return None
    if out is not None:
        # So that a folder that cannot be made costs no run.
        out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    run = wf.submit_sync(runs=runs, priority=priority, queue_id=queue)
    if no_wait:
        enqueued = {"batch_id": run.batch_id, "item_ids": [*run.item_ids]}
        output.done(enqueued, quiet=[run.batch_id], human=lambda: output.facts(enqueued))
        return None
    item = _wait(session, run, timeout, tells_events=events)
    if item is None:
        return INTERRUPTED
    run.result()
    files = [image.save(out) for image in run.images] if out is not None else []
    names = [image.name for image in run.images]
    made = [
        {"name": image.name, "node": str(image.node), "file": files[number] if files else None}
        for number, image in enumerate(run.images)
    ]
    seconds = round(time.monotonic() - began, 3)
    output.done(
        {
            "batch_id": run.batch_id,
            "item_ids": [*run.item_ids],
            "status": item.status,
            "seconds": seconds,
            "images": made,
        },
        quiet=files or names,
        human=lambda: _show_images(session, files or names, seconds),
    )
    return None


def _bind_models(session: Session, wf: WorkflowHandle) -> None:
    """Bind the models of a file to those of the server, and say which ones have another name."""
    binding = wf.sync_dnn_model()
    for change in binding.renamed:
        session.output.note(f"note: another model takes the place of the file's: {change}")


def _show_images(session: Session, made: list[Any], seconds: float) -> None:
    for one in made:
        session.output.say(str(one))
    session.output.note(f"{len(made)} image{'' if len(made) == 1 else 's'} in {seconds:.1f} s")


def _wait(session: Session, run: Run, timeout: float | None, *, tells_events: bool) -> QueueItem | None:
    """Wait for a run; return None if it was interrupted, and is canceled."""
    from invokeai_py_client.errors import RunTimeout

    try:
        if tells_events:
            _print_events(session, run)
        with _progress(session) as show:
            return run.wait(timeout, progress_callback=show)
    except RunTimeout:
        run.cancel()
        raise
    except KeyboardInterrupt:
        _cancel(session, run)
        return None


def _cancel(session: Session, run: Run) -> None:
    session.output.note("Canceling on the server. Press Ctrl-C again to leave at once.")
    try:
        run.cancel()
    except KeyboardInterrupt:
        sys.stdout.flush()
        # Not `sys.exit`, which would wait for what is under way.
        os._exit(INTERRUPTED)
    session.output.failed(
        Failure("interrupted", f"Batch {run.batch_id} was canceled.", details={"batch_id": run.batch_id})
    )


def _print_events(session: Session, run: Run) -> None:
    for event in run.stream():
        facts = {name: event.get(name) for name in _EVENT_FACTS}
        session.output.line(
            {"event": event.type, **{name: value for name, value in facts.items() if value is not None}}
        )


@contextlib.contextmanager
def _progress(session: Session) -> Iterator[Any]:
    """Show a bar on stderr while a run is waited for, if a person looks at it."""
    if not session.output.is_human or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:>11}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[steps]}"),
    )
    with Progress(*columns, console=session.output.console(sys.stderr), transient=True) as bar:
        task = bar.add_task("pending", total=100, steps="")

        def show(item: QueueItem) -> None:
            steps = f"step {item.current_step}/{item.total_steps}" if item.total_steps else ""
            bar.update(task, completed=item.progress_percentage, description=item.status, steps=steps)

        yield show
