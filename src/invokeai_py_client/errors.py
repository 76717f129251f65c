"""Every error this package raises.

```
InvokeAIError
├── SettingsError (ValueError)              a URL, token or time-out that cannot be used
├── ClientClosedError (RuntimeError)        the client, or the interpreter, is closing
├── EngineThreadError (RuntimeError)        a blocking call on the client's own thread
├── TransportError (ConnectionError)        the server could not be reached, or hung up
│   ├── NotInvokeAIError                    something answered, but no InvokeAI server
│   ├── RedirectedError                     the server sends elsewhere, where nothing is sent
│   ├── NotReadyError (TimeoutError)        the wait for a server to come ended first
│   └── EnqueueInDoubtError                 a batch's answer was lost, and its fate cannot be asked
├── RequestTimeout (TimeoutError)           one request got no answer in time
├── InvalidRequestError (ValueError)        a method, query or header that HTTP cannot carry
│   └── RequestBodyError                        what was to be sent is not JSON
├── ApiError                                the server answered with an error
│   ├── AuthenticationError (PermissionError)   401: no token, or one it does not know
│   ├── ForbiddenError (PermissionError)        403: known, but not allowed
│   ├── AnswerTooLargeError                     more than the setting max_answer_bytes
│   ├── NotFoundError (LookupError)             404: there is no such thing
│   ├── RejectedError (ValueError)              another 4xx: it will not take what was sent
│   │   └── GraphRejectedError                  422 for a graph: names the node and the field
│   └── ServerError                             5xx, or an answer that cannot be understood
├── WorkflowError (ValueError)              a workflow that cannot be used
│   ├── WorkflowFileError                       not readable, no JSON, or no workflow
│   ├── WorkflowVersionError                    written by a version this client does not know
│   ├── FormChangedError                        its form is not the one that a module was generated for
│   └── InputsNotReadyError                     cannot run yet: `problems` lists every reason
│       ├── UnknownNodeError                        has nodes that the server lacks
│       └── BatchError                              has batch nodes that make no batch
├── InputNotFoundError (IndexError)         no such input or node, or several of that name
├── InputValueError (ValueError)            a value that the input's template does not allow
│   └── InputConnectedError                     an edge feeds the input, and would override the value
├── PlanError (ValueError)                  a plan of rows that cannot run: `problems` lists every bad cell
├── SubmitTimeout (TimeoutError)            a submission's turn had not come in time; nothing was sent
├── NotFetchedError (RuntimeError)          a property of something of which only the name is known
├── NotSubmittedError (RuntimeError)        a wait for a workflow of which nothing was submitted
├── AmbiguousNameError (LookupError)        several boards or models have that name
├── TransferError                           a zip of images could not be made or unpacked
│   └── TransferRefusedError (ValueError)       what was asked of a transfer cannot be
├── PromptTemplateError (ValueError)        a template of prompts that cannot be read
├── InstallFailed                           a model could not be installed
├── InstallTimeout (TimeoutError)           the wait ended before the installation did
├── RunError                                a run that has no good result
│   ├── RunFailed                               a node raised an error on the server
│   ├── RunCanceled                             somebody, or a restarted server, canceled it
│   ├── RunTimeout (TimeoutError)               the wait ended before the run did
│   └── NotEnqueuedError                        the server took fewer items than were sent
├── PipelineError                           a stage of a pipeline failed for an input: names both
├── BatchFolderError                        the folder of a batch cannot be used
├── ProcessorStoppedError (RuntimeError)    the server answers, but runs no items any more
├── NotAnImageError (ValueError)            a file that is to be uploaded is not an image
├── UnsafePathError (ValueError)            a name that would lead out of its folder
└── LocalServerError (RuntimeError)         a managed server that could not be installed or run
    └── LocalServerInUseError                   its root folder belongs to another process
```

Each also inherits the builtin that a reader would catch, says in its message what happened, to what, and what to do
next, carries the facts as attributes, and can be pickled.

Two attributes decide whether a failed request should be retried, here and in the code of users:

- `is_transient`: the same request may succeed if it is sent again a moment later.
- `may_have_been_applied`: the server may have carried out the request all the same.

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
from typing import Any, TypeVar

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
"""Types of the errors of nodes that need not happen again: as Python, PyTorch, requests and InvokeAI name them."""


class InvokeAIError(Exception):
    """The root of the tree: `except InvokeAIError` catches whatever this package raises.

    Args:
        what: what happened, and to what.
        hint: what to do next; becomes the end of the message.

    Attributes:
        is_transient: whether the same request may succeed if it is sent again a moment later.
        may_have_been_applied: whether the server may have carried out the request that failed. False means that it
            certainly did not, or that no request was made.
        batch_id: the batch that could not be enqueued, for every error of a submission that was sent. If
            `may_have_been_applied` is false, the queue has no item of it.
    """

    is_transient: bool = False
    may_have_been_applied: bool = False
    batch_id: str | None = None

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(f"{what} {hint}" if hint else what)
        self.hint = hint

    def __str__(self) -> str:
        # KeyError and OSError, which some of the tree inherit, have renderings of their own.
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call __init__ with `args` alone and lose every keyword.
        return _restore, (type(self), self.args, self.__dict__.copy())


def _restore(kind: type[_E], args: tuple[Any, ...], facts: dict[str, Any]) -> _E:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class SettingsError(InvokeAIError, ValueError):
    """A setting cannot be used: `setting` is its name."""

    def __init__(self, what: str, *, setting: str, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.setting = setting


class ClientClosedError(InvokeAIError, RuntimeError):
    """The client was closed, or the interpreter is shutting down."""


class EngineThreadError(InvokeAIError, RuntimeError):
    """A blocking call was made on the client's own thread, where it would wait for itself."""


