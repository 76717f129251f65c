"""`client.auth`: the users of a server in multi-user mode, and the login of this client."""

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
    """Users of the server, and the login of this client: `client.auth`, awaited `client.aio.auth`."""

    def __init__(self, engine: Engine, http: HttpTransport, tracker: RunTracker) -> None:
        self._engine = engine
        self._http = http
        self._tracker = tracker

    @on_engine
    async def get_status(self) -> AuthStatus:
        """Return whether the server is in multi-user mode, and whether its first administrator has to be created.

        Endpoint: GET /api/v1/auth/status (InvokeAI 6.12 or later, no token needed)
        """
        return await self._http.send(auth.get_status())

    @on_engine
    async def setup(self, email: str, password: str | Secret, *, display_name: str | None = None) -> UserRecord:
        """Create the first administrator of a server. Does not log in; call `login` afterwards.

        Endpoint: POST /api/v1/auth/setup

        Raises:
            RejectedError: there is an administrator already, or the password is too weak; the message says which.
            ForbiddenError: the server is not in multi-user mode.
        """
        password = Secret.of(password)
        return (await self._http.send(auth.setup(email, password, display_name=display_name))).user

    @on_engine
    async def login(self, email: str, password: str | Secret, *, remember_me: bool = False) -> UserRecord:
        """Log in, for requests and for the socket. When the token expires, the client logs in again by itself.

        Endpoint: POST /api/v1/auth/login

        Args:
            email: the user's email address.
            password: the user's password.
            remember_me: request tokens that are valid for a week instead of a day.

        Returns:
            The user.

        Raises:
            AuthenticationError: the email or the password is wrong. An earlier login stays valid.
            ForbiddenError: the user is deactivated, or the server is not in multi-user mode.

        Example:
            >>> client.auth.login("ann@example.org", getpass.getpass()).display_name
            'Ann'
        """
        password = Secret.of(password)
        user = await self._http.log_in(email, password, remember_me=remember_me)
        if user is None:
            call = auth.login(email, Secret(""), remember_me=remember_me)
            raise ForbiddenError(
                "The server is not in multi-user mode, so there is no login.",
                status=403,
                method=call.method,
                url=self._http.url_of(call.path),
                hint="Use the client without a login, or start the server with `multiuser: true`.",
            )
        await self._tracker.listener.reconnect()
        return user

    @on_engine
    async def logout(self) -> None:
        """Forget the token and the login. The server accepts the token until it expires.

        Does nothing on a server that is not in multi-user mode.

        Endpoint: POST /api/v1/auth/logout (if there is a token)
        """
        credentials = self._http.credentials
        try:
            if credentials.token is not None:
                await self._http.send(auth.logout())
        except (AuthenticationError, ForbiddenError, NotFoundError, RejectedError):
            # The token is no longer valid, or the server is not in multi-user mode.
            pass
        finally:
            credentials.forget()
            await self._tracker.listener.reconnect()

    @on_engine
    async def get_me(self) -> UserRecord:
        """Return the user that the client is logged in as.

        Endpoint: GET /api/v1/auth/me

        Raises:
            AuthenticationError: the client is not logged in.
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
        """Change the name or password of the current user.

        A new password invalidates all tokens of the user. The client gets a new one by itself.

        Endpoint: PATCH /api/v1/auth/me

        Raises:
            RejectedError: the current password is wrong, or the new one is too weak; the message says which.
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
        """Return a strong random password, generated by the server.

        Endpoint: GET /api/v1/auth/generate-password
        """
        return await self._http.send(auth.generate_password())

    @on_engine
    async def list_users(self) -> list[UserRecord]:
        """Return all users.

        Endpoint: GET /api/v1/auth/users (administrators only)

        Raises:
            ForbiddenError: the current user is not an administrator.
        """
        return await self._http.send(auth.list_users())

    @on_engine
    async def get_user(self, user_id: str) -> UserRecord:
        """Return a user.

        Endpoint: GET /api/v1/auth/users/{user_id} (administrators only)

        Raises:
            NotFoundError: there is no user with that id.
            ForbiddenError: the current user is not an administrator.
        """
        return await self._http.send(auth.get_user(user_id))

    @on_engine
    async def create_user(
        self, email: str, password: str | Secret, *, display_name: str | None = None, is_admin: bool = False
    ) -> UserRecord:
        """Create a user.

        Endpoint: POST /api/v1/auth/users (administrators only)

        Raises:
            RejectedError: the email is in use, or the password is too weak; the message says which.
            ForbiddenError: the current user is not an administrator.
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
        """Change or deactivate a user. Arguments that are None are not changed.

        Endpoint: PATCH /api/v1/auth/users/{user_id} (administrators only)

        Raises:
            NotFoundError: there is no user with that id.
            RejectedError: it is the last administrator, or the password is too weak.
            ForbiddenError: the current user is not an administrator.
        """
        password = Secret.of(password)
        changes = given(display_name=display_name, password=password, is_admin=is_admin, is_active=is_active)
        return await self._http.send(auth.update_user(user_id, changes))

    @on_engine
    async def delete_user(self, user_id: str) -> str:
        """Delete a user; return the id.

        Endpoint: DELETE /api/v1/auth/users/{user_id} (administrators only)

        Raises:
            NotFoundError: there is no user with that id.
            RejectedError: it is the last administrator.
            ForbiddenError: the current user is not an administrator.
        """
        await self._http.send(auth.delete_user(user_id))
        return user_id
