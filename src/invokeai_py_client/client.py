"""The blocking client of one server, `InvokeAIClient`."""

from __future__ import annotations

import ssl
from typing import Literal, Never, Self

from invokeai_py_client.blocking.generated.client_methods import ClientMethods
from invokeai_py_client.earlier_names import refuse
from invokeai_py_client.errors import SettingsError
from invokeai_py_client.runtime.closing import Closable
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.secret import Secret
from invokeai_py_client.settings import MAX_DOWNLOAD_BYTES, MAX_RESPONSE_BYTES, MAX_ZIP_FILES, Settings


class InvokeAIClient(ClientMethods, Closable):
    """A client of one InvokeAI server. Creating a client sends no requests; the first call connects.

    One client can be used by any number of threads, event loops and workflows, which share one HTTP session and one
    socket.

    Args:
        settings: the server's URL, the credentials, timeouts and limits. None uses `Settings.from_environment()`.

    Raises:
        SettingsError: a setting is not valid.

    Example:
        >>> with InvokeAIClient.from_url("http://127.0.0.1:9090") as client:
        ...     print(client.app.get_version())
    """

    settings: Settings
    """The server's URL, the credentials, timeouts and limits."""

    def __init__(self, settings: Settings | None = None, *others: Never, **unknown: Never) -> None:
        if others or unknown or not isinstance(settings, Settings | None):
            # No value is shown, because it may be a secret.
            given = ", ".join([type(one).__name__ for one in (settings, *others) if one is not None] + [*unknown])
            raise SettingsError(
                f"InvokeAIClient takes Settings, not {given}.",
                setting="settings",
                hint="InvokeAIClient.from_url('http://127.0.0.1:9090', token=...) takes a URL and all settings.",
            )
        # Imported here, so that programs that do not create a client do not import them.
        from invokeai_py_client.async_client import AsyncClient
        from invokeai_py_client.live.tracker import RunTracker
        from invokeai_py_client.transport.http import HttpTransport

        self.settings = settings or Settings.from_environment()
        self._engine = Engine(f"invokeai-client {self.settings.url}")
        self._http = HttpTransport(self.settings, self._engine)
        self._tracker = RunTracker(self._http, self._engine)
        super().__init__(AsyncClient(self._engine, self._http, self._tracker))

    @classmethod
    def from_url(
        cls,
        url: str | Secret,
        *,
        token: str | Secret | None = None,
        email: str | None = None,
        password: str | Secret | None = None,
        timeout: float = 60.0,
        connect_timeout: float = 10.0,
        retries: int = 4,
        verify: bool | str | ssl.SSLContext = True,
        proxy: str | Secret | None = None,
        default_board: str | None = None,
        transport: Literal["websocket", "polling"] = "websocket",
        max_answer_bytes: int = MAX_RESPONSE_BYTES,
        max_download_bytes: int = MAX_DOWNLOAD_BYTES,
        max_zip_files: int = MAX_ZIP_FILES,
        **unknown: Never,
    ) -> Self:
        """Return a client of the server at a URL. The arguments are those of `Settings`.

        If no token, email or password is passed, they are read from the environment (`INVOKEAI_TOKEN`, or
        `INVOKEAI_EMAIL` and `INVOKEAI_PASSWORD`), unless `INVOKEAI_URL` is set to the URL of another server.

        Args:
            url: the server's URL, including its path prefix if it has one.
            token: a token, for a server with users.
            email: the email of a user, instead of a token. The client logs in when it is first needed.
            password: the password of the user.
            timeout: seconds for one request, including all retries.
            connect_timeout: seconds for connecting.
            retries: the maximum number of retries after a transient failure.
            verify: whether to verify the server's certificate; or the path of a CA bundle, or an `ssl.SSLContext`.
            proxy: the URL of an HTTP proxy; None reads it from the environment, "" uses none.
            default_board: the name or id of the board that `auto` means in a workflow; None for no board.
            transport: how events arrive: `websocket`, or `polling` for networks that block websockets.
            max_answer_bytes: the maximum size of a response in memory.
            max_download_bytes: the maximum size of a downloaded file, and of the content of a zip file.
            max_zip_files: the maximum number of files in a zip file.

        Returns:
            The client. Close it with `close()` or `await aclose()`, or use it in `with` or `async with`.

        Raises:
            SettingsError: an argument is not valid.

        Example:
            >>> client = InvokeAIClient.from_url("https://studio.example", email="ann@example.org", password=getpass())
        """
        # Wrapped before anything can fail, so that no frame of a traceback contains the plain values.
        url, token, password, proxy = Secret.of(url), Secret.of(token), Secret.of(password), Secret.of(proxy)
        unknown = dict.fromkeys(unknown)  # type: ignore[assignment]  # their values may be secret, too
        refuse(
            "from_url",
            unknown,
            api_key="The server uses tokens: pass token=..., or email=... and password=...",
            verify_ssl="Pass verify=False, or better verify='ca.pem'.",
            use_ssl="Write https:// in the URL.",
            max_retries="Pass retries=...",
            base_path="Write the path in the URL: 'http://127.0.0.1:9090/invoke'.",
        )
        settings = Settings.from_environment(
            url=url,
            token=token,
            email=email,
            password=password,
            timeout=timeout,
            connect_timeout=connect_timeout,
            retries=retries,
            verify=verify,
            proxy=proxy,
            default_board=default_board,
            transport=transport,
            max_answer_bytes=max_answer_bytes,
            max_download_bytes=max_download_bytes,
            max_zip_files=max_zip_files,
        )
        return cls(settings)

    def close(self) -> None:
        """Close the connections and end the client's thread.

        Runs continue on the server. Waits for them raise `ClientClosedError`.
        """
        self._engine.close()
        self._tracker.listener.connection.close()

    async def aclose(self) -> None:
        """Do the same as `close`, awaited from any loop."""
        await self._engine.aclose()
        self._tracker.listener.connection.close()

    def __repr__(self) -> str:
        return f"<InvokeAIClient {self.settings.url}>"
