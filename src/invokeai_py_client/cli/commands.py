"""Commands and groups that take the global options, name close matches, and show an example in their help."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

FORMATS = ("auto", "human", "json", "quiet")

PROGRAM = "invokeai-client"

COMPLETE_VARIABLE = "_INVOKEAI_CLIENT_COMPLETE"
"""The environment variable with which a shell asks for completions."""

_WHOLE = 1_000
"""More characters than the first sentence of a command's help has."""


@dataclass
class GlobalOptions:
    """The options that every command takes, before or after its name; None where one is not given."""

    url: str | None = None
    token: str | None = None
    profile: str | None = None
    format: str | None = None
    verbose: bool | None = None
    no_color: bool | None = None


def options_of(ctx: click.Context) -> GlobalOptions:
    """Return the global options that were given so far."""
    return ctx.find_root().ensure_object(GlobalOptions)


def _store(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None and param.name is not None:
        setattr(options_of(ctx), param.name, value)


class GlobalOption(click.Option):
    """One of the options that every command takes."""

    def __init__(self, *names: str, **attributes: Any) -> None:
        super().__init__(names, expose_value=False, callback=_store, default=None, **attributes)


class Argument(click.Argument):
    """An argument with a help text. Older versions of click have none."""

    def __init__(self, *args: Any, help: str, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.text = help

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Return the argument's line in the help."""
        return self.human_readable_name, self.text


def named_or_on_stdin(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of a command line, each once; `-` stands for the lines of stdin."""
    if ctx.resilient_parsing:
        # A shell asks for completions, and stdin is its terminal.
        return names
    return tuple(
        dict.fromkeys(
            one for name in names for one in ((line.strip() for line in sys.stdin) if name == "-" else (name,)) if one
        )
    )


def _global_options() -> list[click.Parameter]:
    return [
        GlobalOption(
            "--url",
            metavar="URL",
            help="Address of the server. Else INVOKEAI_URL, the profile, the server started here, or port 9090.",
        ),
        GlobalOption("--token", metavar="TOKEN", help="Token of a multi-user server. INVOKEAI_TOKEN is safer."),
        GlobalOption("--profile", metavar="NAME", help="Profile of the configuration file."),
        GlobalOption(
            "--format",
            type=click.Choice(FORMATS),
            help="auto is human on a terminal and json elsewhere; quiet prints ids or paths only.",
        ),
        GlobalOption("--verbose", is_flag=True, flag_value=True, help="Log requests, and show tracebacks of errors."),
        GlobalOption("--no-color", is_flag=True, flag_value=True, help="Use no colours, as with NO_COLOR."),
    ]


class _Common(click.Command):
    """What commands and groups have in common."""

    def __init__(self, *args: Any, example: str = "", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.example = example
        self.params += _global_options()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments, the command's own options, and the global ones."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], "Global options": []}
        for param in self.get_params(ctx):
            is_option = isinstance(param, click.Option)
            title = "Global options" if isinstance(param, GlobalOption) else "Options" if is_option else "Arguments"
            record = param.get_help_record(ctx)
            if record is not None and (is_option or record[1]):
                sections[title].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        if self.example:
            with formatter.section("Example"):
                for line in self.example.splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class Command(_Common):
    """A command with the global options and an example."""


class MissingCommand(Exception):
    """Only the name of a group was given."""

    def __init__(self, group: click.Context, names: Sequence[str]) -> None:
        super().__init__(group.command_path)
        self.group = group
        self.names = names


class Group(_Common, click.Group):
    """A group of commands."""

    command_class = Command

    def __init__(self, *args: Any, **attributes: Any) -> None:
        attributes |= {"subcommand_metavar": "COMMAND [ARGS]...", "no_args_is_help": False}
        super().__init__(*args, invoke_without_command=True, **attributes)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is named.

        Raises:
            MissingCommand: none is.
        """
        result = super().invoke(ctx)
        if ctx.invoked_subcommand is None:
            raise MissingCommand(ctx, self.list_commands(ctx))
        return result

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands first, as there is nothing to be done without one."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first sentence of each command's help, whole."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(_WHOLE)) for name, one in commands if one is not None])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; name the nearest one if there is none."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            import difflib

            names = self.list_commands(ctx)
            near = difflib.get_close_matches(args[0], names, n=1)
            ending = f"Did you mean {near[0]!r}?" if near else f"Commands: {', '.join(names)}."
            ctx.fail(f"There is no command {args[0]!r}. {ending}")
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """A group that imports the module of a command when the command is used.

    Args:
        modules: (module, short help) of each command. The module has the command as `command`.
    """

    def __init__(self, *args: Any, modules: Mapping[str, tuple[str, str]], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order in which help lists them."""
        return [*self._modules]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self._modules:
            return None
        command: click.Command = importlib.import_module(self._modules[cmd_name][0]).command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the commands, without an import, and the options."""
        from click.shell_completion import CompletionItem

        commands = [
            CompletionItem(name, help=text) for name, (_, text) in self._modules.items() if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the short helps, without an import."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._modules.items()])


def walk(command: click.Command, ctx: click.Context, path: Sequence[str] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield (name with the names of its groups, command) for a command, or for all in a group."""
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            assert found is not None
            yield from walk(found, ctx, (*path, name))
    else:
        yield " ".join(path), command
