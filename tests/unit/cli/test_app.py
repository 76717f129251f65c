"""The command line without a server: help, usage errors, and what `discover` says."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from invokeai_py_client.cli.app import root, run
from invokeai_py_client.cli.commands import Argument, walk
from invokeai_py_client.cli.failures import CODES


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKEAI_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("INVOKEAI_CLIENT_CONFIG", "/dev/null")


COMMANDS = dict(walk(root, click.Context(root)))


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    exit_code = run([*arguments, "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    assert document.keys() == {"ok", "error"}
    assert document["error"].keys() == {"code", "message", "hint", "details"}
    return exit_code, document["error"]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_sentences_and_an_example_in_its_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*name.split(), "--help"]) == 0
    text = capsys.readouterr().out
    command = COMMANDS[name]
    first = (command.help or "").split("\n\n")[0]
    assert first.endswith(".")
    assert f"invokeai-client {name}" in text.split("Example:")[1]
    for option in command.params:
        if isinstance(option, click.Option) and option.name != "help":
            assert (option.help or "").endswith("."), (name, option.opts)
        elif isinstance(option, Argument):
            assert option.text.endswith("."), (name, option.name)
            assert " ".join(option.text.split()) in " ".join(text.split()), (name, option.name)


def test_each_example_can_be_parsed() -> None:
    import shlex

    for name, command in COMMANDS.items():
        example = shlex.split(getattr(command, "example", ""))[1:]
        command.make_context(name, example[len(name.split()) :])


def test_discover_describes_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["discover", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert data["commands"].keys() == COMMANDS.keys()
    assert data["error_codes"].keys() == CODES.keys()
    (assignments,) = [one for one in data["commands"]["run"]["options"] if one["name"] == "assignments"]
    assert (assignments["flags"], assignments["multiple"]) == (["--set"], True)
    assert {flag for one in data["global_options"] for flag in one["flags"]} == {
        *("--url", "--token", "--profile", "--format", "--verbose", "--no-color")
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["imges"], "There is no command 'imges'. Did you mean 'images'?"),
        (["images", "lst"], "There is no command 'lst'. Did you mean 'list'?"),
        (["boards", "xyz"], "Commands: create, delete, list, show."),
        (["images", "list", "--limit", "0"], "0 is not in the range"),
        (["run"], "Missing argument 'WORKFLOW'"),
        (["completion"], "Missing argument 'SHELL'. Choose from: bash, zsh, fish"),
        (["images", "list", "--borad", "x"], "No such option"),
        (["run", "-", "--no-wait", "--out", "x"], "--no-wait goes with none of"),
    ],
)
def test_a_usage_error_says_what_is_meant(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code, error = error_of(capsys, *arguments)
    assert (exit_code, error["code"]) == (2, "usage")
    assert message in error["message"]


def test_the_option_that_other_programs_have_for_json_is_translated(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--json", "boards", "list"], ["boards", "list", "--json"]):
        exit_code, error = error_of(capsys, *arguments)
        assert (exit_code, error["code"]) == (2, "usage")
        assert "Did you mean" not in error["message"]
        assert error["hint"].startswith("Use --format json.")


def test_for_a_person_errors_go_to_stderr_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--format", "human", "server", "status", "--url", "nowhere://x"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert "hint: " in err
    assert "Traceback" not in err


def test_a_global_option_goes_before_and_after_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["--format", "json", "--url", "nowhere://x", "boards", "list"],
        ["boards", "--format=json", "list", "--url", "nowhere://x"],
    ):
        assert run(arguments) == 2
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "bad_input"


def test_a_token_is_never_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["boards", "list", "--url", "nowhere://x", "--token", "s3cret", "--verbose"]) == 2
    out, err = capsys.readouterr()
    assert "Traceback" in err
    assert "s3cret" not in out + err


def test_help_costs_little_more_than_python_itself() -> None:
    def cost(*arguments: str) -> float:
        """The processor time of a run."""
        began = os.times()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        ended = os.times()
        return ended.children_user + ended.children_system - began.children_user - began.children_system

    # The goal is 0.12 s, which a benchmark measures. Other work makes some runs dearer, and none cheaper.
    assert any(cost("-m", "invokeai_py_client.cli", "sweep", "--help") - cost("-c", "pass") < 0.24 for _ in range(10))


def test_help_imports_neither_the_client_nor_rich() -> None:
    code = """
import sys
from invokeai_py_client.cli.entry import main
for name in ("run", "batch", "sweep", "report", "images list", "models install", "discover"):
    main([*name.split(), "--help"])
heavy = {"aiohttp", "pydantic", "asyncio", "rich", "invokeai_py_client.client", "invokeai_py_client.settings"}
heavy |= {"textual_image", "PIL", "csv", "decimal"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_the_extra_it_says_what_to_install() -> None:
    code = """
import importlib.util, sys
from invokeai_py_client.cli.entry import main
importlib.util.find_spec = lambda name: None
sys.exit(main(["--help"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert 'pip install "invokeai-py-client[cli]"' in done.stderr


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "invokeai_py_client.cli", "discover", "--json"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize("stream", ["> /dev/full", ">&-", ">&- 2>&- <&-"])
def test_a_stdout_that_cannot_be_written_is_no_defect(stream: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m invokeai_py_client.cli fleet status --fleet none.toml {stream}"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert ("error: There is no file 'none.toml'." in done.stderr) == (stream == "> /dev/full")


@pytest.mark.parametrize(("arguments", "group"), [([], "invokeai-client"), (["jobs"], "invokeai-client jobs")])
def test_a_group_without_a_command_shows_its_commands(
    arguments: list[str], group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code, error = error_of(capsys, *arguments)
    assert (exit_code, error["code"], error["message"]) == (2, "usage", f"A command must follow {group}.")
    assert error["hint"].startswith("Commands: ")
    assert run([*arguments, "--format", "human"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"Usage: {group} ")
    assert "\n\nCommands:\n" in err


def test_a_login_in_the_address_is_refused_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["boards", "list", "--url", "http://ann:s3cret@studio"]) == 2
    out = capsys.readouterr().out
    assert "s3cret" not in out
    assert "INVOKEAI_TOKEN" in json.loads(out)["error"]["hint"]


def test_what_the_code_page_lacks_is_escaped() -> None:
    code = """
import sys
from invokeai_py_client.cli.entry import main
main(["--version"])
print("Ä漢.png")
print("漢", file=sys.stderr)
"""
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == b"\xc4\\u6f22.png"
    assert done.stderr.splitlines()[-1] == b"\\u6f22"
