"""What an exception means to a script: an error code, an exit code, a message, a hint and details."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass, field
from typing import Any

from invokeai_py_client import errors

DONE, RUN_FAILED, BAD_INPUT, UNREACHABLE, NOT_ALLOWED, NOT_FOUND, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

EXIT_CODES = {
    DONE: "The command has done what it was told to do.",
    RUN_FAILED: "A run, an installation, a transfer or the server failed, or the user declined.",
    BAD_INPUT: "The command line, an input or a file cannot be used. Nothing was done, unless the message says so.",
    UNREACHABLE: "The server cannot be reached.",
    NOT_ALLOWED: "The server wants a token, or does not allow this to its user.",
    NOT_FOUND: "There is no such thing on the server.",
    INTERRUPTED: "The command was interrupted by Ctrl-C.",
}

CODES: dict[str, tuple[int, str]] = {
    "usage": (BAD_INPUT, "The command line cannot be understood."),
    "needs_yes": (BAD_INPUT, "The command asks for confirmation, and there is no terminal: pass --yes."),
    "declined": (RUN_FAILED, "The question whether to go on was answered with no."),
    "bad_input": (BAD_INPUT, "A value, a file or a setting cannot be used."),
    "unknown_input": (BAD_INPUT, "The workflow has no such input."),
    "not_ready": (BAD_INPUT, "The workflow cannot run yet; details.problems lists why."),
    "rejected": (BAD_INPUT, "The server refuses what was sent."),
    "ambiguous": (BAD_INPUT, "Several things have that name; details.choices lists them."),
    "file_error": (BAD_INPUT, "A file of this machine cannot be read or written."),
    "folder_error": (BAD_INPUT, "The folder of a batch is in use, holds other results, or cannot be written."),
    "unreachable": (UNREACHABLE, "The server cannot be reached, or did not respond in time."),
    "not_invokeai": (UNREACHABLE, "Something responds at the address, but it is not an InvokeAI server."),
    "unauthorized": (NOT_ALLOWED, "The server wants a token, or does not know the one that it got."),
    "forbidden": (NOT_ALLOWED, "The user may not do this."),
    "not_found": (NOT_FOUND, "The server has no such image, board, model, item or workflow."),
    "run_failed": (RUN_FAILED, "A node of the run failed."),
    "rows_failed": (RUN_FAILED, "Some rows of a batch failed or were canceled; details.failures lists why."),
    "run_canceled": (RUN_FAILED, "The run was canceled."),
    "timeout": (RUN_FAILED, "It took longer than --timeout allows."),
    "not_enqueued": (RUN_FAILED, "The queue has no room, or it is not known whether the batch is in it."),
    "install_failed": (RUN_FAILED, "A model could not be installed."),
    "transfer_failed": (RUN_FAILED, "Some images could not be transferred; details.failed lists them."),
    "differs": (RUN_FAILED, "The image that was made again has other pixels; details.difference says how they differ."),
    "check_failed": (RUN_FAILED, "The workflow would not run on this server; details.problems lists why."),
    "unhealthy": (RUN_FAILED, "The doctor has found something wrong; details.checks lists all checks."),
    "servers_unusable": (RUN_FAILED, "Some servers of a fleet cannot be used; details.servers says why."),
    "server_error": (RUN_FAILED, "The server failed."),
    "local_server": (RUN_FAILED, "A server on this machine could not be installed, started or stopped, or has ended."),
    "failed": (RUN_FAILED, "Another failure; the message says which."),
    "interrupted": (INTERRUPTED, "Ctrl-C."),
    "internal": (RUN_FAILED, "A defect of this program; --verbose shows where."),
}
"""The exit code and the meaning of each error code. Codes are only ever added."""

_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    # The first that fits counts.
    (errors.GraphRejectedError, "rejected"),
    (errors.RejectedError, "rejected"),
    (errors.AuthenticationError, "unauthorized"),
    (errors.ForbiddenError, "forbidden"),
    (errors.NotFoundError, "not_found"),
    (errors.ApiError, "server_error"),
    (errors.NotInvokeAIError, "not_invokeai"),
    (errors.EnqueueInDoubtError, "not_enqueued"),
    (errors.TransportError, "unreachable"),
    (errors.RequestTimeout, "unreachable"),
    (errors.InputNotFoundError, "unknown_input"),
    (errors.InputsNotReadyError, "not_ready"),
    (errors.AmbiguousNameError, "ambiguous"),
    (errors.NotEnqueuedError, "not_enqueued"),
    (errors.RunFailed, "run_failed"),
    (errors.RunCanceled, "run_canceled"),
    (errors.RunTimeout, "timeout"),
    (errors.SubmitTimeout, "timeout"),
    (errors.InstallTimeout, "timeout"),
    (errors.InstallFailed, "install_failed"),
    (errors.ProcessorStoppedError, "server_error"),
    (errors.TransferError, "transfer_failed"),
    (errors.SettingsError, "bad_input"),
    (errors.WorkflowError, "bad_input"),
    (errors.InputValueError, "bad_input"),
    (errors.InvalidRequestError, "bad_input"),
    (errors.PlanError, "bad_input"),
    (errors.BatchFolderError, "folder_error"),
    (errors.NotAnImageError, "bad_input"),
    (errors.UnsafePathError, "bad_input"),
    (errors.LocalServerError, "local_server"),
    (errors.InvokeAIError, "failed"),
    (OSError, "file_error"),
    (KeyboardInterrupt, "interrupted"),
)

_DETAILS = (
    "batch_id",
    "item_id",
    "node_id",
    "node_type",
    "field",
    "error_type",
    "error_message",
    "problems",
    "choices",
    "expected",
    "job_id",
)
"""Attributes of errors that go into the details. None of them can hold a secret."""


ADDRESS = "address: --url, INVOKEAI_URL or the profile"
"""What a hint says of the address of the server."""

_HINTS: tuple[tuple[type[BaseException], str], ...] = (
    (
        errors.AuthenticationError,
        "Run invokeai-client login, or set INVOKEAI_TOKEN, or INVOKEAI_EMAIL and INVOKEAI_PASSWORD.",
    ),
    (
        errors.InputConnectedError,
        "An edge of the workflow feeds this input. Set an input of the node that it comes from.",
    ),
    (errors.InputsNotReadyError, "The command check lists all that is missing."),
    (errors.NotInvokeAIError, f"Correct the {ADDRESS}."),
    (errors.NotReadyError, "Allow more with --wait if it is still starting."),
    (
        errors.RequestTimeout,
        "If the server is only busy, run the command again later. The command doctor checks the connection.",
    ),
    (errors.RunFailed, "With --verbose, the server's traceback is shown."),
    (errors.RunTimeout, "It was canceled. Allow more with --timeout."),
    (errors.EnqueueInDoubtError, "The command queue list shows whether it is in the queue."),
)
"""What to do, where the error's own hint is for Python code."""

