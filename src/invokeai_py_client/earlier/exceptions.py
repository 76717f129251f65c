"""`invokeai_py_client.exceptions` of client 1.1."""

from builtins import TimeoutError

from invokeai_py_client.errors import ApiError as APIError
from invokeai_py_client.errors import (
    AuthenticationError,
    InvokeAIError,
    WorkflowError,
)
from invokeai_py_client.errors import InputValueError as ValidationError
from invokeai_py_client.errors import NotFoundError as ResourceNotFoundError
from invokeai_py_client.errors import RunError as JobError
from invokeai_py_client.errors import SettingsError as ConfigurationError
from invokeai_py_client.errors import TransportError as ConnectionError

__all__ = [
    "APIError",
    "AuthenticationError",
    "ConfigurationError",
    "ConnectionError",
    "InvokeAIError",
    "JobError",
    "ResourceNotFoundError",
    "TimeoutError",
    "ValidationError",
    "WorkflowError",
]