class TransportError(InvokeAIError, ConnectionError):
    """The server could not be reached, or closed the connection: `method` and `url` say for what.

    `sent` tells whether the request may have reached the server all the same.
    """

    is_transient = True

    def __init__(self, what: str, *, url: str, method: str = "", sent: bool = True, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.url = url
        self.method = method
        self.sent = sent
        self.may_have_been_applied = sent


class NotInvokeAIError(TransportError):
    """Something answers at `url`, but it does not speak InvokeAI's API."""

    is_transient = False


class RedirectedError(TransportError):
    """The server redirects to where what was sent must not go: `target`, without its query, as far as it told."""

    is_transient = False

    def __init__(self, what: str, *, url: str, target: str | None, method: str = "", hint: str = "") -> None:
        super().__init__(what, url=url, method=method, hint=hint)
        self.target = target
        self.may_have_been_applied = False


class NotReadyError(TransportError, TimeoutError):
    """The server at `url` was not there for as long as it was waited for."""

    def __init__(self, what: str, *, url: str, method: str = "", hint: str = "") -> None:
        super().__init__(what, url=url, method=method, sent=False, hint=hint)


class EnqueueInDoubtError(TransportError):
    """It could not be found out whether the batch `batch_id` is in the queue.

    Do not send the batch again under another id. `client.run(batch_id=error.batch_id)` follows it if it is there, and
    a submission with `batch_id=error.batch_id` sends it only if it is not.
    """

    is_transient = False
    batch_id: str

    def __init__(self, what: str, *, batch_id: str, url: str, method: str = "", hint: str = "") -> None:
        super().__init__(what, url=url, method=method, hint=hint)
        self.batch_id = batch_id  # pyright: ignore[reportIncompatibleVariableOverride]


class RequestTimeout(InvokeAIError, TimeoutError):
    """One request, with all its retries, got no answer within `timeout` seconds."""

    is_transient = True
    may_have_been_applied = True

    def __init__(self, what: str, *, url: str, method: str, timeout: float, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.url = url
        self.method = method
        self.timeout = timeout


class InvalidRequestError(InvokeAIError, ValueError):
    """What was to be sent makes no request: HTTP cannot carry its method, its query or a header."""


class RequestBodyError(InvalidRequestError):
    """What was to be sent cannot be written as JSON."""


class ApiError(InvokeAIError):
    """The server answered with an error.

    `status` is the HTTP status, `method` and `url` the request, `detail` the server's own explanation as it came
    (text, or pydantic's list of faults), `retry_after` the seconds after which it wants to be asked again, if it
    told.
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
        # A good status means that the response could not be understood.
        self.may_have_been_applied = not 400 <= status < 500 or status in _UNDECIDED_STATUSES


class AnswerTooLargeError(ApiError):
    """An answer has more bytes than `limit`, the setting `max_answer_bytes`: the rest was not read."""

    def __init__(self, what: str, *, status: int, method: str, url: str, limit: int, hint: str = "") -> None:
        super().__init__(what, status=status, method=method, url=url, hint=hint)
        self.limit = limit


class AuthenticationError(ApiError, PermissionError):
    """401: the server wants a token and got none, or one that it does not know."""


class ForbiddenError(ApiError, PermissionError):
    """403: the token is good, but its user may not do this."""


class NotFoundError(ApiError, LookupError):
    """404: the server has no such item, image, board, model or route."""


class RejectedError(ApiError, ValueError):
    """The server will not take what was sent (400, 409, 413, 415, 422 and the like)."""


class GraphRejectedError(RejectedError):
    """The server's validation refused the graph: `node_id`, `node_type` and `field` say where, as far as it told."""

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
    """5xx, or an answer that this client cannot understand."""


class WorkflowError(InvokeAIError, ValueError):
    """A workflow that cannot be used: `source` is its file, or how else it came."""

    def __init__(self, what: str, *, source: str | None = None, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.source = source


class WorkflowFileError(WorkflowError):
    """The file cannot be read, is not JSON, or its JSON is not a workflow."""


class WorkflowVersionError(WorkflowError):
    """The workflow's format version is not one that this client knows: `version`."""

    def __init__(self, what: str, *, version: object, source: str | None = None, hint: str = "") -> None:
        super().__init__(what, source=source, hint=hint)
        self.version = version


class FormChangedError(WorkflowError):
    """The workflow's form is not the one that a generated module was written for: `changes` says how it differs."""

    def __init__(self, what: str, *, changes: tuple[str, ...], source: str | None = None, hint: str = "") -> None:
        super().__init__(what, source=source, hint=hint)
        self.changes = changes


class InputsNotReadyError(WorkflowError):
    """The workflow cannot run yet: `problems` has a (node id, field, reason) for each reason why.

    The field is "" where the reason concerns a whole node, the node id too where it concerns the whole workflow.
    """

    def __init__(
        self, what: str, *, problems: tuple[tuple[str, str, str], ...] = (), source: str | None = None, hint: str = ""
    ) -> None:
        super().__init__(what, source=source, hint=hint)
        self.problems = problems


class UnknownNodeError(InputsNotReadyError):
    """The server lacks node types: `node_types`, used by the nodes `node_ids`. There may be other `problems` too."""

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
    """Batch nodes that make no batch: empty ones, a group of unequal lengths, a generator that makes nothing.

    `node_ids` are the nodes. There may be other `problems` too.
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
    """No input answers to `key`, or several do; `choices` are those that exist, or those it could mean.

    `near` is the part of `hint` that suggests what `key` could mean.
    """

    def __init__(self, what: str, *, key: object, choices: tuple[str, ...], near: str = "", hint: str = "") -> None:
        super().__init__(what, hint=near + hint)
        self.key = key
        self.choices = choices
        self.near = near


class InputValueError(InvokeAIError, ValueError):
    """The template of `node_type`.`field` does not allow `value`; the input keeps what it had.

    `expected` says what the input takes, such as "a whole number at least 0".
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
    """An edge feeds the input, so that a value of its own would not be used. `edge` names it."""

    def __init__(
        self, what: str, *, node_id: str, node_type: str, field: str, value: object, edge: str, hint: str = ""
    ) -> None:
        super().__init__(what, node_id=node_id, node_type=node_type, field=field, value=value, hint=hint)
        self.edge = edge


class PlanError(InvokeAIError, ValueError):
    """A plan of rows that cannot run: `problems` has a (row, column, reason) for each bad cell.

    The row is its index, None where a whole column is bad; the column is "" where a whole row is.
    """

    def __init__(self, what: str, *, problems: tuple[tuple[int | None, str, str], ...] = (), hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.problems = problems


class AmbiguousNameError(InvokeAIError, LookupError):
    """Several things of the server have the name `name`; `choices` are their ids."""

    def __init__(self, what: str, *, name: str, choices: tuple[str, ...], hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.name = name
        self.choices = choices


class TransferError(InvokeAIError):
    """The server could not make a zip of images, or what it made cannot be unpacked."""


class TransferRefusedError(TransferError, ValueError):
    """What was asked of a transfer cannot be: a log that is some other file, a zip of images and of a board at once."""


class PromptTemplateError(InvokeAIError, ValueError):
    """A template of prompts that the server cannot read: `template`."""

    def __init__(self, what: str, *, template: str, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.template = template


class InstallFailed(InvokeAIError):
    """A model could not be installed: `job_id`, and the server's `error_type`, `error_message` and traceback."""

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
    """The wait for an installation ended first; the installation `job_id` goes on."""

    def __init__(self, what: str, *, job_id: int, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.job_id = job_id


class NotFetchedError(InvokeAIError, RuntimeError):
    """A property that sends no request does not know what was asked for yet."""


class NotSubmittedError(InvokeAIError, RuntimeError):
    """There is nothing to wait for: the workflow was not submitted yet."""


class RunError(InvokeAIError):
    """A run without a good result: `batch_id`, and `item_id` where one item is meant."""

    batch_id: str

    def __init__(self, what: str, *, batch_id: str, item_id: int | None = None, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.batch_id = batch_id  # pyright: ignore[reportIncompatibleVariableOverride]
        self.item_id = item_id


class RunFailed(RunError):
    """A node raised an error on the server: `node_id`, `node_type`, `error_type`, `error_message` and the traceback.

    If the node is one of a called workflow, `call_path` has the ids of the call nodes that lead to it, the outermost
    first; it is empty otherwise. It is transient if memory was short, or a service that the node uses did not respond.
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
    """The run was canceled: by somebody, or by a server that was restarted in its middle."""


class RunTimeout(RunError, TimeoutError):
    """The wait ended after `timeout` seconds; the run itself goes on and can be waited for again."""

    def __init__(self, what: str, *, batch_id: str, item_id: int | None = None, timeout: float, hint: str = "") -> None:
        super().__init__(what, batch_id=batch_id, item_id=item_id, hint=hint)
        self.timeout = timeout


class SubmitTimeout(InvokeAIError, TimeoutError):
    """A submission was held back by its priority for `timeout` seconds, and was not sent."""

    def __init__(self, what: str, *, timeout: float, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.timeout = timeout


class NotEnqueuedError(RunError):
    """The server's queue took `enqueued` of `requested` items and dropped the rest.

    It is transient if the queue had no room. If `requested` is 0, the batch has no items.
    """

    def __init__(self, what: str, *, batch_id: str, requested: int, enqueued: int, hint: str = "") -> None:
        super().__init__(what, batch_id=batch_id, hint=hint)
        self.requested = requested
        self.enqueued = enqueued
        self.is_transient = requested > 0


class PipelineError(InvokeAIError):
    """A stage of a pipeline failed: `stage` counts from 1, `stage_name` is its workflow, `initial_input` the input.

    `__cause__` is the error itself; what it says of retries holds for this one, too.
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
    """The folder of a batch cannot be used, or not written any more: `folder`, None for a temporary file."""

    def __init__(self, what: str, *, folder: Path | None, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.folder = folder


class ProcessorStoppedError(InvokeAIError, RuntimeError):
    """The server answers requests, but its queue processor has died: `item_id` was in progress then, if it is known."""

    def __init__(self, what: str, *, queue_id: str, item_id: int | None = None, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.queue_id = queue_id
        self.item_id = item_id


class UnsafePathError(InvokeAIError, ValueError):
    """A name, from the user or the server, would lead out of the folder it belongs in: `name`."""

    def __init__(self, what: str, *, name: str, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.name = name


class NotAnImageError(InvokeAIError, ValueError):
    """A file, or the content of one, is not an image of a known kind: `name`."""

    def __init__(self, what: str, *, name: str, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.name = name


class LocalServerError(InvokeAIError, RuntimeError):
    """A managed server could not be installed, started or prepared; `log_path` has the whole story, if any."""

    def __init__(self, what: str, *, log_path: str | None = None, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.log_path = log_path


class LocalServerInUseError(LocalServerError):
    """Another process runs a server on the same root folder."""
