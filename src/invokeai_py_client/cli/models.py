"""`models`: the models of the server."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli import completion
from invokeai_py_client.cli.commands import Argument, Group
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.keys import state_of_terminal
from invokeai_py_client.cli.output import printable
from invokeai_py_client.cli.session import Session, with_session

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.models import InstallJobRecord, ModelRecord

command = Group("models", help="List, show, install and delete the models of the server.")

_MODEL = click.argument(
    "model", cls=Argument, shell_complete=completion.models, help="The key, hash or name of an installed model."
)


@command.command("list", example="invokeai-client models list --type main --base sd-1")
@click.option("--type", "kind", metavar="TYPE", help="Only models of this type, such as main or lora.")
@click.option("--base", metavar="BASE", help="Only models of this base, such as sd-1 or sdxl.")
@with_session
def list_models(session: Session, kind: str | None, base: str | None) -> None:
    """List the installed models."""
    output = session.output
    rows = [_row(model) for model in session.client.models.list_models(type=kind, base=base)]
    output.done(
        {"models": rows},
        quiet=[row["key"] for row in rows],
        human=lambda: output.table(
            ("Name", "Base", "Type", "Format", "Key"),
            [(row["name"], row["base"], row["type"], row["format"], row["key"]) for row in rows],
        ),
    )


@command.command("show", example="invokeai-client models show dreamshaper")
@_MODEL
@with_session
def show(session: Session, model: str) -> None:
    """Show a model, by key, hash or name."""
    record = session.client.models.resolve(model)
    row = {**_row(record), "hash": record.hash, "source": record.get("source"), "path": record.get("path")}
    session.output.done(row, quiet=[row["key"]], human=lambda: session.output.facts(row))


@command.command("install", example="invokeai-client models install stabilityai/sd-turbo")
@click.argument(
    "source", cls=Argument, help="A path on the server's machine, a URL, or a repository of Hugging Face, owner/name."
)
@click.option("--inplace", is_flag=True, help="Leave a local file or folder where it is.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds to wait.")
@click.option("--no-wait", is_flag=True, help="Return when the server has begun, and print the job's id.")
@with_session
def install(session: Session, source: str, inplace: bool, timeout: float | None, no_wait: bool) -> None:
    """Install a model, and wait until it is installed.

    If the wait ends, by --timeout or Ctrl-C, the installation goes on.
    """
    output = session.output
    job = session.client.models.install_model(source, inplace=inplace or None)
    if no_wait:
        facts = {"job_id": job.job_id, "status": job.status}
        output.done(facts, quiet=[job.job_id], human=lambda: output.facts(facts))
        return
    try:
        with _progress(session) as show_progress:
            row = _row(job.wait_until(timeout, progress_callback=show_progress))
    except KeyboardInterrupt as error:
        what = f"The installation of {source!r} goes on as job {job.job_id}."
        raise Failure(
            "interrupted", what, "The command models list shows when it is done.", {"job_id": job.job_id}
        ) from error
    output.done(row, quiet=[row["key"]], human=lambda: output.facts(row))


@command.command("delete", example="invokeai-client models delete dreamshaper --yes")
@_MODEL
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_session
def delete(session: Session, model: str, yes: bool) -> None:
    """Delete a model, by key, hash or name, and its files if the server keeps them in its own folder."""
    row = _row(session.client.models.resolve(model))
    session.confirm(f"Delete the model {row['name']!r} ({row['base']} {row['type']}) for good?", yes)
    session.client.models.delete_model(row["key"])
    session.output.done(
        {"deleted": row}, quiet=[row["key"]], human=lambda: session.output.say(f"deleted {printable(row['name'])}")
    )


def _row(model: ModelRecord) -> dict[str, Any]:
    return {
        "key": model.key,
        "name": model.name,
        "base": model.base,
        "type": model.type,
        "format": model.get("format"),
    }


@contextlib.contextmanager
def _progress(session: Session) -> Iterator[Any]:
    if not session.output.is_live:
        yield None
        return
    from rich.progress import Progress

    bar = Progress(console=session.output.console(sys.stderr), transient=True)
    with state_of_terminal(bar.start, bar.stop):
        task = bar.add_task("waiting", total=None)

        def show_progress(job: InstallJobRecord) -> None:
            bar.update(task, description=job.status, completed=job.bytes, total=job.total_bytes or None)

        yield show_progress
