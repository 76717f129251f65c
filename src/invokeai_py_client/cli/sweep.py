"""`sweep`: run every combination of some values, and show the results side by side."""

from __future__ import annotations

from typing import Any

import click

from invokeai_py_client.cli import completion
from invokeai_py_client.cli.commands import Command
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.plan_runs import RunOptions, check_options, chosen_fleet, run_options, run_rows
from invokeai_py_client.cli.session import Session, with_session
from invokeai_py_client.cli.submitting import open_workflow
from invokeai_py_client.cli.vary import columns_of
from invokeai_py_client.cli.workflow_argument import workflow_argument


@click.command(
    "sweep",
    cls=Command,
    help="""Run every combination of some values, and show the results side by side: on a page, index.html, which shows
images as they finish, and at the end on a contact sheet.

The first --vary goes across, the second down; further ones, and the seeds, have sheets of their own. The plan is shown
before it is run.

The first Ctrl-C stops, and cancels what is in the queue; the second one leaves at once. Go on with the same command and
--resume; with more values, only new combinations are run. The exit code is 1 if a row failed.""",
    example="invokeai-client sweep workflow.json --vary 'CFG=4,7,10' --vary 'Steps=4..20..4' --out out",
)
@workflow_argument
@click.option(
    "--vary",
    "varied",
    multiple=True,
    metavar="KEY=VALUES",
    shell_complete=completion.inputs,
    help="Vary an input, by label, index or node.field. The values are a list (4,7,10), a range of numbers (4..20..4), "
    "lines of a file (@prompts.txt), or images of a folder or pattern (@photos, '@photos/*.png'). A value that has a "
    "comma goes into double quotes: 'Prompt=\"a cat, asleep\",a dog'. Can be repeated.",
)
@run_options
@click.option("--open", "opens", is_flag=True, help="Open the page.")
@with_session
def command(
    session: Session, /, workflow: str, varied: tuple[str, ...], assignments: tuple[str, ...], **options: Any
) -> None:
    """Run the combinations."""
    chosen = RunOptions(**options)
    if not varied and chosen.seeds is None:
        raise Failure("usage", "There is nothing to vary.", "Add --vary 'Label=4,7,10', or --seeds 4.")
    check_options(session.output, chosen)
    with chosen_fleet(session, chosen) as fleet:
        wf = open_workflow(session, workflow, assignments, chosen.board, fleet=fleet)
        run_rows(session, wf, columns_of(wf, varied), chosen, report=True, fleet=fleet)
