from __future__ import annotations

import io
import os
import signal
import sys
import types
from collections.abc import Callable

import pytest

from invokeai_py_client.cli.keys import ending_as_interrupted, single_keys, state_of_terminal


class Console(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_windows_keys_come_from_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ["q"]
    library = types.SimpleNamespace(kbhit=lambda: bool(typed), getwch=lambda: typed.pop())
    monkeypatch.setitem(sys.modules, "msvcrt", library)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "stdin", Console())
    with single_keys() as read_key:
        assert read_key(1.0) == "q"
        assert read_key(0.001) == ""


def test_without_a_terminal_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("q"))
    with single_keys() as read_key:
        assert read_key(0.001) == ""


def test_a_signal_to_end_is_taken_for_ctrl_c_and_only_meanwhile() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), ending_as_interrupted():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Ctrl-Z of this kind")
def test_before_a_stop_the_terminal_is_left_in_order_and_entered_again_after_it() -> None:
    told: list[str] = []

    def tells(text: str) -> Callable[[], None]:
        return lambda: told.append(text)

    before = signal.signal(signal.SIGTSTP, lambda *_: told.append("stop"))
    try:
        with (
            state_of_terminal(tells("keys on"), tells("keys off")),
            state_of_terminal(tells("screen on"), tells("screen off")),
        ):
            os.kill(os.getpid(), signal.SIGTSTP)
        entered, left = ["keys on", "screen on"], ["screen off", "keys off"]
        assert told == [*entered, *left, "stop", *entered, *left]
        os.kill(os.getpid(), signal.SIGTSTP)
        assert told[9:] == ["stop"]
    finally:
        signal.signal(signal.SIGTSTP, before)
