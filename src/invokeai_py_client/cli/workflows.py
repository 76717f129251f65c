"""`workflows`: the workflows in the server's library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from invokeai_py_client.cli.commands import Argument, Group
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.output import printable
from invokeai_py_client.cli.session import Session, with_session
from invokeai_py_client.cli.workflow_argument import load, workflow_argument

command = Group("workflows", help="List, show, download, upload and delete the workflows of the server's library.")

_NAME = click.argument("workflow", cls=Argument, help="The name or id of a workflow in the library.")


@command.command("list", example="invokeai-client workflows list --search upscale")
@click.option("--search", metavar="TEXT", help="Only those with this in their name, description or tags.")
@click.option("--category", type=click.Choice(["user", "default"]), help="Those of users, or those of InvokeAI.")
@with_session
def list_workflows(session: Session, search: str | None, category: str | None) -> None:
    """List the workflows of the library."""
    output = session.output
    rows = [
        {"id": one.workflow_id, "name": one.name, "category": one.category, "description": one.description}
        for one in session.client.workflow_repo.list_available_workflows(search, category=category)
    ]
    output.done(
        {"workflows": rows},
        quiet=[row["id"] for row in rows],
        human=lambda: output.table(
            # Descriptions have several lines each; the command show has them.
            ("Name", "Category", "Id"),
            [(row["name"], row["category"], row["id"]) for row in rows],
        ),
    )


@command.command("show", example="invokeai-client workflows show 'Text to Image - SD1.5'")
@workflow_argument
@with_session
def show(session: Session, workflow: str) -> None:
    """Show a workflow of the library, or a file: its description, its node types and its inputs."""
    definition = load(session, workflow)
    wf = session.client.workflow_repo.create_workflow(definition)
    facts: dict[str, Any] = {
        "name": definition.name,
        "description": definition.description,
        "nodes": sorted({node.type for node in definition.nodes.values() if node.kind == "invocation"}),
        "inputs": [entry.label for entry in wf.inputs],
    }
    shown = {**facts, "nodes": ", ".join(facts["nodes"]), "inputs": ", ".join(facts["inputs"])}
    session.output.done(facts, quiet=[definition.name], human=lambda: session.output.facts(shown))


@command.command("pull", example="invokeai-client workflows pull 'Text to Image - SD1.5' --out tiger.json")
@_NAME
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@with_session
def pull(session: Session, workflow: str, out: Path, force: bool) -> None:
    """Save a workflow of the library, by name or id, as the file that the web UI would export."""
    if out.exists() and not force:
        raise Failure("file_error", f"The file {str(out)!r} is there already.", "Pass --force to replace it.")
    path = session.client.workflow_repo.download_workflow(workflow).save(out)
    session.output.done({"file": path}, quiet=[path], human=lambda: session.output.say(str(path)))


@command.command("push", example="invokeai-client workflows push tiger.json --overwrite")
@click.argument(
    "file", cls=Argument, type=click.Path(dir_okay=False, path_type=Path), help="A file that the web UI exported."
)
@click.option("--overwrite", is_flag=True, help="Replace your workflow of the same name, if there is one.")
@with_session
def push(session: Session, file: Path, overwrite: bool) -> None:
    """Put a workflow file into the library, and print its id there."""
    from invokeai_py_client.workflow.document import WorkflowDefinition

    definition = WorkflowDefinition.from_file(file)
    library = session.client.workflow_repo
    if not overwrite and any(one.name == definition.name for one in library.list_available_workflows(category="user")):
        # A second one of that name could not be named any more.
        raise Failure(
            "bad_input", f"The library has a workflow {definition.name!r} already.", "Pass --overwrite to replace it."
        )
    workflow_id = library.upload_workflow(definition, overwrite)
    facts = {"id": workflow_id, "name": definition.name}
    session.output.done(facts, quiet=[workflow_id], human=lambda: session.output.facts(facts))


@command.command("delete", example="invokeai-client workflows delete 8c1f0a52-41a2-4c4c-8a7e-77d9a3c0f3a1 --yes")
@click.argument("workflow_id", cls=Argument, help="The id of the workflow; list shows it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_session
def delete(session: Session, workflow_id: str, yes: bool) -> None:
    """Delete a workflow of your own from the library, by its id."""
    library = session.client.workflow_repo
    # Its document may be one that cannot be read.
    names = {one.workflow_id: one.name for one in library.list_available_workflows()}
    if workflow_id not in names:
        raise Failure("not_found", f"The library has no workflow with the id {workflow_id!r}.", "list shows their ids.")
    name = names[workflow_id]
    session.confirm(f"Delete the workflow {name!r} for good?", yes)
    library.delete_workflow(workflow_id)
    session.output.done(
        {"deleted": {"id": workflow_id, "name": name}},
        quiet=[workflow_id],
        human=lambda: session.output.say(f"deleted {printable(name)}"),
    )
