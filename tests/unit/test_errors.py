from __future__ import annotations

import copy
import inspect
import pickle
import threading

import pytest

from invokeai_py_client import errors

FACTS = {
    "setting": "url",
    "url": "http://127.0.0.1:9090/api",
    "method": "GET",
    "target": "http://elsewhere/",
    "timeout": 3.0,
    "status": 422,
    "node_types": ("a",),
    "node_ids": ("1",),
    "version": "9",
    "key": "Promt",
    "choices": ("Prompt",),
    "node_id": "1",
    "node_type": "add",
    "field": "a",
    "value": 3,
    "batch_id": "b",
    "queue_id": "default",
    "item_id": 7,
    "requested": 2,
    "limit": 1000,
    "job_id": 3,
    "template": "a {cub",
    "enqueued": 1,
    "name": "../x",
    "folder": None,
    "problems": (("1", "a", "it needs a value"),),
    "edge": "a.value -> b.seed",
    "stage": 2,
    "stage_name": "upscale",
    "initial_input": "a tiger cub",
    "cause": ValueError("too small"),
    "changes": ("'Steps' was removed",),
}
ALL = [getattr(errors, name) for name in errors.__all__]


def make(kind: type[errors.InvokeAIError]) -> errors.InvokeAIError:
    parameters = inspect.signature(kind).parameters
    required = {
        name: FACTS[name]
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty and parameter.kind is parameter.KEYWORD_ONLY
    }
    return kind("It broke.", hint="Mend it.", **required)


@pytest.mark.parametrize("kind", ALL)
def test_every_error_says_what_and_what_to_do_and_survives_a_pickle(kind: type[errors.InvokeAIError]) -> None:
    error = make(kind)
    assert str(error) == "It broke. Mend it."
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is kind
    assert str(copied) == str(error)
    assert copied.__dict__ == error.__dict__
    assert copied.__dict__["hint"] == "Mend it."


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.SettingsError, ValueError),
        (errors.TransportError, ConnectionError),
        (errors.AmbiguousNameError, LookupError),
        (errors.InstallTimeout, TimeoutError),
        (errors.PromptTemplateError, ValueError),
        (errors.RequestTimeout, TimeoutError),
        (errors.RunTimeout, TimeoutError),
        (errors.AuthenticationError, PermissionError),
        (errors.NotFoundError, LookupError),
        (errors.InputNotFoundError, LookupError),
        (errors.InputValueError, ValueError),
        (errors.WorkflowFileError, ValueError),
        (errors.ClientClosedError, RuntimeError),
    ],
)
def test_an_error_is_the_builtin_that_a_reader_would_catch(
    kind: type[errors.InvokeAIError], builtin: type[Exception]
) -> None:
    assert issubclass(kind, builtin)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__ is not None
    drawn = [line for line in errors.__doc__.splitlines() if "──" in line]
    assert [line.split("── ")[1].split()[0] for line in drawn] != []
    stack: list[type] = [errors.InvokeAIError]
    for line in drawn:
        depth = line.index("──") // 4 + 1
        kind = getattr(errors, line.split("── ")[1].split()[0])
        assert stack[depth - 1] in kind.__mro__, line
        del stack[depth:]
        stack.append(kind)
    assert len(drawn) + 1 == len(errors.__all__)


def api_error(status: int) -> errors.ApiError:
    return errors.ApiError("It broke.", status=status, method="POST", url="u")


@pytest.mark.parametrize(
    ("error", "is_transient", "may_have_been_applied"),
    [
        (errors.TransportError("x", url="u", sent=False), True, False),
        (errors.TransportError("x", url="u"), True, True),
        (errors.RequestTimeout("x", url="u", method="GET", timeout=1), True, True),
        (errors.NotInvokeAIError("x", url="u"), False, True),
        (errors.RedirectedError("x", url="u", target=None), False, False),
        (errors.NotReadyError("x", url="u"), True, False),
        (errors.EnqueueInDoubtError("x", url="u", batch_id="b"), False, True),
        (errors.NotEnqueuedError("x", batch_id="b", requested=2, enqueued=0), True, False),
        (errors.NotEnqueuedError("x", batch_id="b", requested=0, enqueued=0), False, False),
        (errors.SettingsError("x", setting="url"), False, False),
        (errors.RunTimeout("x", batch_id="b", timeout=1), False, False),
        (api_error(200), False, True),
        *((api_error(status), False, False) for status in (400, 401, 403, 404, 413, 415, 422)),
        *((api_error(status), True, True) for status in (408, 425, 429, 502, 503, 504, 520, 524)),
        *((api_error(status), False, True) for status in (409, 500, 507)),
    ],
)
def test_every_error_tells_whether_a_retry_may_help_and_is_safe(
    error: errors.InvokeAIError, is_transient: bool, may_have_been_applied: bool
) -> None:
    assert (error.is_transient, error.may_have_been_applied) == (is_transient, may_have_been_applied)
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.is_transient, copied.may_have_been_applied) == (is_transient, may_have_been_applied)


def test_an_attribute_that_cannot_be_pickled_becomes_its_repr() -> None:
    lock = threading.Lock()
    error = errors.InputValueError("no number", node_id="n", node_type="add", field="a", value=lock)
    assert pickle.loads(pickle.dumps(error)).value == repr(lock)
    assert copy.copy(error).value is lock
