"""Ctrl-C while a command waits: the first one cancels what was begun on the server, the second one leaves at once."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from typing import Any

from invokeai_py_client.cli.failures import INTERRUPTED, Failure, failure_of
from invokeai_py_client.cli.output import Output

LOOKS_EVERY = 0.1
"""Seconds between two looks at the work. A thread that waits for a lock would not notice Ctrl-C on Windows."""


def attend(
    output: Output,
    work: Callable[[], Any],
    *,
    cancel: Callable[[], object],
    showing: Callable[[], AbstractContextManager[Callable[[], None]]],
) -> bool:
    """Do work in a thread, and wait for it.

    Called as soon as there is something to cancel: until then, Ctrl-C only ends the command.

    Args:
        output: tells what Ctrl-C does.
        work: what is waited for. It ends soon after `cancel`.
        cancel: asks the server to cancel what was begun.
        showing: opens a display. What it yields is called several times a second, to show how far the work is.

    Returns:
        Whether Ctrl-C has ended it, and what was begun is canceled.

    Raises:
        Failure: after Ctrl-C, `cancel` has failed.
        Exception: what `work` has raised.
    """
    working, tick = _begun(work), _nothing
    with contextlib.ExitStack() as display:
        try:
            tick = display.enter_context(showing())
            _watch(working, tick)
        except KeyboardInterrupt:
            output.note("Canceling on the server. Press Ctrl-C again to leave at once.")
        else:
            working.result()
            return False
        try:
            canceling = _begun(cancel)
            _watch(canceling, tick)
            if error := canceling.exception():
                raise Failure(
                    "interrupted",
                    f"What was begun could not be canceled on the server: {failure_of(error).message}",
                    "Once the server is back, cancel it with: invokeai-client jobs cancel.",
                ) from error
            # However it ends, it was interrupted.
            _watch(working, tick)
        except KeyboardInterrupt:
            sys.stdout.flush()
            # Not `sys.exit`, which would wait for what is under way.
            os._exit(INTERRUPTED)
    return True


def _nothing() -> None:
    """Show nothing."""


def _watch(future: Future[Any], tick: Callable[[], None]) -> None:
    while not wait([future], LOOKS_EVERY).done:
        tick()


def _begun(work: Callable[[], Any]) -> Future[Any]:
    future: Future[Any] = Future()

    def do() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=do, daemon=True).start()
    return future
