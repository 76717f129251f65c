"""Ctrl-C while a command waits for what it has submitted: the first one cancels it, the second one leaves at once."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeVar

from invokeai_py_client.cli.failures import INTERRUPTED, Failure, failure_of
from invokeai_py_client.cli.output import Output
from invokeai_py_client.runtime.engine import Engine

T = TypeVar("T")

LOOKS_EVERY = 0.1
"""Seconds between two looks at the work. A thread that waits for a lock would not notice Ctrl-C on Windows."""


def attend(
    output: Output,
    engine: Engine,
    submit: Callable[[], Awaitable[T]],
    *,
    follow: Callable[[T], object],
    cancel: Callable[[T], object],
    showing: Callable[[T], AbstractContextManager[Callable[[], None]]],
) -> tuple[T, bool]:
    """Submit something, and wait for it in a thread.

    Ctrl-C cancels what was submitted, whenever it comes. During the submission, it withdraws that.

    Args:
        output: tells what Ctrl-C does.
        engine: runs the submission.
        submit: submits something, and returns it. It withdraws that if it is cancelled.
        follow: waits for what was submitted. It ends soon after `cancel`.
        cancel: asks the server to cancel what was submitted.
        showing: opens a display. What it yields is called several times a second, to show how far the work is.

    Returns:
        What was submitted, and whether Ctrl-C has ended it, so that it is canceled.

    Raises:
        Failure: after Ctrl-C, `cancel` has failed.
        KeyboardInterrupt: Ctrl-C came before anything was submitted.
        Exception: what `submit` or `follow` has raised.
    """
    submitted: list[T] = []

    async def submit_on_engine() -> None:
        # Kept here, because Ctrl-C may come when it is submitted and this thread does not have it yet.
        submitted.append(await submit())

    following: Future[Any] | None = None
    tick = _nothing
    with contextlib.ExitStack() as display:
        try:
            engine.block(submit_on_engine())
            following = _begun(partial(follow, submitted[0]))
            tick = display.enter_context(showing(submitted[0]))
            _watch(following, tick)
        except KeyboardInterrupt:
            if not submitted:
                raise
            output.note("Canceling on the server. Press Ctrl-C again to leave at once.")
        else:
            following.result()
            return submitted[0], False
        try:
            canceling = _begun(partial(cancel, submitted[0]))
            _watch(canceling, tick)
            if error := canceling.exception():
                raise Failure(
                    "interrupted",
                    f"What was begun could not be canceled on the server: {failure_of(error).message}",
                    "Once the server is back, cancel it with: invokeai-client jobs cancel.",
                ) from error
            # However it ends, it was interrupted.
            _watch(following or _begun(partial(follow, submitted[0])), tick)
        except KeyboardInterrupt:
            sys.stdout.flush()
            # Not `sys.exit`, which would wait for what is under way.
            os._exit(INTERRUPTED)
    return submitted[0], True


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
