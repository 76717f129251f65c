"""`report`: the page and the contact sheet of a batch, made again or opened."""

from __future__ import annotations

import math
from pathlib import Path

import click

from invokeai_py_client.cli.commands import Argument, Command
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.session import Session, with_session
from invokeai_py_client.cli.viewer import open_file


@click.command(
    "report",
    cls=Command,
    help="""Write the page and the contact sheet of a batch again, from the images and the manifest in its folder.

They show the rows that have ended so far. No server is needed. It is refused while the batch runs: its page,
if it has one, is up to date then.""",
    example="invokeai-client report out --open",
)
@click.argument(
    "folder",
    cls=Argument,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of a batch or a sweep.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page.")
@with_session
def command(session: Session, folder: Path, opens: bool) -> None:
    """Write the report of a batch again."""
    from invokeai_py_client.batch.batch_report import BatchReport
    from invokeai_py_client.batch.folder import BatchFolder, plan_path
    from invokeai_py_client.batch.manifest import rows_in
    from invokeai_py_client.batch.plan_file import read_plan
    from invokeai_py_client.report.contact_sheet import contact_sheets_in

    output = session.output
    if not plan_path(folder).exists():
        raise Failure("bad_input", f"The folder {str(folder)!r} has no batch.", "Give the --out of batch or sweep.")
    plan = read_plan(plan_path(folder))
    total = math.prod(len(axis.cells[0]) for axis in plan.axes)
    kept = BatchFolder(folder)
    try:
        report = BatchReport(folder, workflow=plan.definition.name, axes=plan.shown_axes, total=total)
        rows = rows_in(folder)
        report.begin(rows)
        report.draw(rows)
        report.finish()
    finally:
        kept.release()
    page = folder / "index.html"
    sheets = contact_sheets_in(folder)
    data = {"folder": folder, "rows": len(rows), "page": page, "contact_sheets": sheets}
    output.done(data, quiet=[page, *sheets], human=lambda: output.say("\n".join(map(str, (page, *sheets)))))
    if opens:
        open_file(output, page)