_INPUTS_HINT = "The command inputs lists the inputs of a workflow, with --all those of all nodes."


@dataclass
class Failure(Exception):
    """A failure that a command found itself."""

    code: str
    message: str
    hint: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """The exit code of the program."""
        return CODES[self.code][0]

    def document(self) -> dict[str, Any]:
        """Return the error as the JSON document has it."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "details": self.details}


def code_of(kind: type[BaseException]) -> str:
    """Return the error code of a class of exceptions."""
    return next((code for one, code in _KINDS if issubclass(kind, one)), "internal")


def failure_of(error: BaseException) -> Failure:
    """Return what an exception means."""
    if isinstance(error, Failure):
        return error
    code = code_of(type(error))
    if not isinstance(error, errors.InvokeAIError):
        if code == "interrupted":
            return Failure(code, "Interrupted.")
        if isinstance(error, OSError) and error.strerror:
            message = (
                f"{'A file' if error.filename is None else repr(error.filename)} cannot be used: {error.strerror}."
            )
            return Failure(
                code,
                message,
                "Free disk space." if error.errno == errno.ENOSPC else "Correct the path or its permissions.",
            )
        hint = "Run the command again with --verbose to see where." if code == "internal" else ""
        return Failure(code, f"{type(error).__name__}: {error}", hint)
    message = str(error).removesuffix(error.hint).rstrip() if error.hint else str(error)
    details = {name: value for name in _DETAILS if (value := getattr(error, name, None)) is not None}
    if isinstance(error, errors.ApiError) and error.status >= 400:
        details["http_status"] = error.status
    if isinstance(error, errors.InputsNotReadyError):
        details["problems"] = [{"node": node, "field": name, "why": why} for node, name, why in error.problems]
    if isinstance(error, errors.PlanError):
        details["problems"] = [{"row": row, "column": column, "why": why} for row, column, why in error.problems]
    return Failure(code, message, _hint_of(error), details)


def _hint_of(error: errors.InvokeAIError) -> str:
    if type(error) is errors.TransportError:
        return _connection_hint(error)
    if isinstance(error, errors.InputNotFoundError):
        places = ", ".join(map(".".join, error.places))
        return f"{error.near}{f'Nodes have it: {places}. ' if places else ''}{_INPUTS_HINT}"
    if isinstance(error, errors.PlanError):
        # The only hints are lists of inputs, and for rows that cannot run, which the command itself replaces.
        return _INPUTS_HINT if error.hint else ""
    if isinstance(error, errors.BatchFolderError):
        hint = error.hint.replace("Pass", "Give").replace("overwrite=True", "--overwrite")
        return re.sub(r"ubmit the (same )?plan to (it|the folder) again", "tart the command again with --resume", hint)
    return next((hint for kind, hint in _HINTS if isinstance(error, kind)), error.hint)


def _connection_hint(error: errors.TransportError) -> str:
    import ssl

    if isinstance(error.__cause__, ssl.SSLCertVerificationError):
        return "If the certificate is from your own authority, set SSL_CERT_FILE=/path/of/the/ca.pem."
    if isinstance(error.__cause__, ssl.SSLError):
        return "Does the server use TLS on this port? If not, begin the address with http://."
    if error.proxy is not None and not error.sent:
        return "Correct the proxy in HTTP_PROXY or HTTPS_PROXY, or name the server in NO_PROXY to go without it."
    if error.sent:
        return "The server may have been stopped or restarted. The command server status --wait 60 waits for it."
    return f"Start the server (invokeai-client server start starts one here), or correct its {ADDRESS}."
