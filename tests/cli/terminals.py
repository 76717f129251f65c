"""A program in a terminal of its own, as tests see it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import PROGRAM

CTRL_C = "\x03"
SIXEL_QUERY, _SIXEL_ANSWER = "\x1b[c", "\x1b[?62;4c"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _takes_the_terminal() -> None:
    # Shells control jobs only on a terminal of their own.
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A program in a terminal of its own."""

    def __init__(
        self, command: list[str], environment: dict[str, str], *, folder: Path | None = None, has_sixel: bool = False
    ) -> None:
        self._has_sixel = has_sixel
        self._ours, theirs = pty.openpty()
        self.resize(80, 24)
        self.modes = termios.tcgetattr(theirs)
        self.program = subprocess.Popen(
            command,
            cwd=folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
            preexec_fn=_takes_the_terminal,
        )
        os.close(theirs)
        self.raw = ""

    @property
    def text(self) -> str:
        """What was shown so far, without control sequences."""
        return ESCAPES.sub("", self.raw).replace("\r", "\n")

    @property
    def frame(self) -> list[str]:
        """The lines of what was drawn on the whole screen, but for the newest drawing, which may be incomplete."""
        frames = self.raw.split("\x1b[H")
        return ESCAPES.sub("", frames[-2]).replace("\r", "").split("\n") if len(frames) > 2 else []

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size, as whoever drags its window does."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 10 * columns, 20 * lines))

    def read_until_frame(self, wanted: str, seconds: float = 30) -> list[str]:
        """Read until the screen shows something, and return its lines."""
        self.read_while(lambda: not re.search(wanted, "\n".join(self.frame)), seconds)
        return self.frame

    def has_its_modes_back(self) -> bool:
        """Whether the terminal shows what is typed, and reads line by line, as it did before the program."""
        return termios.tcgetattr(self._ours) == self.modes

    def read_until(self, wanted: str, seconds: float = 30) -> None:
        """Read until the program has shown something."""
        self.read_while(lambda: not re.search(wanted, self.text), seconds)

    def read_while(self, is_missing: Callable[[], bool], seconds: float = 30) -> None:
        """Read for as long as something is missing, be it on the screen or elsewhere."""
        deadline = time.monotonic() + seconds
        while is_missing():
            left = deadline - time.monotonic()
            assert left > 0, self.text
            if select.select([self._ours], [], [], min(left, 0.1))[0]:
                more = self._read()
                assert more, self.text
                self.raw += more
                if self._has_sixel and SIXEL_QUERY in more:
                    self.type(_SIXEL_ANSWER)

    def end(self, seconds: float = 30) -> int:
        """Wait until the program has ended, and read the rest."""
        exit_code = self.program.wait(seconds)
        while select.select([self._ours], [], [], 0)[0] and (more := self._read()):
            self.raw += more
        return exit_code

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def close(self) -> None:
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        os.close(self._ours)

    def _read(self) -> str:
        try:
            return os.read(self._ours, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            return ""


TerminalMaker = Callable[..., Terminal]


@pytest.fixture
def terminal(environment: dict[str, str]) -> Iterator[TerminalMaker]:
    opened: list[Terminal] = []

    def begin(*arguments: object, has_sixel: bool = False, **more: str) -> Terminal:
        command = [*PROGRAM, *map(str, arguments)]
        opened.append(Terminal(command, {**environment, **more}, has_sixel=has_sixel))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()
