"""`run`: submit a workflow, show its progress, save what it makes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.commands import Command
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.output import Output
from invokeai_py_client.cli.session import Session, with_session
from invokeai_py_client.cli.submitting import (
    board_option,
    check_events,
    events_option,
    open_workflow,
    priority_option,
    submit_and_wait,
    submit_queue_option,
    telling_connection,
)
from invokeai_py_client.cli.workflow_argument import set_option, workflow_argument

if TYPE_CHECKING:
    from invokeai_py_client.blocking.generated.image import Image
    from invokeai_py_client.blocking.generated.run import Run
    from invokeai_py_client.blocking.workflow_handle import WorkflowHandle
    from invokeai_py_client.cli.image_names import ImageNames
    from invokeai_py_client.wire.events import Event

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
    help="""Run a workflow, and wait until it has ended.

Models that the file names are bound to those of the server. The first Ctrl-C cancels the run on the server, the second
one leaves at once. Without --out, images stay on the server, and their names are printed. With it, they are saved as
the server has them, with their metadata and workflow.""",
    example="invokeai-client run workflow.json --set 'Positive Prompt=a tiger cub' --set Steps=20 --out out",
)
@workflow_argument
@set_option
@click.option("--seed", type=click.IntRange(0), help="Set all seeds of the workflow, also those that it draws.")
@click.option("--runs", type=click.IntRange(1), default=1, show_default=True, help="How often to run it.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder to save the images in.")
@click.option(
    "--name",
    metavar="TEMPLATE",
    help="With --out: names of the files, such as tiger or '{Positive Prompt:.40}-{seed}', made of labels of inputs, "
    "seed, and index (the number of the image). Else they have the names that the server gave.",
)
@click.option("--open", "opens", is_flag=True, help="With --out: open the saved images.")
@board_option
@priority_option
@submit_queue_option
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds to wait; then it is canceled.")
@click.option("--no-wait", is_flag=True, help="Return when it is enqueued, and print its batch id.")
@click.option(
    "--dry-run", is_flag=True, help="Print the body that would be enqueued, and submit nothing. Files are uploaded."
)
@click.option(
    "--preview/--no-preview",
    "previews",
    default=True,
    help="Show previews in a terminal that can show pictures (kitty, iTerm2, and others with sixel).",
)
@events_option
@with_session
def command(
    session: Session,
    workflow: str,
    assignments: tuple[str, ...],
    seed: int | None,
    runs: int,
    out: Path | None,
    name: str | None,
    opens: bool,
    board: str | None,
    priority: Any,
    queue_id: str,
    timeout: float | None,
    no_wait: bool,
    dry_run: bool,
    previews: bool,
    events: bool,
) -> None:
    """Run a workflow."""
    from invokeai_py_client.cli.image_names import ImageNames
    from invokeai_py_client.cli.run_progress import showing_progress

    output = session.output
    if no_wait and (out is not None or timeout is not None or events):
        raise Failure("usage", "--no-wait goes with none of --out, --timeout and --events.", "Leave out --no-wait.")
    if out is None and (name is not None or opens):
        raise Failure("usage", "--name and --open need --out.", "Add --out FOLDER.")
    if seed is not None and runs > 1:
        raise Failure("usage", "All --runs with one --seed would be equal.", "Use: invokeai-client sweep --seeds.")
    check_events(output, events)
    wf = open_workflow(session, workflow, assignments, board)
    if seed is not None:
        _set_seeds(wf, seed)
    if dry_run:
        body = wf._build_submission()
        body["batch"]["runs"] = runs
        output.done(body, quiet=[], human=lambda: output.line(body))
        return
    if out is not None:
        # So that a folder that cannot be made costs no run.
        out.mkdir(parents=True, exist_ok=True)
    names = None if out is None or name is None else ImageNames(name, wf, out)
    if events:
        wf.on_event(lambda event: _print_event(output, event))
    if no_wait:
        run = wf.submit_sync(runs=runs, priority=priority, queue_id=queue_id)
        enqueued = {"batch_id": run.batch_id, "item_ids": [*run.item_ids]}
        output.done(enqueued, quiet=[run.batch_id], human=lambda: output.facts(enqueued))
        return
    began = time.monotonic()
    with showing_progress(output, wf, previews=previews) as show, telling_connection(output, session.client):
        run = submit_and_wait(output, wf, timeout, show, runs=runs, priority=priority, queue_id=queue_id)
    run.result()
    images = run.images
    try:
        files = [] if out is None else _save(images, out, names)
    except OSError as error:
        raise _unsaved(run, images, error) from error
    seconds = round(time.monotonic() - began, 3)
    made = [image.name for image in images] if out is None else files
    output.done(
        {
            "batch_id": run.batch_id,
            "item_ids": [*run.item_ids],
            "status": run.status,
            "seconds": seconds,
            "images": [
                {"name": image.name, "node": str(image.node), "file": files[number] if files else None}
                for number, image in enumerate(images)
            ],
        },
        quiet=made,
        human=lambda: _show_images(output, made, seconds),
    )
    if opens:
        from invokeai_py_client.cli.viewer import open_file

        for file in files:
            open_file(output, file)


def _set_seeds(wf: WorkflowHandle, seed: int) -> None:
    inputs = wf.seed_inputs()
    if not inputs:
        raise Failure(
            "unknown_input",
            "The workflow has no seed to set.",
            "The command inputs, with --all, lists all inputs. If one of them seeds the workflow, name it with --set.",
        )
    for one in inputs:
        one.set(seed, override_edge=True)


def _save(images: Sequence[Image], out: Path, names: ImageNames | None) -> list[Path]:
    if names is None:
        return [image.save(out) for image in images]
    return [
        image.save_as(out / name) for image, name in zip(images, names.of([one.name for one in images]), strict=True)
    ]


def _unsaved(run: Run, images: Sequence[Image], error: OSError) -> Failure:
    return Failure(
        "file_error",
        f"The run has completed, and its images cannot be saved: {error.strerror or error}.",
        "They are on the server. Free disk space or make the folder writable, and get them with: images download.",
        {"batch_id": run.batch_id, "images": [image.name for image in images]},
    )


def _show_images(output: Output, made: Sequence[object], seconds: float) -> None:
    for one in made:
        output.say(str(one))
    output.note(f"{len(made)} image{'' if len(made) == 1 else 's'} in {seconds:.1f} s")


def _print_event(output: Output, event: Event) -> None:
    facts = {name: event.get(name) for name in _EVENT_FACTS}
    output.line({"event": event.type, **{name: value for name, value in facts.items() if value is not None}})
