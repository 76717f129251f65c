"""The code blocks of the README and of `docs/` run as they are written, but for the server's address.

Blocks of `python` and of `sh` are run: those of one page in order, those of Python with the same names. A block of
`text` that follows one is what it prints, with `...` for what differs from run to run. A block below a comment
`<!-- not run: why -->` is not run; nor are other languages, such as `json` or `console`.
"""

from __future__ import annotations

import contextlib
import doctest
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.local import LocalServer

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:9090"
FENCE = re.compile(
    r"^(?P<not_run><!-- not run: [^\n]+ -->\n)?(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    name: str
    language: str
    code: str
    printed: str | None
    """What it prints; None if the page does not say."""


def blocks_of(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    fences = [*FENCE.finditer(text)]
    assert len(fences) * 2 == len(re.findall(r"^ *```", text, re.MULTILINE)), f"{path}: a code block is not read"
    blocks = []
    for fence, next_fence in zip(fences, [*fences, None][1:], strict=True):
        if fence["language"] in ("python", "sh") and not fence["not_run"]:
            line = text[: fence.start()].count("\n") + 1
            is_output = (
                next_fence is not None
                and next_fence["language"] == "text"
                and not text[fence.end() : next_fence.start()].strip()
            )
            printed = next_fence["code"] if is_output and next_fence is not None else None
            blocks.append(Block(f"{path.name}:{line}", fence["language"], fence["code"], printed))
    return blocks


PAGES = {
    path.relative_to(ROOT).as_posix(): blocks
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if (blocks := blocks_of(path))
}


def a_picture_was_saved(printed: str, folder: Path) -> bool:
    (picture,) = (folder / "out").iterdir()
    return "100 %" in printed and picture.read_bytes().startswith(b"\x89PNG")


def every_step_was_told(printed: str, folder: Path) -> bool:
    steps = [f"denoise_latents: step {step} of 8" for step in range(1, 9)]
    told = [line for line in printed.splitlines() if "step" in line and "step 0" not in line]
    return told == steps and "done: l2i" in printed and printed.splitlines()[-1] == "completed"


def the_sweep_is_complete(printed: str, folder: Path) -> bool:
    images, sheet = [*(folder / "sweep").rglob("0*.png")], folder / "sweep" / "contact_sheet.png"
    is_there = sheet.is_file() and (folder / "sweep" / "index.html").is_file()
    return len(images) == 4 and is_there and printed.count("completed") == 5 and "'completed': 4" in printed


README_EVIDENCE = [a_picture_was_saved, every_step_was_told, the_sweep_is_complete]
"""What is to be seen after the Python blocks of the README, in their order."""


@contextlib.contextmanager
def closed_at_the_end(names: dict[str, Any]) -> Iterator[None]:
    """Close the clients and the log handlers that a page has left open, and log as before."""
    package = logging.getLogger("invokeai_py_client")
    level, handlers = package.level, set(all_handlers())
    try:
        yield
    finally:
        for value in names.values():
            if isinstance(value, InvokeAIClient):
                value.close()
        for logger, handler in set(all_handlers()) - handlers:
            logger.removeHandler(handler)
            handler.close()
        package.setLevel(level)


def all_handlers() -> Iterator[tuple[logging.Logger, logging.Handler]]:
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            yield from ((logger, handler) for handler in logger.handlers)


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(
    page: str, server: LocalServer, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    checker, options = doctest.OutputChecker(), doctest.ELLIPSIS
    evidence = iter(README_EVIDENCE)
    names: dict[str, Any] = {"__name__": "__main__"}
    with closed_at_the_end(names):
        for block in PAGES[page]:
            code = block.code.replace(ADDRESS, server.url)
            if block.language == "python":
                exec(compile(code, block.name, "exec"), names)
            else:
                environment = {**os.environ, "INVOKEAI_URL": server.url}
                result = subprocess.run(["bash", "-euc", code], env=environment, check=False)
                assert result.returncode == 0, block
            printed = capfd.readouterr().out
            if block.printed is not None:
                # A line of dots stands for any number of lines, and also for none.
                shown = block.printed.replace(ADDRESS, server.url).replace("\n...\n", "\n...")
                assert checker.check_output(shown, printed, options), f"{block.name} printed:\n{printed}"
            if page == "README.md" and block.language == "python":
                assert next(evidence)(printed, folder), block
    assert page != "README.md" or next(evidence, None) is None


def test_the_readme_has_a_first_script_of_about_fifteen_lines() -> None:
    first = next(block.code for block in PAGES["README.md"] if block.language == "python")
    assert len([line for line in first.splitlines() if line.strip()]) <= 15


def test_the_commands_of_the_readme_are_targets() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in re.findall(r"`?make (\w+)", text):
        assert f"\n{command}:" in makefile, command
