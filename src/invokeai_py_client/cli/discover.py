"""`discover`: the contract of the command line, for scripts and agents."""

from __future__ import annotations

from typing import Any

import click

from invokeai_py_client import __version__
from invokeai_py_client.cli.commands import FORMATS, Argument, Command, GlobalOption, walk
from invokeai_py_client.cli.failures import CODES, EXIT_CODES
from invokeai_py_client.cli.session import Session, with_session


@click.command(
    "discover",
    cls=Command,
    help="Describe all commands with their arguments and options, the error codes and the exit codes.",
    example="invokeai-client discover --json",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@with_session
def command(session: Session, as_json: bool) -> None:
    """Describe the command line."""
    ctx = click.get_current_context().find_root()
    commands = {name: _described(one) for name, one in walk(ctx.command, ctx)}
    data = {
        "version": __version__,
        "formats": [*FORMATS],
        "commands": commands,
        "global_options": [_parameter(one) for one in ctx.command.params if isinstance(one, GlobalOption)],
        "error_codes": {code: {"exit_code": number, "meaning": text} for code, (number, text) in CODES.items()},
        "exit_codes": {str(number): text for number, text in EXIT_CODES.items()},
    }
    output = session.output
    if as_json:
        output.format = "json"
    output.done(
        data,
        quiet=commands,
        human=lambda: output.table(
            ("Command", "What it does"), [(name, one["help"]) for name, one in commands.items()]
        ),
    )


def _described(command: click.Command) -> dict[str, Any]:
    own = [one for one in command.params if not isinstance(one, GlobalOption)]
    return {
        "help": (command.help or "").partition("\n\n")[0].replace("\n", " ").strip(),
        "arguments": [_parameter(one) for one in own if isinstance(one, click.Argument)],
        "options": [_parameter(one) for one in own if isinstance(one, click.Option)],
    }


def _parameter(one: click.Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": one.name,
        "type": one.type.name,
        "required": one.required,
        "multiple": one.nargs == -1 or getattr(one, "multiple", False),
    }
    if isinstance(one, click.Option):
        found |= {"flags": [*one.opts, *one.secondary_opts], "is_flag": one.is_flag, "help": one.help}
    elif isinstance(one, Argument):
        found["help"] = one.text
    if isinstance(one.type, click.Choice):
        found["choices"] = [*one.type.choices]
    return found
