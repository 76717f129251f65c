"""`logout`: forget the token of a server."""

from __future__ import annotations

import click

from invokeai_py_client.cli.commands import Command
from invokeai_py_client.cli.session import Session, with_session
from invokeai_py_client.cli.tokens import read_token, store_token


@click.command(
    "logout",
    cls=Command,
    help="Forget the token that login has stored for the server.",
    example="invokeai-client logout --url http://127.0.0.1:9090",
)
@with_session
def command(session: Session) -> None:
    """Forget a token."""
    url = session.settings.url
    was_there = read_token(url) is not None
    store_token(url, None)
    session.output.done(
        {"url": url, "forgotten": was_there},
        quiet=[url],
        human=lambda: session.output.say("The token is forgotten." if was_there else "There was no token."),
    )
