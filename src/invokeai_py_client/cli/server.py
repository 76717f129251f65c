"""`server`: how the server is."""

from __future__ import annotations

import click

from invokeai_py_client.cli.commands import Group
from invokeai_py_client.cli.session import Session, with_session

command = Group("server", help="Ask how the server is.")


@command.command("status", example="invokeai-client server status --url http://127.0.0.1:9090")
@click.option("--wait", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Wait until it is ready.")
@with_session
def status(session: Session, wait: float | None) -> None:
    """Show whether the server can be reached and used, and its version.

    The exit code is 3 if it cannot be reached, and 4 if it wants a token.
    """
    if wait is not None:
        session.unchecked_client.wait_until_ready(wait)
    client = session.client
    health = client.health_check()
    if health.error is not None:
        raise health.error
    facts = {
        "url": client.settings.url,
        "version": health.version,
        "latency": health.latency,
        "is_paused": health.is_processing_started is False,
    }
    session.output.done(facts, quiet=[health.version], human=lambda: session.output.facts(facts))
