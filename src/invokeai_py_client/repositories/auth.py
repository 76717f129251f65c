"""`client.auth`: the users of a server in multi-user mode, and who of them the client is."""

from __future__ import annotations

from invokeai_py_client.errors import AuthenticationError, ForbiddenError, NotFoundError, RejectedError
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.repositories.arguments import given
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.secret import Secret
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import auth
from invokeai_py_client.wire.records.users import AuthStatus, UserRecord


class AsyncAuth(FixedAttributes):
    """Users, and which of them the client is: `client.auth`, awaited `client.aio.auth`."""

    def __init__(self, engine: Engine, http: HttpTransport, tracker: RunTracker) -> None:
        self._engine = engine
        self._http = http
        self._tracker = tracker

    @on_engine
    async def get_status(self) -> AuthStatus:
        """Whether the server has users at all, and whether its first administrator is yet to be made.

        Endpoint: GET /api/v1/auth/status (InvokeAI 6.12 or later, no token needed)
        """
        return await self._http.send(auth.get_status())

    @on_engine
    async def setup(self, email: str, password: str | Secret, *, display_name: str | None = None) -> UserRecord:
        """Make the first administrator of a server. Log in after it.

        Endpoint: POST /api/v1/auth/setup

        Raises:
            RejectedError: there is an administrator already, or the password is too weak; the server says which.
            ForbiddenError: the server is not in multi-user mode.
        """
        password = Secret.of(password)
        return (await self._http.send(auth.setup(email, password, display_name=display_name))).user

    @on_engine
    async def login(self, email: str, password: str | Secret, *, remember_me: bool = False) -> UserRecord:
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
        password = Secret.of(password)
        user = await self._http.log_in(email, password, remember_me=remember_me)
        if user is None:
            call = auth.login(email, Secret(""), remember_me=remember_me)
            raise ForbiddenError(
                "The server has no users: nobody needs to log in.",
                status=403,
                method=call.method,
                url=self._http.url_of(call.path),
                hint="Use it as it is, or have it started with `multiuser: true`.",
            )
        await self._tracker.listener.reconnect()
        return user

    @on_engine
    async def logout(self) -> None:
        """Be nobody from now on. The token that was forgotten stays good until it expires.

        Does nothing on a server without users.

        Endpoint: POST /api/v1/auth/logout (if there is a token)
        """
        credentials = self._http.credentials
        try:
            if credentials.token is not None:
                await self._http.send(auth.logout())
        except (AuthenticationError, ForbiddenError, NotFoundError, RejectedError):
            # The token is no longer good, or the server has no users.
            pass
        finally:
            credentials.forget()
            await self._tracker.listener.reconnect()

    @on_engine
    async def get_me(self) -> UserRecord:
        """Who the client is.

        Endpoint: GET /api/v1/auth/me

        Raises:
            AuthenticationError: nobody.
        """
        return await self._http.send(auth.get_me())

    @on_engine
    async def update_me(
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
        current_password, new_password = Secret.of(current_password), Secret.of(new_password)
        changes = given(display_name=display_name, current_password=current_password, new_password=new_password)
        user = await self._http.send(auth.update_me(changes))
        if new_password is not None:
            await self._http.log_in(user.email, new_password)
            await self._tracker.listener.reconnect()
        return user

    @on_engine
    async def generate_password(self) -> str:
        """A strong password that nobody has.

        Endpoint: GET /api/v1/auth/generate-password
        """
        return await self._http.send(auth.generate_password())

    @on_engine
    async def list_users(self) -> list[UserRecord]:
        """All users.

        Endpoint: GET /api/v1/auth/users (administrators only)

        Raises:
            ForbiddenError: the client is none.
        """
        return await self._http.send(auth.list_users())

    @on_engine
    async def get_user(self, user_id: str) -> UserRecord:
        """A user.

        Endpoint: GET /api/v1/auth/users/{user_id} (administrators only)

        Raises:
            NotFoundError: there is none of that id.
            ForbiddenError: the client is not an administrator.
        """
        return await self._http.send(auth.get_user(user_id))

    @on_engine
    async def create_user(
        self, email: str, password: str | Secret, *, display_name: str | None = None, is_admin: bool = False
    ) -> UserRecord:
        """Make a user.

        Endpoint: POST /api/v1/auth/users (administrators only)

        Raises:
            RejectedError: the email is taken, or the password is too weak; the server says which.
            ForbiddenError: the client is not an administrator.
        """
        password = Secret.of(password)
        return await self._http.send(auth.create_user(email, password, display_name=display_name, is_admin=is_admin))

    @on_engine
    async def update_user(
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
        password = Secret.of(password)
        changes = given(display_name=display_name, password=password, is_admin=is_admin, is_active=is_active)
        return await self._http.send(auth.update_user(user_id, changes))

    @on_engine
    async def delete_user(self, user_id: str) -> str:
        """Delete a user; return the id.

        Endpoint: DELETE /api/v1/auth/users/{user_id} (administrators only)

        Raises:
            NotFoundError: there is none of that id.
            RejectedError: it would leave no administrator.
            ForbiddenError: the client is not an administrator.
        """
        await self._http.send(auth.delete_user(user_id))
        return user_id
