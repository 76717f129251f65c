"""`login`: a token of a multi-user server, stored for the commands that follow."""

from __future__ import annotations

import sys

import click

from invokeai_py_client.cli.commands import Command
from invokeai_py_client.cli.failures import Failure, failure_of
from invokeai_py_client.cli.session import Session, with_session
from invokeai_py_client.cli.tokens import store_token, tokens_path


@click.command(
    "login",
    cls=Command,
    help="Log in to a multi-user server, and store its token for the commands that follow.\n\n"
    "The token is stored beside the configuration file, in a file that only you can read. The password is asked for, "
    "or read from stdin if that is not a terminal.",
    example="invokeai-client login --email ann@example.org",
)
@click.option("--email", required=True, metavar="EMAIL", help="Email address of the user.")
@click.option("--remember", is_flag=True, help="Ask for a token that lives for a week instead of a day.")
@with_session
def command(session: Session, email: str, remember: bool) -> None:
    """Log in to a server."""
    from invokeai_py_client.errors import ForbiddenError
    from invokeai_py_client.secret import Secret

    # Before a password is asked for, which would be in vain.
    client = session.client
    if sys.stdin.isatty():
        password = Secret.of(click.prompt("Password", hide_input=True, err=True))
    else:
        password = Secret.of(sys.stdin.readline().rstrip("\r\n"))
    body = {"email": email, "password": password.reveal(), "remember_me": remember}
    try:
        token = client.request("POST", "/api/v1/auth/login", json=body).json().get("token")
    except ForbiddenError as error:
        raise Failure("forbidden", failure_of(error).message, "Without users, no login is needed.") from error
    if not isinstance(token, str):
        raise Failure("server_error", "The server has sent no token.", "Is it in multi-user mode?")
    store_token(client.settings.url, token)
    facts = {"url": client.settings.url, "email": email, "stored_in": tokens_path()}
    session.output.done(facts, quiet=[tokens_path()], human=lambda: session.output.facts(facts))
