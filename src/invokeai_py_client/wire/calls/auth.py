"""Routes of users, for servers from 6.12 in multi-user mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invokeai_py_client.secret import Secret
from invokeai_py_client.wire import records
from invokeai_py_client.wire.call import GONE, Call, Response, api_path, get
from invokeai_py_client.wire.reading import list_of, nothing, record


def get_status() -> Call[records.users.AuthStatus]:
    """`GET /api/v1/auth/status`: does not need a token."""
    return Call(
        method="GET",
        path=api_path("auth", "status"),
        parse=record(records.users.AuthStatus),
        idempotent=True,
        needs_token=False,
    )


def setup(email: str, password: Secret, *, display_name: str | None) -> Call[records.users.NewUser]:
    """`POST /api/v1/auth/setup`: creates the first administrator. Fails if there is one."""
    return Call(
        method="POST",
        path=api_path("auth", "setup"),
        body={"email": email, "password": password, "display_name": display_name},
        parse=record(records.users.NewUser),
        needs_token=False,
        has_secrets=True,
    )


def login(email: str, password: Secret, *, remember_me: bool) -> Call[records.users.LoginResult]:
    """`POST /api/v1/auth/login`: returns a token that is valid for a day, or with `remember_me` for a week."""
    return Call(
        method="POST",
        path=api_path("auth", "login"),
        body={"email": email, "password": password, "remember_me": remember_me},
        parse=record(records.users.LoginResult),
        idempotent=True,
        needs_token=False,
        has_secrets=True,
    )


def logout() -> Call[None]:
    """`POST /api/v1/auth/logout`: the token stays valid until it expires."""
    return Call(method="POST", path=api_path("auth", "logout"), parse=nothing, idempotent=True, needs_token=False)


def get_me() -> Call[records.users.UserRecord]:
    """`GET /api/v1/auth/me`: the user of the token."""
    return get(api_path("auth", "me"), record(records.users.UserRecord))


def update_me(changes: Mapping[str, Any]) -> Call[records.users.UserRecord]:
    """`PATCH /api/v1/auth/me`: changes the user's name or password. A new password invalidates all earlier tokens."""
    return Call(
        method="PATCH",
        path=api_path("auth", "me"),
        body=dict(changes),
        parse=record(records.users.UserRecord),
        has_secrets=True,
    )


def generate_password() -> Call[str]:
    """`GET /api/v1/auth/generate-password`: returns a strong random password."""
    return Call(method="GET", path=api_path("auth", "generate-password"), parse=_password)


def list_users() -> Call[list[records.users.UserRecord]]:
    """`GET /api/v1/auth/users`: for administrators."""
    return get(api_path("auth", "users"), list_of(records.users.UserRecord))


def get_user(user_id: str) -> Call[records.users.UserRecord]:
    """`GET /api/v1/auth/users/{user_id}`: for administrators."""
    return get(api_path("auth", "users", user_id), record(records.users.UserRecord))


def create_user(
    email: str, password: Secret, *, display_name: str | None, is_admin: bool
) -> Call[records.users.UserRecord]:
    """`POST /api/v1/auth/users`: for administrators."""
    return Call(
        method="POST",
        path=api_path("auth", "users"),
        body={"email": email, "password": password, "display_name": display_name, "is_admin": is_admin},
        parse=record(records.users.UserRecord),
        has_secrets=True,
    )


def update_user(user_id: str, changes: Mapping[str, Any]) -> Call[records.users.UserRecord]:
    """`PATCH /api/v1/auth/users/{user_id}`: for administrators."""
    return Call(
        method="PATCH",
        path=api_path("auth", "users", user_id),
        body=dict(changes),
        parse=record(records.users.UserRecord),
        idempotent=True,
        has_secrets=True,
    )


def delete_user(user_id: str) -> Call[None]:
    """`DELETE /api/v1/auth/users/{user_id}`: for administrators."""
    return Call(
        method="DELETE",
        path=api_path("auth", "users", user_id),
        parse=nothing,
        idempotent=True,
        done_statuses=GONE,
    )


def _password(response: Response) -> str:
    return str(response.json()["password"])
