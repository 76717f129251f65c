"""`check`: what keeps a workflow from running on this server."""

from __future__ import annotations

from typing import Any

import click

from invokeai_py_client.cli.commands import Command
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.output import printable
from invokeai_py_client.cli.session import Session, with_session
from invokeai_py_client.cli.workflow_argument import load, node_name, set_inputs, set_option, workflow_argument


@click.command(
    "check",
    cls=Command,
    help="""Check whether a workflow would run on the server, and list what is missing: node types, models, images,
boards, values. Nothing is submitted or uploaded. The exit code is 1 if something is missing.""",
    example="invokeai-client check workflow.json",
)
@workflow_argument
@set_option
@with_session
def command(session: Session, workflow: str, assignments: tuple[str, ...]) -> None:
    """Check a workflow."""
    output = session.output
    definition = load(session, workflow)
    wf = session.client.workflow_repo.create_workflow(definition)
    binding = wf.sync_dnn_model()
    set_inputs(wf, assignments)
    problems: list[dict[str, Any]] = []
    for key, reasons in wf.validate_inputs().items():
        place = key if isinstance(key, str | tuple) else (wf.inputs[key].node_id, wf.inputs[key].field_name)
        label = wf.inputs[key].label if isinstance(key, int) else ""
        problems += [{"label": label, "node": place[0], "field": place[1], "why": why} for why in reasons]
    if problems:
        for problem in problems if output.format != "json" else ():
            node = node_name(wf.inputs, problem["node"])
            where = ".".join(filter(None, (node, problem["field"])))
            where = f"{problem['label']} ({where})" if problem["label"] else where
            output.sentence(f"{where}: {problem['why']}" if where else problem["why"], indent=2)
        count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
        raise Failure("check_failed", f"The workflow would not run here: {count}.", details={"problems": problems})
    renamed = [str(change) for change in binding.renamed]
    output.done(
        {"workflow": wf.definition.name, "renamed_models": renamed},
        human=lambda: output.say("\n".join(["The workflow can run.", *map(printable, renamed)])),
    )
