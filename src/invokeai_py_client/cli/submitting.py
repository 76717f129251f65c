"""What the commands that submit a workflow have in common: their options, and the workflow with its values."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli import completion
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.output import Output
from invokeai_py_client.cli.queue_argument import queue_option
from invokeai_py_client.cli.session import Session
from invokeai_py_client.cli.workflow_argument import load, set_inputs

if TYPE_CHECKING:
    from invokeai_py_client.blocking.generated.run import Run
    from invokeai_py_client.blocking.workflow_handle import WorkflowHandle
    from invokeai_py_client.client import InvokeAIClient
    from invokeai_py_client.fleet.fleet import Fleet
    from invokeai_py_client.live.connection_changes import ConnectionChange

board_option = click.option(
    "--board",
    metavar="NAME",
    shell_complete=completion.boards,
    help="Board for images whose node names none, by name or id.",
)
priority_option = click.option(
    "--priority",
    type=click.Choice(["low", "normal", "high", "urgent"]),
    default="normal",
    show_default=True,
    help="When it is its turn.",
)
submit_queue_option = queue_option("Queue to submit to.")
events_option = click.option(
    "--events", is_flag=True, help="With --format json: a line for each event before the document."
)


def check_events(output: Output, events: bool) -> None:
    """Refuse `--events` where it would not be read.

    Raises:
        Failure: the format is not json.
    """
    if events and output.format != "json":
        raise Failure("usage", "--events needs --format json.", "Add --format json.")


@contextlib.contextmanager
def telling_connection(output: Output, client: InvokeAIClient) -> Iterator[None]:
    """Tell a person who waits when the server is away, and when it is back."""
    if not output.is_human:
        yield
        return

    def tell(change: ConnectionChange) -> None:
        if change.state == "disconnected":
            output.note("The connection to the server is lost. Waiting for it to come back.")
        elif change.state == "reconnected":
            output.note(f"The server is back after {change.seconds:.0f} s.")

    stop = client.on_connection(tell)
    try:
        yield
    finally:
        stop()


def open_workflow(
    session: Session, workflow: str, assignments: Iterable[str], board: str | None, *, fleet: Fleet | None = None
) -> WorkflowHandle:
    """Load a workflow, bind its models to those of the server, and set inputs.

    Models that have another name than in the file are named on stderr.

    Raises:
        Failure, InvokeAIError: as `load` and `set_inputs`.
    """
    session.board = board
    definition = load(session, workflow)
    # A fleet's workflow may name the models of all its servers.
    wf = (session.client.workflow_repo.create_workflow if fleet is None else fleet.workflow)(definition)
    for change in wf.sync_dnn_model().renamed:
        session.output.note(f"note: another model takes the place of the file's: {change}")
    set_inputs(wf, assignments)
    return wf


def submit_and_wait(
    output: Output,
    wf: WorkflowHandle,
    timeout: float | None,
    show: Callable[[Run], None],
    **options: Any,
) -> Run:
    """Submit a workflow, and wait until its run has ended.

    Args:
        output: of the command.
        wf: the workflow.
        timeout: seconds to wait for the run.
        show: shows the run as it is now.
        **options: those of `wf.submit_sync`.

    Raises:
        Failure: Ctrl-C has ended it.
        RunTimeout: it has not ended in time, and is canceled.
        InvokeAIError: as `wf.submit_sync`.
    """
    from invokeai_py_client.blocking.generated.run import Run
    from invokeai_py_client.cli.interrupts import attend
    from invokeai_py_client.errors import RunTimeout

    async def submit() -> Run:
        return Run(await wf.aio.submit(**options))

    def follow(run: Run) -> None:
        try:
            run.wait(timeout)
        except RunTimeout:
            run.cancel()
            raise

    run, was_interrupted = attend(
        output,
        wf.aio._engine,
        submit,
        follow=follow,
        cancel=Run.cancel,
        showing=lambda run: nullcontext(partial(show, run)),
    )
    if was_interrupted:
        raise Failure("interrupted", f"Batch {run.batch_id} was canceled.", details={"batch_id": run.batch_id})
    return run
