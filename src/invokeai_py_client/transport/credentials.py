"""The token of the client, and the email and password to get a new one. They are not in any repr or log line."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from invokeai_py_client.errors import ApiError, AuthenticationError, ForbiddenError
from invokeai_py_client.runtime.engine import Engine, LoopWatch
from invokeai_py_client.secret import Secret
from invokeai_py_client.settings import Settings
from invokeai_py_client.wire.call import Call
from invokeai_py_client.wire.calls import auth

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.users import LoginResult, UserRecord

logger = logging.getLogger("invokeai_py_client.auth")

Send: TypeAlias = "Callable[[Call[LoginResult]], Awaitable[LoginResult]]"

_NO_USERS = {403, 404, 405}
"""Statuses with which a server without users responds to a login; those before 6.12 have no such route."""


class Credentials:
    """Hold the token, and log in when it is missing or the server no longer accepts it. Used on the engine only.

    Args:
        settings: the settings with a token, with an email and a password, or with neither.
        engine: the engine on whose loop this is used.

    Attributes:
        identity: increases when the client becomes another user, and when it forgets its user.
        on_login: called after each login, when the new token is in place.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._url = settings.url
        self._loop = LoopWatch(engine)
        self._lock = asyncio.Lock()
        self._token = settings.token
        self._login = None if settings.email is None else (settings.email, settings.password or Secret(""))
        self._remember_me = False
        self._is_needed = True
        self._refusal: ApiError | None = None
        self.identity = 0
        self.on_login: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return "<Credentials>"

    @property
    def token(self) -> Secret | None:
        """The current token."""
        return self._token

    @property
    def wants_login(self) -> bool:
        """Whether there is no token, but an email and a password to get one."""
        return self._token is None and self._login is not None and self._is_needed

    def adopt(self, token: str | Secret) -> None:
        """Replace the token by the renewed one that the server sent."""
        logger.debug("took the renewed token of %s", self._url)
        self._token = Secret.of(token)
        self._refusal = None

    def forget(self) -> None:
        """Forget the token and the login."""
        self._token = self._login = self._refusal = None
        self.identity += 1

    async def renew(self, refused: Secret | None, send: Send, *, is_asked: bool = True) -> bool:
        """Log in, unless another caller has replaced the refused token in the meantime.

        A refused login is remembered. Its error is raised for all callers that waited for it, and later for callers
        that do not act for the user, such as the socket.

        Args:
            refused: the token that the server did not accept; None if there was none.
            send: sends the login.
            is_asked: whether a call of the user needs the token. Only such a call repeats a refused login.

        Returns:
            Whether there is a token now. False if there is no email and password to log in with.

        Raises:
            AuthenticationError: the email or the password is wrong.
            ForbiddenError: the user was deactivated.
        """
        if self._login is None:
            return False
        if self._loop.has_changed():
            # A lock belongs to the loop on which it was first waited for.
            self._lock = asyncio.Lock()
        before = self._refusal
        async with self._lock:
            if self._token == refused:
                if self._refusal is not None and (self._refusal is not before or not is_asked):
                    raise copy.copy(self._refusal)
                identity = self.identity
                try:
                    result = await self._ask(*self._login, send=send, remember_me=self._remember_me)
                except (AuthenticationError, ForbiddenError) as error:
                    if self.identity == identity:
                        self._refusal = copy.copy(error)
                        raise
                else:
                    # The response is useless if the client has logged in as another user in the meantime.
                    if result is not None and self.identity == identity:
                        self._take(result)
        return self._token is not None

    async def log_in(
        self, email: str, password: Secret, send: Send, *, remember_me: bool | None = None
    ) -> UserRecord | None:
        """Log in as a user, and use this login for all further tokens.

        Args:
            email: the email of the user.
            password: the password of the user.
            send: sends the login.
            remember_me: whether this token and later ones are valid for longer; None keeps the previous choice.

        Returns:
            The user; None if the server has no users.

        Raises:
            AuthenticationError: the email or the password is wrong. The previous user stays logged in.
        """
        remember_me = self._remember_me if remember_me is None else remember_me
        result = await self._ask(email, password, send=send, remember_me=remember_me)
        if result is None:
            return None
        self.identity += 1
        self._login = (email, password)
        self._remember_me = remember_me
        self._take(result)
        return result.user

    def _take(self, result: LoginResult) -> None:
        logger.info("logged in to %s%s", self._url, "" if self._token is None else " again")
        self._token = result.token
        self._refusal = None
        self.on_login()

    async def _ask(self, email: str, password: Secret, *, send: Send, remember_me: bool) -> LoginResult | None:
        """Send a login and return its result; None if the server has no users."""
        try:
            return await send(auth.login(email, password, remember_me=remember_me))
        except AuthenticationError as error:
            raise AuthenticationError(
                f"The server did not accept the email or the password: POST {error.url} returned status 401.",
                status=error.status,
                method=error.method,
                url=error.url,
                detail=error.detail,
                hint="Check both. An administrator of the server can set a new password.",
            ) from None
        except ApiError as error:
            if error.status not in _NO_USERS or (error.status == 403 and "Multiuser" not in str(error.detail)):
                raise
            self._is_needed = False
            return None
