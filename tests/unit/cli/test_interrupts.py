"""What Ctrl-C does while a command waits, in a thread that never waits for a lock: Windows would not wake it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest

from invokeai_py_client.cli import interrupts
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.interrupts import attend
from invokeai_py_client.cli.output import Output


class Left(BaseException):
    """The process has ended."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "LOOKS_EVERY", 0.005)


@pytest.fixture
def stopped() -> threading.Event:
    return threading.Event()


def pressing(*looks: int) -> Callable[[], AbstractContextManager[Callable[[], None]]]:
    """Return what opens a display that is interrupted at some of the looks, counted from 1."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count in looks:
            raise KeyboardInterrupt

    return lambda: nullcontext(tick)


def interrupted() -> AbstractContextManager[Callable[[], None]]:
    """Open a display, during which Ctrl-C comes."""
    raise KeyboardInterrupt


def test_work_that_ends_by_itself_is_shown_meanwhile() -> None:
    looks = threading.Semaphore(0)
    looked = [looks.acquire, looks.acquire]
    assert (
        attend(
            Output("human"),
            lambda: [one() for one in looked],
            cancel=pytest.fail,
            showing=lambda: nullcontext(looks.release),
        )
        is False
    )


def test_what_the_work_raises_is_raised() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        attend(Output("human"), fail, cancel=pytest.fail, showing=pressing())


@pytest.mark.parametrize("showing", [pressing(2), interrupted])
def test_the_first_ctrl_c_cancels_and_waits_for_the_end(
    showing: Callable[[], AbstractContextManager[Callable[[], None]]],
    stopped: threading.Event,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work() -> None:
        assert stopped.wait(10)
        raise ValueError("it was canceled")

    assert attend(Output("human"), work, cancel=stopped.set, showing=showing) is True
    assert capsys.readouterr().err == "Canceling on the server. Press Ctrl-C again to leave at once.\n"


def test_a_cancel_that_fails_is_an_error(stopped: threading.Event) -> None:
    def cancel() -> None:
        raise ConnectionError("gone")

    with pytest.raises(Failure, match="could not be canceled on the server: ConnectionError: gone") as caught:
        attend(Output("human"), lambda: stopped.wait(10), cancel=cancel, showing=pressing(1))
    assert caught.value.code == "interrupted"
    stopped.set()


def test_the_second_ctrl_c_leaves_at_once(stopped: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(exit_code: int) -> None:
        raise Left(exit_code)

    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(Left, match="130"):
        attend(Output("human"), lambda: stopped.wait(10), cancel=lambda: stopped.wait(10), showing=pressing(1, 3))
    stopped.set()
