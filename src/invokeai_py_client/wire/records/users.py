"""Records about users."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, PlainSerializer

from invokeai_py_client.secret import Secret
from invokeai_py_client.wire.records.base import Record


def _secret(value: Any) -> Any:
    return Secret.of(value)


class AuthStatus(Record):
    """Whether the server is in multi-user mode, and whether its first administrator has to be created."""

    multiuser_enabled: bool
    setup_required: bool


class UserRecord(Record):
    """A user of the server."""

    user_id: str
    email: str
    display_name: str | None = None
    is_admin: bool = False
    is_active: bool = True
    created_at: str | None = None
    last_login_at: str | None = None


class NewUser(Record):
    """The response to the creation of the first administrator."""

    success: bool
    user: UserRecord


class LoginResult(Record):
    """A token, its user, and the seconds until it expires."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    token: Annotated[Secret, BeforeValidator(_secret), PlainSerializer(Secret.reveal)]
    user: UserRecord
    expires_in: int
