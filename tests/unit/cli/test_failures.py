from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import pytest

from invokeai_py_client import errors
from invokeai_py_client.batch.folder import BatchFolder
from invokeai_py_client.batch.journal import Start
from invokeai_py_client.cli.failures import CODES, EXIT_CODES, Failure, failure_of

KINDS = [getattr(errors, name) for name in errors.__all__]


def test_each_code_has_an_exit_code_that_is_documented() -> None:
    assert {number for number, _ in CODES.values()} <= {*EXIT_CODES}
    assert all(text.endswith((".", "why.", "them.")) for _, text in CODES.values())


@pytest.mark.parametrize("kind", KINDS)
def test_no_error_of_the_package_is_taken_for_a_defect(kind: type[errors.InvokeAIError]) -> None:
    error = kind.__new__(kind)
    error.args = ("It broke. Mend it.",)
    error.hint = "Mend it."
    for name in inspect.signature(kind).parameters:
        vars(error).setdefault(name, None)
    error.__dict__ |= {"status": 422, "problems": (), "near": "", "places": ()}
    failure = failure_of(error)
    assert failure.code in CODES
    assert failure.code != "internal"
    assert failure.message == "It broke."


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (errors.TransportError("away", url="http://x"), "unreachable", 3),
        (errors.NotInvokeAIError("a page", url="http://x"), "not_invokeai", 3),
        (errors.RequestTimeout("slow", url="", method="GET", timeout=1.0), "unreachable", 3),
        (errors.AuthenticationError("who", status=401, method="GET", url=""), "unauthorized", 4),
        (errors.ForbiddenError("no", status=403, method="GET", url=""), "forbidden", 4),
        (errors.NotFoundError("none", status=404, method="GET", url=""), "not_found", 5),
        (errors.ServerError("broken", status=500, method="GET", url=""), "server_error", 1),
        (errors.RunFailed("a node", batch_id="b", item_id=1), "run_failed", 1),
        (errors.RunTimeout("long", batch_id="b", timeout=1.0), "timeout", 1),
        (errors.SettingsError("url", setting="url"), "bad_input", 2),
        (errors.WorkflowFileError("no JSON"), "bad_input", 2),
        (PermissionError(13, "not yours", "x"), "file_error", 2),
        (KeyboardInterrupt(), "interrupted", 130),
        (ZeroDivisionError("oh"), "internal", 1),
        (Failure("usage", "what?"), "usage", 2),
    ],
)
def test_an_error_has_a_code_and_an_exit_code(error: BaseException, code: str, exit_code: int) -> None:
    failure = failure_of(error)
    assert (failure.code, failure.exit_code) == (code, exit_code)


def test_a_rejected_workflow_lists_its_problems() -> None:
    error = errors.InputsNotReadyError("2 problems.", problems=(("add", "a", "no value"), ("", "", "empty")))
    assert failure_of(error).details["problems"] == [
        {"node": "add", "field": "a", "why": "no value"},
        {"node": "", "field": "", "why": "empty"},
    ]


def test_hints_speak_of_commands_and_keep_the_close_match() -> None:
    error = errors.InputNotFoundError(
        "No input matches 'Widht'.",
        key="Widht",
        choices=("Width",),
        near="Did you mean 'Width'? ",
        places=(("blank", "width"),),
        hint="wf.nodes lists ...",
    )
    failure = failure_of(error)
    assert failure.message == "No input matches 'Widht'."
    assert failure.hint.startswith("Did you mean 'Width'? Nodes have it: blank.width. The command inputs lists")
    assert "wf." not in failure.hint


def test_a_status_that_is_no_error_is_not_a_detail() -> None:
    found = errors.NotFoundError("none", status=200, method="GET", url="")
    assert failure_of(found).details == {}
    assert failure_of(errors.ServerError("x", status=503, method="GET", url="")).details == {"http_status": 503}


def test_the_hints_of_a_folder_fit_its_problem_and_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(errors.BatchFolderError) as caught:
        BatchFolder(tmp_path / "file" / "out")
    # As it is when the batch has ended with it.
    assert failure_of(pickle.loads(pickle.dumps(caught.value))).hint == (
        "Free disk space or make the folder writable, and start the command again with --resume. "
        "Completed rows are not run again."
    )
    kept = BatchFolder(tmp_path / "out")
    with pytest.raises(errors.BatchFolderError) as caught:
        BatchFolder(tmp_path / "out")
    assert failure_of(caught.value).hint == "Wait for that batch to end, or pass another folder."
    kept.journal.started(Start("one workflow"))
    with pytest.raises(errors.BatchFolderError) as caught:
        kept.check("another")
    kept.release()
    assert failure_of(caught.value).hint == "Give another folder, or --overwrite to delete those results."


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (OSError(28, "No space left on device"), "A file cannot be used: No space left on device.", "Free disk space."),
        (
            PermissionError(13, "Permission denied", "out"),
            "'out' cannot be used: Permission denied.",
            "Correct the path or its permissions.",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(error: OSError, message: str, hint: str) -> None:
    failure = failure_of(error)
    assert (failure.message, failure.hint, failure.exit_code) == (message, hint, 2)


def test_an_unknown_column_is_not_answered_with_python(tmp_path: Path) -> None:
    error = errors.PlanError("'Stps'", problems=((None, "Stps", "no input"),), hint="wf.nodes lists them.")
    assert failure_of(error).hint == "The command inputs lists the inputs of a workflow, with --all those of all nodes."
    assert failure_of(errors.PlanError("no rows")).hint == ""
