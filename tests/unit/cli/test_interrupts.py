"""What Ctrl-C does while a command waits, in a thread that never waits for a lock: Windows would not wake it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import pytest

from invokeai_py_client.cli import interrupts
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.interrupts import attend
from invokeai_py_client.cli.output import Output
from invokeai_py_client.runtime.engine import Engine

T = TypeVar("T")


class Left(BaseException):
    """The process has ended."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "LOOKS_EVERY", 0.005)


@pytest.fixture
def stopped() -> threading.Event:
    return threading.Event()


class Late(Engine):
    """An engine in whose calls Ctrl-C is pressed when the result is there, but not returned yet."""

    def block(self, coro: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine, and press Ctrl-C."""
        super().block(coro)
        raise KeyboardInterrupt


@pytest.fixture(params=[Engine])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine: Engine = request.param()
    yield engine
    engine.close()


async def submit() -> str:
    return "batch"


def pressing(*looks: int) -> Callable[[object], AbstractContextManager[Callable[[], None]]]:
    """Return what opens a display that is interrupted at some of the looks, counted from 1."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count in looks:
            raise KeyboardInterrupt

    return lambda submitted: nullcontext(tick)


def interrupted(submitted: object) -> AbstractContextManager[Callable[[], None]]:
    """Open a display, during which Ctrl-C comes."""
    raise KeyboardInterrupt


def test_work_that_ends_by_itself_is_shown_meanwhile(engine: Engine) -> None:
    looks = threading.Semaphore(0)

    def follow(submitted: str) -> None:
        assert submitted == "batch"
        looks.acquire()
        looks.acquire()

    ended = attend(
        Output("human"), engine, submit, follow=follow, cancel=pytest.fail, showing=lambda _: nullcontext(looks.release)
    )
    assert ended == ("batch", False)


def test_what_the_work_raises_is_raised(engine: Engine) -> None:
    def fail(submitted: str) -> None:
        raise ValueError(submitted)

    async def refuse() -> str:
        raise ValueError("refused")

    with pytest.raises(ValueError, match="batch"):
        attend(Output("human"), engine, submit, follow=fail, cancel=pytest.fail, showing=pressing())
    with pytest.raises(ValueError, match="refused"):
        attend(Output("human"), engine, refuse, follow=pytest.fail, cancel=pytest.fail, showing=pressing())


@pytest.mark.parametrize(
    ("engine", "showing"),
    [(Engine, pressing(2)), (Engine, interrupted), (Late, pressing())],
    indirect=["engine"],
    ids=["while it waits", "while the display opens", "when it has just been submitted"],
)
def test_the_first_ctrl_c_cancels_and_waits_for_the_end(
    engine: Engine,
    showing: Callable[[object], AbstractContextManager[Callable[[], None]]],
    stopped: threading.Event,
    capsys: pytest.CaptureFixture[str],
) -> None:
    canceled: list[str] = []

    def follow(submitted: str) -> None:
        assert stopped.wait(10)
        raise ValueError("it was canceled")

    def cancel(submitted: str) -> None:
        canceled.append(submitted)
        stopped.set()

    ended = attend(Output("human"), engine, submit, follow=follow, cancel=cancel, showing=showing)
    assert ended == ("batch", True)
    assert canceled == ["batch"]
    assert capsys.readouterr().err == "Canceling on the server. Press Ctrl-C again to leave at once.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a signal cannot be sent to a thread")
def test_ctrl_c_during_the_submission_withdraws_it(engine: Engine) -> None:
    withdrawn: list[bool] = []

    async def submit_slowly() -> str:
        try:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            withdrawn.append(True)
            raise
        return ""

    with pytest.raises(KeyboardInterrupt):
        attend(Output("human"), engine, submit_slowly, follow=pytest.fail, cancel=pytest.fail, showing=pressing())
    assert withdrawn == [True]


def test_a_cancel_that_fails_is_an_error(engine: Engine, stopped: threading.Event) -> None:
    def cancel(submitted: str) -> None:
        raise ConnectionError("gone")

    with pytest.raises(Failure, match="could not be canceled on the server: ConnectionError: gone") as caught:
        attend(Output("human"), engine, submit, follow=lambda _: stopped.wait(10), cancel=cancel, showing=pressing(1))
    assert caught.value.code == "interrupted"
    stopped.set()


def test_the_second_ctrl_c_leaves_at_once(
    engine: Engine, stopped: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(exit_code: int) -> None:
        raise Left(exit_code)

    def wait(submitted: str) -> None:
        stopped.wait(10)

    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(Left, match="130"):
        attend(Output("human"), engine, submit, follow=wait, cancel=wait, showing=pressing(1, 3))
    stopped.set()
