"""`batch`: run a workflow once for each row of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from invokeai_py_client.cli.commands import Argument, Command
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.plan_runs import RunOptions, check_options, chosen_fleet, run_options, run_rows
from invokeai_py_client.cli.session import Session, with_session
from invokeai_py_client.cli.submitting import open_workflow
from invokeai_py_client.cli.workflow_argument import workflow_argument


@click.command(
    "batch",
    cls=Command,
    help="""Run a workflow once for each row of a file, and save the images in a folder.

The columns of the file are inputs: labels, indices, node.field, or seed for all seeds. Columns that begin with # are
notes. A CSV file has the names in its first line, and puts a value that has a comma into double quotes. All values are
checked before anything is submitted.

The first Ctrl-C stops, and cancels what is in the queue; the second one leaves at once. Go on with the same command and
--resume, also after a crash of this computer or of the server. The exit code is 1 if a row failed.""",
    example="invokeai-client batch workflow.json rows.csv --out out",
)
@workflow_argument
@click.argument(
    "rows",
    cls=Argument,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A .csv, .tsv, .jsonl or .json file with a row for each run.",
)
@run_options
@click.option("--report", is_flag=True, help="Write a page that shows rows as they finish, and a contact sheet.")
@click.option("--open", "opens", is_flag=True, help="Write that page, and open it.")
@with_session
def command(
    session: Session,
    /,
    workflow: str,
    rows: Path,
    assignments: tuple[str, ...],
    report: bool,
    **options: Any,
) -> None:
    """Run the rows of a file."""
    chosen = RunOptions(**options)
    check_options(session.output, chosen)
    if not rows.is_file():
        raise Failure("bad_input", f"There is no file {str(rows)!r}.", "Give a .csv, .tsv, .jsonl or .json file.")
    with chosen_fleet(session, chosen) as fleet:
        wf = open_workflow(session, workflow, assignments, chosen.board, fleet=fleet)
        run_rows(session, wf, rows, chosen, report=report or chosen.opens, fleet=fleet)
