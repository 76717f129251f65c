"""What a command works with: the client of the chosen server, and the output."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from invokeai_py_client.cli.commands import GlobalOptions, options_of
from invokeai_py_client.cli.config import Profile, read_profile
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.output import Output
from invokeai_py_client.cli.tokens import read_token

if TYPE_CHECKING:
    from invokeai_py_client.client import InvokeAIClient
    from invokeai_py_client.fleet.server import Server
    from invokeai_py_client.settings import Settings

_PROBE_TIMEOUT = 11.0
"""Seconds to connect and respond: more than a connection may take, so that one that fails is told from a response that
is late."""

P = ParamSpec("P")
T = TypeVar("T")


class Session:
    """One use of a command.

    Args:
        options: the global options.
        is_quick: wait ten seconds at most for the server, try once, and print no warnings.
    """

    def __init__(self, options: GlobalOptions, *, is_quick: bool = False) -> None:
        self._options = options
        self._is_quick = is_quick
        self._exits = ExitStack()
        self.board: str | None = None
        """The default board, if the command takes one."""
        self.output = Output(options.format, no_color=bool(options.no_color))

    @cached_property
    def profile(self) -> Profile:
        """What the configuration file says."""
        return read_profile(self._options.profile)

    @cached_property
    def settings(self) -> Settings:
        """The server's address and token, from what is nearest to the user.

        That is an option, a profile that is named, the environment, the default profile, and last the server that
        `server start` left running.
        """
        return self._settings()

    @property
    def named_url(self) -> str | None:
        """The address that `--url` or `--profile` names; None if neither was given."""
        return self.settings.url if self._options.url or self._options.profile else None

    @cached_property
    def client(self) -> InvokeAIClient:
        """The client, once an InvokeAI server has been found to accept connections. It is closed with the command.

        The client itself retries a refused connection for seconds, for programs that start together with their server.
        The user of a command is to be told at once.

        Raises:
            TransportError: no connection could be made, or what responds is not an InvokeAI server.
        """
        if not self._is_quick:
            self._check_connection()
        return self.unchecked_client

    @cached_property
    def unchecked_client(self) -> InvokeAIClient:
        """The client, whether or not the server can be reached."""
        from invokeai_py_client.client import InvokeAIClient

        return self._exits.enter_context(InvokeAIClient(self.settings))

    def take_warnings(self) -> None:
        """Print the package's warnings as notes, until the session is closed; a quick session prints none.

        With `--verbose`, all that is logged is printed anyway.
        """
        import logging

        logger, note = logging.getLogger("invokeai_py_client"), self.output.note
        if logger.handlers:
            return

        class Notes(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                # What was raised or returned, too, is told by the command itself.
                if not getattr(record, "is_known", False):
                    note(f"warning: {record.getMessage()}")

        handler = logging.NullHandler() if self._is_quick else Notes(logging.WARNING)
        logger.addHandler(handler)
        self._exits.callback(logger.removeHandler, handler)

    def _check_connection(self) -> None:
        from invokeai_py_client.client import InvokeAIClient
        from invokeai_py_client.errors import InvokeAIError, NotInvokeAIError, TransportError

        # A server that is only slow to respond is left to the command itself, and its longer timeout.
        settings = self._settings(retries=0, timeout=_PROBE_TIMEOUT)
        with InvokeAIClient(settings) as probe:
            try:
                probe.app.get_version()
            except NotInvokeAIError:
                # What the command asks for is only missing there, and its own error would be misleading.
                raise
            except TransportError as error:
                if not error.sent:
                    raise
            except InvokeAIError:
                # The command meets it itself, and knows what it was doing.
                pass

    def _settings(self, **more: Any) -> Settings:
        from invokeai_py_client.secret import Secret
        from invokeai_py_client.settings import DEFAULT_URL, URL_VARIABLE, Settings

        options, profile = self._options, self.profile
        settings: dict[str, Any] = {"default_board": self.board or profile.board, **more}
        if self._is_quick:
            settings |= {"timeout": 10.0, "connect_timeout": 1.0, "retries": 0}
        environment = None if options.profile else os.environ.get(URL_VARIABLE)
        url = options.url or (None if environment else profile.url)
        if url is None and not environment:
            url = _url_of_local_server()
        if url is not None:
            settings["url"] = url
        token = options.token
        if token is None and profile.token is not None and settings.get("url", DEFAULT_URL) == profile.url:
            token = profile.token
        if token is not None:
            settings["token"] = Secret.of(token)
        chosen = Settings.from_environment(**settings)
        if chosen.token is None and chosen.email is None and (stored := read_token(chosen.url)) is not None:
            chosen = Settings.from_environment(**{**settings, "url": chosen.url, "token": Secret.of(stored)})
        return chosen

    def refuse_server_options(self, option: str) -> None:
        """Refuse the options that choose a server, where another option does.

        Args:
            option: that option.

        Raises:
            Failure: one of them was given.
        """
        for name in ("url", "token", "profile"):
            if getattr(self._options, name) is not None:
                raise Failure("usage", f"{option} and --{name} exclude each other.", "Leave out one of them.")

    def use_server(self, server: Server) -> None:
        """Use a server of a fleet, as if options had named it."""
        self._options.url = server.url
        self._options.token = None if server.token is None else server.token.reveal()

    def confirm(self, question: str, yes: bool) -> None:
        """Ask whether to go on.

        Args:
            question: ends with a question mark.
            yes: the option `--yes`.

        Raises:
            Failure: nobody can be asked, or the answer is no.
        """
        if yes:
            return
        if not self.output.can_ask:
            raise Failure("needs_yes", question, "Pass --yes to answer it; there is no terminal to ask on.")
        if not click.confirm(question, err=True):
            raise Failure("declined", "Nothing was done.")

    def close(self) -> None:
        """Close the client."""
        self._exits.close()


def _url_of_local_server() -> str | None:
    """Return the address of the server that was started on this machine, if exactly one is running."""
    from invokeai_py_client.local.running import running_servers

    urls = [server.url for server in running_servers()]
    return urls[0] if len(urls) == 1 else None


def with_session(function: Callable[Concatenate[Session, P], T]) -> Callable[P, T]:
    """Give a command a session, which is closed when the command ends."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        ctx = click.get_current_context()
        session = Session(options_of(ctx))
        ctx.call_on_close(session.close)
        session.take_warnings()
        return function(session, *args, **kwargs)

    return call
