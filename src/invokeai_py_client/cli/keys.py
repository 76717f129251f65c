"""Single keys of a terminal, and an end or a stop that leaves the terminal as it was."""

from __future__ import annotations

import contextlib
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType

KeyReader = Callable[[float], str]
"""Waits for a key for some seconds, and returns it; an empty text if none came."""


@contextlib.contextmanager
def single_keys() -> Iterator[KeyReader]:
    """Read keys without waiting for Enter and without showing them; none at all where stdin is not a terminal."""
    if not sys.stdin.isatty():
        yield _no_key
    elif sys.platform == "win32":
        yield _windows_key
    else:
        import termios
        import tty

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)

        def enter() -> None:
            # Ctrl-C is still a signal.
            tty.setcbreak(descriptor)

        def leave() -> None:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

        with state_of_terminal(enter, leave):
            yield _posix_key


@contextlib.contextmanager
def state_of_terminal(enter: Callable[[], object], leave: Callable[[], object]) -> Iterator[None]:
    """Enter a state of the terminal, such as the whole screen. Leave it at the end, and while Ctrl-Z stops the process.

    Both functions may be called where there is nothing to do. Of several states, the one that was entered last is left
    first.
    """
    outer = None if sys.platform == "win32" else signal.getsignal(signal.SIGTSTP)
    can_be_stopped = outer is not None and outer is not signal.SIG_IGN
    is_entered = True

    def stop(number: int, frame: FrameType | None) -> None:
        was_entered = is_entered
        if was_entered:
            leave()
        if callable(outer):
            outer(number, frame)
        else:
            handler = signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
            # The process was stopped there, and goes on.
            signal.signal(number, handler)
        if was_entered:
            enter()

    if can_be_stopped:
        signal.signal(signal.SIGTSTP, stop)
    try:
        enter()
        yield
    finally:
        is_entered = False
        leave()
        if can_be_stopped:
            signal.signal(signal.SIGTSTP, outer)


@contextlib.contextmanager
def ending_as_interrupted() -> Iterator[None]:
    """Take SIGTERM and the end of the terminal for Ctrl-C, so that what is under way is ended in order."""
    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _no_key(seconds: float) -> str:
    time.sleep(seconds)
    return ""


def _posix_key(seconds: float) -> str:
    import os

    if not select.select([sys.stdin], [], [], seconds)[0]:
        return ""
    key = os.read(sys.stdin.fileno(), 1)
    if not key:
        # The other end of the terminal is gone.
        raise KeyboardInterrupt
    return key.decode("utf-8", "replace")


def _windows_key(seconds: float) -> str:
    import msvcrt

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if msvcrt.kbhit():  # type: ignore[attr-defined,unused-ignore]
            return str(msvcrt.getwch())  # type: ignore[attr-defined,unused-ignore]
        time.sleep(0.05)
    return ""
