"""The exceptions that this package raises.

```
InvokeAIError
├── SettingsError (ValueError)              a setting such as a URL, token or timeout is not valid
├── ClientClosedError (RuntimeError)        the client, or the interpreter, is closing
├── EngineThreadError (RuntimeError)        a blocking call on the client's own thread
├── TransportError (ConnectionError)        the connection to the server failed or was lost
│   ├── NotInvokeAIError                    the responding server is not an InvokeAI server
│   ├── RedirectedError                     the server redirects to a URL that is not followed
│   ├── NotReadyError (TimeoutError)        the server was not ready in time
│   └── EnqueueInDoubtError                 it is unknown whether a batch was enqueued
├── RequestTimeout (TimeoutError)           a request got no response in time
├── InvalidRequestError (ValueError)        a method, query or header is not valid in HTTP
│   └── RequestBodyError                        the request body cannot be encoded as JSON
├── ApiError                                the server returned an error response
│   ├── AuthenticationError (PermissionError)   401: the token is missing or not accepted
│   ├── ForbiddenError (PermissionError)        403: the user lacks the permission
│   ├── AnswerTooLargeError                     the response exceeds the setting max_answer_bytes
│   ├── NotFoundError (LookupError)             404: the item, image, model or route does not exist
│   ├── RejectedError (ValueError)              another 4xx: the server rejected the request
│   │   └── GraphRejectedError                  422 for a graph: names the node and the field
│   └── ServerError                             5xx, or a response that cannot be parsed
├── WorkflowError (ValueError)              a workflow cannot be used
│   ├── WorkflowFileError                       the file is unreadable, not JSON, or not a workflow
│   ├── WorkflowVersionError                    the format version is not supported
│   ├── FormChangedError                        the form differs from that of the generated module
│   └── InputsNotReadyError                     the workflow cannot run yet: `problems` lists all reasons
│       ├── UnknownNodeError                        the server lacks node types
│       └── BatchError                              the batch nodes do not make a valid batch
├── InputNotFoundError (IndexError)         an input or node does not exist, or the name is ambiguous
├── InputValueError (ValueError)            an input does not accept a value
│   └── InputConnectedError                     an edge feeds the input and would override the value
├── PlanError (ValueError)                  a plan has invalid rows: `problems` lists every bad cell
├── SubmitTimeout (TimeoutError)            a submission was held back too long; nothing was sent
├── NotFetchedError (RuntimeError)          an attribute was not fetched yet
├── NotSubmittedError (RuntimeError)        the workflow was not submitted yet
├── AmbiguousNameError (LookupError)        several boards or models have the same name
├── TransferError                           a zip of images could not be made or extracted
│   └── TransferRefusedError (ValueError)       the arguments of a transfer are not valid
├── PromptTemplateError (ValueError)        a prompt template cannot be parsed
├── InstallFailed                           a model could not be installed
├── InstallTimeout (TimeoutError)           an installation did not end in time
├── RunError                                a run did not complete
│   ├── RunFailed                               a node raised an error on the server
│   ├── RunCanceled                             it was canceled by a user or by a server restart
│   ├── RunTimeout (TimeoutError)               it did not end in time
│   └── NotEnqueuedError                        the server enqueued fewer items than were sent
├── PipelineError                           a stage of a pipeline failed
├── BatchFolderError                        the folder of a batch cannot be used
├── ProcessorStoppedError (RuntimeError)    the server responds, but no longer runs queue items
├── NotAnImageError (ValueError)            a file to upload is not an image
├── UnsafePathError (ValueError)            a path would be outside of its folder, or is not valid
└── LocalServerError (RuntimeError)         a managed server could not be installed or run
    └── LocalServerInUseError                   another process uses its root folder
```

Each also inherits from the matching built-in exception, such as `TimeoutError`. Its message says what happened, to
what, and what to do next; the details are available as attributes. All exceptions can be pickled; an attribute that
cannot becomes its `repr`.

Two attributes tell whether a failed request should be retried:

- `is_transient`: the same request may succeed if it is sent again shortly afterwards.
- `may_have_been_applied`: the server may have carried out the request although it failed.

A request may be retried if `is_transient`, and either the request is idempotent or `may_have_been_applied` is false.

Example:
    >>> try:
    ...     board = client.board_repo.create_board("tigers")
    ... except InvokeAIError as error:
    ...     if not error.is_transient or error.may_have_been_applied:
    ...         raise
    ...     board = client.board_repo.create_board("tigers")
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self, TypeVar

__all__ = [
    "AmbiguousNameError",
    "AnswerTooLargeError",
    "ApiError",
    "AuthenticationError",
    "BatchError",
    "BatchFolderError",
    "ClientClosedError",
    "EngineThreadError",
    "EnqueueInDoubtError",
    "ForbiddenError",
    "FormChangedError",
    "GraphRejectedError",
    "InputConnectedError",
    "InputNotFoundError",
    "InputValueError",
    "InputsNotReadyError",
    "InstallFailed",
    "InstallTimeout",
    "InvalidRequestError",
    "InvokeAIError",
    "LocalServerError",
    "LocalServerInUseError",
    "NotAnImageError",
    "NotEnqueuedError",
    "NotFetchedError",
    "NotFoundError",
    "NotInvokeAIError",
    "NotReadyError",
    "NotSubmittedError",
    "PipelineError",
    "PlanError",
    "ProcessorStoppedError",
    "PromptTemplateError",
    "RedirectedError",
    "RejectedError",
    "RequestBodyError",
    "RequestTimeout",
    "RunCanceled",
    "RunError",
    "RunFailed",
    "RunTimeout",
    "ServerError",
    "SettingsError",
    "SubmitTimeout",
    "TransferError",
    "TransferRefusedError",
    "TransportError",
    "UnknownNodeError",
    "UnsafePathError",
    "WorkflowError",
    "WorkflowFileError",
    "WorkflowVersionError",
]

_E = TypeVar("_E", bound="InvokeAIError")

_TRANSIENT_STATUSES = frozenset({408, 425, 429, 502, 503, 504, 520, 521, 522, 523, 524, 529, 530})
"""Statuses of an overloaded, starting or unreachable server, or of the proxy in front of it."""

_UNDECIDED_STATUSES = frozenset({408, 409, 425, 429})
"""Client errors that do not prove that the request was not carried out."""

_TRANSIENT_NODE_ERRORS = frozenset(
    {
        "ChunkedEncodingError",
        "ConnectTimeout",
        "ConnectionError",
        "ConnectionResetError",
        "ExternalProviderRateLimitError",
        "OutOfMemoryError",
        "ReadTimeout",
        "TimeoutError",
    }
)
"""Names of transient errors of nodes; they come from Python, PyTorch, requests and InvokeAI."""


class InvokeAIError(Exception):
    """The base class of all exceptions of this package.

    Args:
        what: what happened, and to what.
        hint: what to do next; it is appended to the message.

    Attributes:
        is_transient: whether the same request may succeed if it is sent again shortly afterwards.
        may_have_been_applied: whether the server may have carried out the request that failed. False means that it
            certainly did not, or that no request was sent.
        batch_id: the id of the batch, if the error is that of a submission that was sent. If `may_have_been_applied` is
            false, the queue has no items of the batch.
    """

    is_transient: bool = False
    may_have_been_applied: bool = False
    batch_id: str | None = None

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(f"{what} {hint}" if hint else what)
        self.hint = hint

    def __str__(self) -> str:
        # KeyError and OSError, from which some of the classes inherit, override `__str__`.
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call `__init__` with `args` only, and lose all keyword arguments.
        return _restore, (type(self), self.args, {name: _picklable(value) for name, value in self.__dict__.items()})

    def __copy__(self) -> Self:
        return _restore(type(self), self.args, self.__dict__)


def _picklable(value: Any) -> Any:
    """Return a value, or its representation if it cannot be pickled: any object may have been given to an input."""
    import pickle

    try:
        pickle.dumps(value)
    except Exception:
        return f"{value!r:.200}"
    return value


def _restore(kind: type[_E], args: tuple[Any, ...], facts: dict[str, Any]) -> _E:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class SettingsError(InvokeAIError, ValueError):
    """A setting is not valid. `setting` is its name."""

    def __init__(self, what: str, *, setting: str, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.setting = setting


class ClientClosedError(InvokeAIError, RuntimeError):
    """The client was closed, or the interpreter is shutting down."""


class EngineThreadError(InvokeAIError, RuntimeError):
    """A blocking call was made on the client's own thread, where it would deadlock."""


