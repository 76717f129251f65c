from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

import pytest

from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.output import Output, format_for, local_time, printable


@pytest.mark.parametrize(
    ("chosen", "is_terminal", "environment", "expected"),
    [
        (None, True, {}, "human"),
        ("auto", True, {}, "human"),
        (None, False, {}, "json"),
        (None, True, {"CLAUDECODE": "1"}, "json"),
        (None, True, {"AI_AGENT": "mine"}, "json"),
        (None, True, {"AI_AGENT": "0"}, "human"),
        ("human", False, {"AI_AGENT": "mine"}, "human"),
        ("quiet", True, {}, "quiet"),
        ("json", True, {}, "json"),
    ],
)
def test_the_format_goes_by_who_reads(
    chosen: str | None, is_terminal: bool, environment: dict[str, str], expected: str
) -> None:
    assert format_for(chosen, is_terminal=is_terminal, environment=environment) == expected


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("chosen", ["human", "json", "quiet"])
def test_a_person_is_asked_on_a_terminal_whatever_stdout_is_and_an_agent_never(
    chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AI_AGENT", "CLAUDECODE", "CLAUDE_CODE", "CODEX_SANDBOX", "CURSOR_AGENT", "GEMINI_CLI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdin", Terminal())
    assert not Output(chosen).can_ask
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert Output(chosen).can_ask
    monkeypatch.setenv("AI_AGENT", "1")
    assert not Output(chosen).can_ask


def test_a_document_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    Output("json").done({"file": Path("a") / "b", "prompt": 'π "quoted"\n', "pair": (1, None)})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    file = str(Path("a") / "b")
    assert json.loads(out) == {"ok": True, "data": {"file": file, "prompt": 'π "quoted"\n', "pair": [1, None]}}


def test_half_a_surrogate_pair_is_still_json(capsys: pytest.CaptureFixture[str]) -> None:
    Output("json").done({"prompt": "\ud83d"})
    assert json.loads(capsys.readouterr().out)["data"]["prompt"] == "\ud83d"


def test_quiet_prints_one_thing_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    Output("quiet").done({"much": "more"}, quiet=["a.png", "b.png"])
    assert capsys.readouterr().out == "a.png\nb.png\n"


def test_a_failure_is_a_document_or_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    failure = Failure("not_found", "no such image", "List them.", {"name": "x"})
    Output("json").failed(failure)
    out, err = capsys.readouterr()
    error = {"code": "not_found", "message": "no such image", "hint": "List them.", "details": {"name": "x"}}
    assert (json.loads(out), err) == ({"ok": False, "error": error}, "")
    for chosen in ("human", "quiet"):
        Output(chosen).failed(failure)
        assert capsys.readouterr() == ("", "error: no such image\nhint: List them.\n")


def test_a_table_in_a_pipe_has_neither_colours_nor_trailing_spaces_nor_cut_cells(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = "x" * 300
    Output("human").table(("Name", "Note"), [("[red]a[/red]", long), ("b", None)])
    assert capsys.readouterr().out == f"Name          Note\n[red]a[/red]  {long}\nb             -\n"


def test_in_a_narrow_terminal_words_stay_whole_as_long_as_that_is_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    def table(width: int) -> str:
        monkeypatch.setattr(sys, "stdout", terminal := Terminal())
        monkeypatch.setenv("COLUMNS", str(width))
        row = ("0123-4567-89ab-cdef", "one two three four", "2026-11-27 14:16:21")
        Output("human", no_color=True).table(("Id", "Note", "Time"), [row])
        return terminal.getvalue()

    assert table(48).splitlines() == [
        "Id                   Note        Time",
        "0123-4567-89ab-cdef  one two     2026-11-27",
        "                     three four  14:16:21",
    ]
    # Ids and URLs can be copied from a terminal of any width.
    assert table(35).splitlines() == [
        "0123-4567-89ab-cdef",
        "  Note: one two three four; Time:",
        "  2026-11-27 14:16:21",
    ]
    assert table(10).splitlines()[0] == "0123-4567-89ab-cdef"


def test_on_a_terminal_notes_are_broken_between_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    note = "Go on with: http://127.0.0.1:9090/a-long-path"
    monkeypatch.setenv("COLUMNS", "20")
    Output("human").note(note)
    assert capsys.readouterr().err == f"{note}\n"
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    Output("human").note(note)
    assert terminal.getvalue() == "Go on with:\nhttp://127.0.0.1:9090/a-long-path\n"


def test_on_a_terminal_sentences_go_on_indented(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    Output("human").sentence("BAD  server  does not respond", indent=4)
    assert capsys.readouterr().out == "BAD  server  does not respond\n"
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    Output("human").sentence("BAD  server  does not respond", indent=4)
    Output("human").sentence("    Start the server.", indent=4)
    assert terminal.getvalue().splitlines() == ["BAD  server  does", "    not respond", "    Start the", "    server."]


def test_times_of_the_server_are_shown_as_the_clock_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XXX-3")
    time.tzset()
    try:
        assert local_time("2026-11-27 22:16:21.115") == "2026-11-28 01:16:21"
        assert local_time("2026-11-27T22:16:21+01:00") == "2026-11-28 00:16:21"
        assert [local_time(text) for text in (None, "soon")] == [None, "soon"]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_data_cannot_move_the_cursor() -> None:
    assert printable("\x1b[2Jgone\rover\nnext") == r"\x1b[2Jgone\rover next"
    assert [printable(value) for value in (None, True, 0.5, 3)] == ["-", "yes", "0.5", "3"]


def test_names_of_the_server_cannot_move_the_cursor_either(capsys: pytest.CaptureFixture[str]) -> None:
    Output("quiet").done({}, quiet=["\x1b[2Jx"])
    Output("human").say("deleted \x1b[2Jx\nsecond\rline")
    assert capsys.readouterr().out == "\\x1b[2Jx\ndeleted \\x1b[2Jx\nsecond\\rline\n"
