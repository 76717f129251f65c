"""Who the client is to the server: a token, or what gets one. Nothing here is ever shown."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Awaitable, Callable

from invokeai_py_client.errors import ApiError, AuthenticationError, ForbiddenError
from invokeai_py_client.runtime.engine import Engine, LoopWatch
from invokeai_py_client.secret import Secret
from invokeai_py_client.settings import Settings
from invokeai_py_client.wire.call import Call
from invokeai_py_client.wire.calls import auth
from invokeai_py_client.wire.records.users import LoginResult, UserRecord

logger = logging.getLogger("invokeai_py_client.auth")

Send = Callable[[Call[LoginResult]], Awaitable[LoginResult]]

_NO_USERS = {403, 404, 405}
"""What a server without users answers to a login: 403 says so, and servers before 6.12 have no such route."""


class Credentials:
    """Holds the token, and logs in when there is none, or the server accepts it no longer. Used on the engine only.

    `identity` rises whenever the client becomes somebody else, or nobody.

    Args:
        settings: a token, or an email and a password; or neither.
        engine: whose loop it is used on.
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
        """The token of now."""
        return self._token

    @property
    def wants_login(self) -> bool:
        """Whether there is no token yet, but an email and a password to get one."""
        return self._token is None and self._login is not None and self._is_needed

    def adopt(self, token: str | Secret) -> None:
        """Take a token that the server gave in place of the one that it was shown."""
        logger.debug("took the renewed token of %s", self._url)
        self._token = Secret.of(token)
        self._refusal = None

    def forget(self) -> None:
        """Be nobody from now on."""
        self._token = self._login = self._refusal = None
        self.identity += 1

    async def renew(self, refused: Secret | None, send: Send, *, is_asked: bool = True) -> bool:
        """Log in, unless somebody else has meanwhile.

        A refusal is remembered: those who waited while it came get it too, and so does whoever comes by himself.

        Args:
            refused: the token that the server did not accept; None if there was none.
            send: sends the login.
            is_asked: a call of the user's wants it, which may try once more what was refused before.

        Returns:
            Whether there is another token now; False if there is nothing to log in with.

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
                    # An answer that comes when the client has become somebody else is of no use.
                    if result is not None and self.identity == identity:
                        self._take(result)
        return self._token is not None

    async def log_in(
        self, email: str, password: Secret, send: Send, *, remember_me: bool | None = None
    ) -> UserRecord | None:
        """Be this user from now on; None where the server has no users.

        Args:
            email: the user's.
            password: the user's.
            send: sends the login.
            remember_me: the token, and those that follow it, are good for longer; None for what it was.

        Raises:
            AuthenticationError: the email or the password is wrong; who the client was before stays.
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
        """Log in; None where the server has no users."""
        try:
            return await send(auth.login(email, password, remember_me=remember_me))
        except AuthenticationError as error:
            raise AuthenticationError(
                f"The server did not accept the email or the password: POST {error.url} was answered with 401.",
                status=error.status,
                method=error.method,
                url=error.url,
                detail=error.detail,
                hint="Check both; an administrator of the server can set a new password.",
            ) from None
        except ApiError as error:
            if error.status not in _NO_USERS or (error.status == 403 and "Multiuser" not in str(error.detail)):
                raise
            self._is_needed = False
            return None
