"""Routes of users, for servers from 6.12 in multi-user mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invokeai_py_client.secret import Secret
from invokeai_py_client.wire import records
from invokeai_py_client.wire.call import GONE, Call, Response, api_path, get, idempotent
from invokeai_py_client.wire.reading import list_of, nothing, record


def get_status() -> Call[records.users.AuthStatus]:
    """`GET /api/v1/auth/status`: does not need a token."""
    return idempotent("GET", api_path("auth", "status"), record(records.users.AuthStatus), needs_token=False)


def setup(email: str, password: Secret, *, display_name: str | None) -> Call[records.users.NewUser]:
    """`POST /api/v1/auth/setup`: creates the first administrator. Fails if there is one."""
    return Call(
        "POST",
        api_path("auth", "setup"),
        record(records.users.NewUser),
        body={"email": email, "password": password, "display_name": display_name},
        needs_token=False,
        has_secrets=True,
    )


def login(email: str, password: Secret, *, remember_me: bool) -> Call[records.users.LoginResult]:
    """`POST /api/v1/auth/login`: returns a token that is valid for a day, or with `remember_me` for a week."""
    return idempotent(
        "POST",
        api_path("auth", "login"),
        record(records.users.LoginResult),
        body={"email": email, "password": password, "remember_me": remember_me},
        needs_token=False,
        has_secrets=True,
    )


def logout() -> Call[None]:
    """`POST /api/v1/auth/logout`: the token stays valid until it expires."""
    return idempotent("POST", api_path("auth", "logout"), nothing, needs_token=False)


def get_me() -> Call[records.users.UserRecord]:
    """`GET /api/v1/auth/me`: the user of the token."""
    return get(api_path("auth", "me"), record(records.users.UserRecord))


def update_me(changes: Mapping[str, Any]) -> Call[records.users.UserRecord]:
    """`PATCH /api/v1/auth/me`: changes the user's name or password. A new password invalidates all earlier tokens."""
    return Call("PATCH", api_path("auth", "me"), record(records.users.UserRecord), body=dict(changes), has_secrets=True)


def generate_password() -> Call[str]:
    """`GET /api/v1/auth/generate-password`: returns a strong random password."""
    return Call("GET", api_path("auth", "generate-password"), _password)


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
        "POST",
        api_path("auth", "users"),
        record(records.users.UserRecord),
        body={"email": email, "password": password, "display_name": display_name, "is_admin": is_admin},
        has_secrets=True,
    )


def update_user(user_id: str, changes: Mapping[str, Any]) -> Call[records.users.UserRecord]:
    """`PATCH /api/v1/auth/users/{user_id}`: for administrators."""
    return idempotent(
        "PATCH",
        api_path("auth", "users", user_id),
        record(records.users.UserRecord),
        body=dict(changes),
        has_secrets=True,
    )


def delete_user(user_id: str) -> Call[None]:
    """`DELETE /api/v1/auth/users/{user_id}`: for administrators."""
    return idempotent("DELETE", api_path("auth", "users", user_id), nothing, done_statuses=GONE)


def _password(response: Response) -> str:
    return str(response.json()["password"])
