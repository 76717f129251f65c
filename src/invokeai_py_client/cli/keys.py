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

        try:
            enter()
            with left_while_stopped(leave, enter):
                yield _posix_key
        finally:
            leave()


@contextlib.contextmanager
def left_while_stopped(leave: Callable[[], object], enter: Callable[[], object]) -> Iterator[None]:
    """On Ctrl-Z, leave a state of the terminal before the process stops, and enter it again once it goes on.

    Of several states, the one that was entered last is left first.
    """
    outer = None if sys.platform == "win32" else signal.getsignal(signal.SIGTSTP)
    if outer is None or outer is signal.SIG_IGN:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        leave()
        try:
            if callable(outer):
                outer(number, frame)
            else:
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)
                # The process was stopped there, and goes on.
                signal.signal(number, stop)
        finally:
            enter()

    signal.signal(signal.SIGTSTP, stop)
    try:
        yield
    finally:
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