class TransportError(InvokeAIError, ConnectionError):
    """The server could not be reached, or the connection was lost during the request `method` `url`.

    `sent` is whether the request may have reached the server. `proxy` is the address of the proxy, without its login,
    if no connection through it could be made.
    """

    is_transient = True

    def __init__(
        self,
        what: str,
        *,
        url: str,
        method: str = "",
        sent: bool = True,
        proxy: str | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(what, hint=hint)
        self.url = url
        self.method = method
        self.sent = sent
        self.proxy = proxy
        self.may_have_been_applied = sent


class NotInvokeAIError(TransportError):
    """The server at `url` responds, but it is not an InvokeAI server."""

    is_transient = False


class RedirectedError(TransportError):
    """The server redirects to a URL to which the request must not be sent.

    `target` is that URL without its query; None if the response does not name it.
    """

    is_transient = False

    def __init__(self, what: str, *, url: str, target: str | None, method: str = "", hint: str = "") -> None:
        super().__init__(what, url=url, method=method, hint=hint)
        self.target = target
        self.may_have_been_applied = False


class NotReadyError(TransportError, TimeoutError):
    """The server at `url` was not ready within the timeout."""

    def __init__(self, what: str, *, url: str, method: str = "", hint: str = "") -> None:
        super().__init__(what, url=url, method=method, sent=False, hint=hint)


class EnqueueInDoubtError(TransportError):
    """It is unknown whether the batch `batch_id` was enqueued.

    Do not submit the batch again with another id. `client.run(batch_id=error.batch_id)` follows it if it was enqueued;
    a submission with `batch_id=error.batch_id` sends it only if it was not.
    """

    is_transient = False
    batch_id: str

    def __init__(self, what: str, *, batch_id: str, url: str, method: str = "", hint: str = "") -> None:
        super().__init__(what, url=url, method=method, hint=hint)
        self.batch_id = batch_id  # pyright: ignore[reportIncompatibleVariableOverride]


class RequestTimeout(InvokeAIError, TimeoutError):
    """A request, including its retries, got no response within `timeout` seconds."""

    is_transient = True
    may_have_been_applied = True

    def __init__(self, what: str, *, url: str, method: str, timeout: float, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.url = url
        self.method = method
        self.timeout = timeout


class InvalidRequestError(InvokeAIError, ValueError):
    """The method, the query or a header of a request is not valid in HTTP."""


class RequestBodyError(InvalidRequestError):
    """The body of a request cannot be encoded as JSON."""


class ApiError(InvokeAIError):
    """The server returned an error response.

    `status` is the HTTP status, `method` and `url` are those of the request, `detail` is the server's explanation (a
    text or pydantic's list of errors), and `retry_after` is the number of seconds in `Retry-After`, if there is one.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int,
        method: str,
        url: str,
        detail: Any = None,
        retry_after: float | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(what, hint=hint)
        self.status = status
        self.method = method
        self.url = url
        self.detail = detail
        self.retry_after = retry_after
        self.is_transient = status in _TRANSIENT_STATUSES
        # A successful status means that the response could not be parsed.
        self.may_have_been_applied = not 400 <= status < 500 or status in _UNDECIDED_STATUSES


class AnswerTooLargeError(ApiError):
    """A response has more bytes than `limit`, the setting `max_answer_bytes`. The rest was not read."""

    def __init__(self, what: str, *, status: int, method: str, url: str, limit: int, hint: str = "") -> None:
        super().__init__(what, status=status, method=method, url=url, hint=hint)
        self.limit = limit


class AuthenticationError(ApiError, PermissionError):
    """401: the server requires a token, and the token is missing or not accepted."""


class ForbiddenError(ApiError, PermissionError):
    """403: the token is valid, but its user does not have the permission."""


class NotFoundError(ApiError, LookupError):
    """404: the item, image, board, model or route does not exist on the server."""


class RejectedError(ApiError, ValueError):
    """The server rejected the request with another 4xx status, such as 400, 409, 413, 415 or 422."""


class GraphRejectedError(RejectedError):
    """The server's validation rejected the graph.

    `node_id`, `node_type` and `field` name the place, if the response contains them; otherwise they are None.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int,
        method: str,
        url: str,
        detail: Any = None,
        node_id: str | None = None,
        node_type: str | None = None,
        field: str | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(what, status=status, method=method, url=url, detail=detail, hint=hint)
        self.node_id = node_id
        self.node_type = node_type
        self.field = field


class ServerError(ApiError):
    """The server failed with a 5xx status, or returned a response that this client cannot parse."""


class WorkflowError(InvokeAIError, ValueError):
    """A workflow cannot be used. `source` is its file, or describes its origin."""

    def __init__(self, what: str, *, source: str | None = None, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.source = source


class WorkflowFileError(WorkflowError):
    """The file cannot be read, is not JSON, or its JSON is not a workflow."""


class WorkflowVersionError(WorkflowError):
    """The workflow's format version, `version`, is not supported by this client."""

    def __init__(self, what: str, *, version: object, source: str | None = None, hint: str = "") -> None:
        super().__init__(what, source=source, hint=hint)
        self.version = version


class FormChangedError(WorkflowError):
    """The workflow's form differs from the one that a module was generated for. `changes` lists the differences."""

    def __init__(self, what: str, *, changes: tuple[str, ...], source: str | None = None, hint: str = "") -> None:
        super().__init__(what, source=source, hint=hint)
        self.changes = changes


class InputsNotReadyError(WorkflowError):
    """The workflow cannot run yet. `problems` contains a tuple (node id, field, reason) for each problem.

    The field is "" for a problem of a whole node; the node id is "" too for a problem of the whole workflow.
    """

    def __init__(
        self, what: str, *, problems: tuple[tuple[str, str, str], ...] = (), source: str | None = None, hint: str = ""
    ) -> None:
        super().__init__(what, source=source, hint=hint)
        self.problems = problems


class UnknownNodeError(InputsNotReadyError):
    """The server lacks the node types `node_types`, used by the nodes `node_ids`. There may be other `problems` too."""

    def __init__(
        self,
        what: str,
        *,
        node_types: tuple[str, ...],
        node_ids: tuple[str, ...],
        problems: tuple[tuple[str, str, str], ...] = (),
        source: str | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(what, problems=problems, source=source, hint=hint)
        self.node_types = node_types
        self.node_ids = node_ids


class BatchError(InputsNotReadyError):
    """Batch nodes do not make a valid batch: a node is empty, or the lengths in a group differ.

    A generator that returns nothing counts as empty. `node_ids` are the ids of the nodes. There may be other `problems`
    too.
    """

    def __init__(
        self,
        what: str,
        *,
        node_ids: tuple[str, ...],
        problems: tuple[tuple[str, str, str], ...] = (),
        source: str | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(what, problems=problems, source=source, hint=hint)
        self.node_ids = node_ids


class InputNotFoundError(InvokeAIError, IndexError):
    """No input matches `key`, or several do. `choices` are the existing inputs, or the matching ones.

    `near` asks whether a similar key was meant, and is "" if none is similar. `places` has (node id, field name) of the
    inputs with that name or label that the form does not show. `listed` is the rest of the hint.
    """

    def __init__(
        self,
        what: str,
        *,
        key: object,
        choices: tuple[str, ...],
        near: str = "",
        places: tuple[tuple[str, str], ...] = (),
        hint: str = "",
    ) -> None:
        shown = ", ".join(f"wf.inputs[{place}]" for place in places)
        hidden = f"The form does not show it, but these nodes have it: {shown}. " if places else ""
        super().__init__(what, hint=near + hidden + hint)
        self.key = key
        self.choices = choices
        self.near = near
        self.places = places
        self.listed = hint


class InputValueError(InvokeAIError, ValueError):
    """The input `node_type`.`field` does not accept `value`; it keeps its previous value.

    `expected` describes the accepted values, such as "a whole number at least 0".
    """

    def __init__(
        self,
        what: str,
        *,
        node_id: str,
        node_type: str,
        field: str,
        value: object,
        expected: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(what, hint=hint)
        self.node_id = node_id
        self.node_type = node_type
        self.field = field
        self.value = value
        self.expected = expected


class InputConnectedError(InputValueError):
    """An edge, `edge`, feeds the input, so a value that is set would not be used."""

    def __init__(
        self, what: str, *, node_id: str, node_type: str, field: str, value: object, edge: str, hint: str = ""
    ) -> None:
        super().__init__(what, node_id=node_id, node_type=node_type, field=field, value=value, hint=hint)
        self.edge = edge


class PlanError(InvokeAIError, ValueError):
    """A plan has rows that cannot run. `problems` contains a tuple (row, column, reason) for each bad cell.

    The row is an index, or None for a problem of a whole column; the column is "" for a problem of a whole row.
    """

    def __init__(self, what: str, *, problems: tuple[tuple[int | None, str, str], ...] = (), hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.problems = problems


class AmbiguousNameError(InvokeAIError, LookupError):
    """Several objects on the server, such as boards, have the name `name`. `choices` are their ids."""

    def __init__(self, what: str, *, name: str, choices: tuple[str, ...], hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.name = name
        self.choices = choices


class TransferError(InvokeAIError):
    """The server could not make a zip of images, or the zip cannot be extracted."""


class TransferRefusedError(TransferError, ValueError):
    """The arguments of a transfer are not valid, such as a log file that is another kind of file."""


class PromptTemplateError(InvokeAIError, ValueError):
    """The server cannot parse the prompt template `template`."""

    def __init__(self, what: str, *, template: str, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.template = template


class InstallFailed(InvokeAIError):
    """The model installation `job_id` failed.

    `error_type`, `error_message` and `error_traceback` are those of the server.
    """

    def __init__(
        self,
        what: str,
        *,
        job_id: int,
        error_type: str | None = None,
        error_message: str | None = None,
        error_traceback: str | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(what, hint=hint)
        self.job_id = job_id
        self.error_type = error_type
        self.error_message = error_message
        self.error_traceback = error_traceback


class InstallTimeout(InvokeAIError, TimeoutError):
    """The installation `job_id` did not end within the timeout. It continues."""

    def __init__(self, what: str, *, job_id: int, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.job_id = job_id


class NotFetchedError(InvokeAIError, RuntimeError):
    """An attribute is not known, because the object was not fetched from the server yet."""


class NotSubmittedError(InvokeAIError, RuntimeError):
    """The workflow was not submitted yet, so there is no run or queue item."""


class RunError(InvokeAIError):
    """A run did not complete. `batch_id` is its batch, `item_id` the queue item, if the error concerns a single one."""

    batch_id: str

    def __init__(self, what: str, *, batch_id: str, item_id: int | None = None, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.batch_id = batch_id  # pyright: ignore[reportIncompatibleVariableOverride]
        self.item_id = item_id


class RunFailed(RunError):
    """A node raised an error on the server.

    `node_id` and `node_type` are those of the node; `error_type`, `error_message` and `error_traceback` those of the
    error. For a node of a called workflow, `call_path` has the ids of the call nodes that lead to it, the outermost
    first; otherwise it is empty. `is_transient` is true if the server ran out of memory, or if a service that the node
    uses did not respond.
    """

    def __init__(
        self,
        what: str,
        *,
        batch_id: str,
        item_id: int | None,
        error_type: str | None = None,
        error_message: str | None = None,
        error_traceback: str | None = None,
        node_id: str | None = None,
        node_type: str | None = None,
        call_path: tuple[str, ...] = (),
        hint: str = "",
    ) -> None:
        super().__init__(what, batch_id=batch_id, item_id=item_id, hint=hint)
        self.error_type = error_type
        self.error_message = error_message
        self.error_traceback = error_traceback
        self.node_id = node_id
        self.node_type = node_type
        self.call_path = call_path
        is_short_of_memory = "out of memory" in (error_message or "").lower()
        self.is_transient = is_short_of_memory or error_type in _TRANSIENT_NODE_ERRORS


class RunCanceled(RunError):
    """The run was canceled, by a user or by a restart of the server."""


class RunTimeout(RunError, TimeoutError):
    """The run did not end within `timeout` seconds. It continues, and can be waited for again."""

    def __init__(self, what: str, *, batch_id: str, item_id: int | None = None, timeout: float, hint: str = "") -> None:
        super().__init__(what, batch_id=batch_id, item_id=item_id, hint=hint)
        self.timeout = timeout


class SubmitTimeout(InvokeAIError, TimeoutError):
    """A submission was held back by its priority for `timeout` seconds, and was not sent."""

    def __init__(self, what: str, *, timeout: float, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.timeout = timeout


class NotEnqueuedError(RunError):
    """The server enqueued only `enqueued` of `requested` items.

    `is_transient` is true if the queue had no room. If `requested` is 0, the batch has no items.
    """

    def __init__(self, what: str, *, batch_id: str, requested: int, enqueued: int, hint: str = "") -> None:
        super().__init__(what, batch_id=batch_id, hint=hint)
        self.requested = requested
        self.enqueued = enqueued
        self.is_transient = requested > 0


class PipelineError(InvokeAIError):
    """A stage of a pipeline failed.

    `stage` is its number, counted from 1, `stage_name` the name of its workflow, and `initial_input` the input of the
    pipeline. `__cause__` is the original error, from which `is_transient` and `may_have_been_applied` are taken.
    """

    def __init__(
        self, what: str, *, stage: int, stage_name: str, initial_input: Any, cause: Exception, hint: str = ""
    ) -> None:
        super().__init__(what, hint=hint)
        self.stage = stage
        self.stage_name = stage_name
        self.initial_input = initial_input
        if isinstance(cause, InvokeAIError):
            self.is_transient = cause.is_transient
            self.may_have_been_applied = cause.may_have_been_applied
            self.batch_id = cause.batch_id


class BatchFolderError(InvokeAIError):
    """The folder of a batch, `folder`, cannot be used or written. `folder` is None for a temporary file."""

    def __init__(self, what: str, *, folder: Path | None, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.folder = folder


class ProcessorStoppedError(InvokeAIError, RuntimeError):
    """The server responds, but its queue processor has stopped. `item_id` is the item in progress, if known."""

    def __init__(self, what: str, *, queue_id: str, item_id: int | None = None, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.queue_id = queue_id
        self.item_id = item_id


class UnsafePathError(InvokeAIError, ValueError):
    """A path or file name, `name`, is not valid, or would be outside of its folder."""

    def __init__(self, what: str, *, name: str, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.name = name


class NotAnImageError(InvokeAIError, ValueError):
    """The file or content `name` is not an image of a supported format."""

    def __init__(self, what: str, *, name: str, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.name = name


class LocalServerError(InvokeAIError, RuntimeError):
    """A managed server could not be installed, started or prepared. `log_path` is the log with details, if any."""

    def __init__(self, what: str, *, log_path: str | None = None, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.log_path = log_path


class LocalServerInUseError(LocalServerError):
    """Another process runs a server on the same root folder."""
