"""Completion in real shells: what the Tab key makes of a command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.terminals import Terminal
from tests.programs import shell_path

from invokeai_py_client import InvokeAIClient, WorkflowDefinition

SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
BEGIN = {
    "bash": "PS1='ready> '; bind 'set enable-bracketed-paste off'; eval \"$(invokeai-client completion bash)\"",
    "zsh": 'PS1="ready> "; autoload -Uz compinit; compinit -D -u; eval "$(invokeai-client completion zsh)"',
    "fish": "function fish_prompt; echo 'ready> '; end; invokeai-client completion fish | source",
}

Complete = Callable[[str], str]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    shell_path(name)
    return name


@pytest.fixture
def complete(
    shell: str, environment: dict[str, str], blur: dict[str, Any], sleep: dict[str, Any], tmp_path: Path
) -> Iterator[Complete]:
    """Types the beginning of a command line and Tab, and returns the words that the command then gets."""
    programs = tmp_path / "bin"
    programs.mkdir()
    answers = tmp_path / "answers"
    answers.touch()
    # What the shell runs is the command, which also notes each answer to a Tab, but for one that shows its words.
    for name, action in {
        "invokeai-client": f'"{sys.executable}" -m invokeai_py_client.cli "$@"; echo >>"{answers}"',
        "words": f'"{sys.executable}" -c \'import json, sys; print("<" + json.dumps(sys.argv[1:]) + ">")\' "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{action}\n")
        (programs / name).chmod(0o755)
    sleep["nodes"][0]["data"]["inputs"]["steps"]["label"] = "Number of Steps"
    (tmp_path / "sleep.json").write_text(json.dumps(sleep))
    (tmp_path / "blur.json").write_text(json.dumps(blur))
    folders = {name: str(tmp_path) for name in ("HOME", "XDG_DATA_HOME", "INVOKEAI_CLIENT_CACHE")}
    path = f"{programs}:{environment['PATH']}"
    terminal = Terminal(SHELLS[shell], {**environment, **folders, "PATH": path}, folder=tmp_path)
    terminal.resize(200, 40)
    terminal.type(f"{BEGIN[shell]}\r")
    terminal.read_until("ready> ")
    terminal.type("words begun\r")
    terminal.read_until('<\\["begun"\\]>')

    def typed(line: str) -> str:
        before = len(re.findall(r"<\[.*?\]>", terminal.text))
        answered = answers.stat().st_size
        terminal.type(f"{line}\t")
        # Keys that follow a Tab at once can change what it does.
        terminal.read_while(lambda: answers.stat().st_size == answered)
        # Ctrl-A, and the command becomes the argument of another one.
        terminal.type("\x01words \r")
        terminal.read_until(r"(?s)(?:<\[.*?\]>.*?){" + str(before + 1) + "}")
        words: list[str] = json.loads(re.findall(r"<(\[.*?\])>", terminal.text)[-1])
        return " ".join(f"'{word}'" if " " in word else word for word in words[1:])

    try:
        yield typed
    finally:
        terminal.close()


def test_a_tab_completes_commands_labels_and_names(complete: Complete, client: InvokeAIClient) -> None:
    board = client.board_repo.create_board("red pandas")
    try:
        assert complete("invokeai-client bo") == "boards"
        assert complete("invokeai-client jobs wat") == "jobs watch"
        assert complete("invokeai-client run blur.json --prio") == "run blur.json --priority"
        assert complete("invokeai-client run blur.json --set Rad") == "run blur.json --set Radius="
        assert complete("invokeai-client run sleep.json --set Nu") == "run sleep.json --set 'Number of Steps='"
        line = "run sleep.json --set Seconds=2 --set"
        assert complete(f"invokeai-client {line} Number\\ of\\ S") == f"{line} 'Number of Steps='"
        assert complete("invokeai-client run blu") == "run blur.json"
        assert complete("invokeai-client boards show red") == "boards show 'red pandas'"
        assert complete("invokeai-client models show tin") == "models show tiny-sd-1"
    finally:
        client.board_repo.delete_board(board)


def test_a_tab_completes_jobs_and_queue_items(
    complete: Complete, client: InvokeAIClient, sleep: dict[str, Any]
) -> None:

    run = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep)).submit_sync()
    run.wait(30)
    assert complete(f"invokeai-client jobs show {run.batch_id[:20]}") == f"jobs show {run.batch_id}"
    assert complete(f"invokeai-client jobs cancel {run.batch_id[:20]}") == f"jobs cancel {run.batch_id}"
    item_id = str(run.item_id)
    assert complete(f"invokeai-client queue position {item_id}") == f"queue position {item_id}"


def test_without_a_server_a_tab_offers_nothing_and_says_nothing(shell: str, environment: dict[str, str]) -> None:
    words = ["invokeai-client", "boards", "show", ""]
    asked = {
        "_INVOKEAI_CLIENT_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "\n".join(words) if shell == "bash" else " ".join(words),
        "COMP_CWORD": "" if shell == "fish" else "3",
        "INVOKEAI_URL": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-m", "invokeai_py_client.cli"]
    done = subprocess.run(command, env={**environment, **asked}, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("", "")
