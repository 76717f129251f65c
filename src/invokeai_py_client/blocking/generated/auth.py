# Generated from repositories/auth.py by scripts/generate_blocking.py. Do not edit.
"""`Auth`: the methods of `AsyncAuth`, blocking."""

from __future__ import annotations

from invokeai_py_client.repositories.auth import AsyncAuth
from invokeai_py_client.runtime.twins import Blocking
from invokeai_py_client.secret import Secret
from invokeai_py_client.wire.records.users import AuthStatus, UserRecord


class Auth(Blocking[AsyncAuth]):
    """Users, and which of them the client is: `client.auth`, awaited `client.aio.auth`."""

    def get_status(self) -> AuthStatus:
        """Whether the server has users at all, and whether its first administrator is yet to be made.

        Endpoint: GET /api/v1/auth/status (InvokeAI 6.12 or later, no token needed)
        """
        return self._aio._engine.block(self._aio.get_status())

    def setup(self, email: str, password: str | Secret, *, display_name: str | None = None) -> UserRecord:
        """Make the first administrator of a server. Log in after it.

        Endpoint: POST /api/v1/auth/setup

        Raises:
            RejectedError: there is an administrator already, or the password is too weak; the server says which.
            ForbiddenError: the server is not in multi-user mode.
        """
        work = self._aio.setup(email, password, display_name=display_name)
        del email, password, display_name
        return self._aio._engine.block(work)

    def login(self, email: str, password: str | Secret, *, remember_me: bool = False) -> UserRecord:
        """Be this user from now on, on the socket too. When the token has expired, the client logs in again.

        Endpoint: POST /api/v1/auth/login

        Args:
            email: the user's.
            password: the user's.
            remember_me: the token, and those that follow it, are good for a week, in place of a day.

        Raises:
            AuthenticationError: the email or the password is wrong; who the client was before stays.
            ForbiddenError: the user was deactivated, or the server has no users.

        Example:
            >>> client.auth.login("ann@example.org", getpass.getpass()).display_name
            'Ann'
        """
        work = self._aio.login(email, password, remember_me=remember_me)
        del email, password, remember_me
        return self._aio._engine.block(work)

    def logout(self) -> None:
        """Be nobody from now on. The token that was forgotten stays good until it expires.

        Does nothing on a server without users.

        Endpoint: POST /api/v1/auth/logout (if there is a token)
        """
        return self._aio._engine.block(self._aio.logout())

    def get_me(self) -> UserRecord:
        """Who the client is.

        Endpoint: GET /api/v1/auth/me

        Raises:
            AuthenticationError: nobody.
        """
        return self._aio._engine.block(self._aio.get_me())

    def update_me(
        self,
        *,
        display_name: str | None = None,
        current_password: str | Secret | None = None,
        new_password: str | Secret | None = None,
    ) -> UserRecord:
        """Change the own name or password. A new password ends all tokens; the client goes on with a new one.

        Endpoint: PATCH /api/v1/auth/me

        Raises:
            RejectedError: the current password is wrong, or the new one is too weak; the server says which.
        """
        work = self._aio.update_me(
            display_name=display_name, current_password=current_password, new_password=new_password
        )
        del display_name, current_password, new_password
        return self._aio._engine.block(work)

    def generate_password(self) -> str:
        """A strong password that nobody has.

        Endpoint: GET /api/v1/auth/generate-password
        """
        return self._aio._engine.block(self._aio.generate_password())

    def list_users(self) -> list[UserRecord]:
        """All users.

        Endpoint: GET /api/v1/auth/users (administrators only)

        Raises:
            ForbiddenError: the client is none.
        """
        return self._aio._engine.block(self._aio.list_users())

    def get_user(self, user_id: str) -> UserRecord:
        """A user.

        Endpoint: GET /api/v1/auth/users/{user_id} (administrators only)

        Raises:
            NotFoundError: there is none of that id.
            ForbiddenError: the client is not an administrator.
        """
        work = self._aio.get_user(user_id)
        del user_id
        return self._aio._engine.block(work)

    def create_user(
        self, email: str, password: str | Secret, *, display_name: str | None = None, is_admin: bool = False
    ) -> UserRecord:
        """Make a user.

        Endpoint: POST /api/v1/auth/users (administrators only)

        Raises:
            RejectedError: the email is taken, or the password is too weak; the server says which.
            ForbiddenError: the client is not an administrator.
        """
        work = self._aio.create_user(email, password, display_name=display_name, is_admin=is_admin)
        del email, password, display_name, is_admin
        return self._aio._engine.block(work)

    def update_user(
        self,
        user_id: str,
        *,
        display_name: str | None = None,
        password: str | Secret | None = None,
        is_admin: bool | None = None,
        is_active: bool | None = None,
    ) -> UserRecord:
        """Change a user, who can be deactivated; what is left out stays.

        Endpoint: PATCH /api/v1/auth/users/{user_id} (administrators only)

        Raises:
            NotFoundError: there is none of that id.
            RejectedError: it would leave no administrator; or the password is too weak.
            ForbiddenError: the client is not an administrator.
        """
        work = self._aio.update_user(
            user_id, display_name=display_name, password=password, is_admin=is_admin, is_active=is_active
        )
        del user_id, display_name, password, is_admin, is_active
        return self._aio._engine.block(work)

    def delete_user(self, user_id: str) -> str:
        """Delete a user; return the id.

        Endpoint: DELETE /api/v1/auth/users/{user_id} (administrators only)

        Raises:
            NotFoundError: there is none of that id.
            RejectedError: it would leave no administrator.
            ForbiddenError: the client is not an administrator.
        """
        work = self._aio.delete_user(user_id)
        del user_id
        return self._aio._engine.block(work)
