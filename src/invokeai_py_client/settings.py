"""The settings of a client: server URL, credentials, timeouts, TLS, proxy and limits."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from invokeai_py_client.errors import SettingsError
from invokeai_py_client.proxies import is_loopback, proxy_from_environment
from invokeai_py_client.secret import Secret

DEFAULT_URL = "http://127.0.0.1:9090"
URL_VARIABLE = "INVOKEAI_URL"
TOKEN_VARIABLE = "INVOKEAI_TOKEN"
EMAIL_VARIABLE = "INVOKEAI_EMAIL"
PASSWORD_VARIABLE = "INVOKEAI_PASSWORD"
_CREDENTIALS = {"token": TOKEN_VARIABLE, "email": EMAIL_VARIABLE, "password": PASSWORD_VARIABLE}
_SECRETS = ("url", "token", "password", "proxy")
"""Settings that may contain a password, also in a URL that is not valid."""

MAX_RESPONSE_BYTES = 256 * 1024 * 1024
MAX_DOWNLOAD_BYTES = 64 * 1024**3
MAX_ZIP_FILES = 200_000


@dataclass(frozen=True, slots=True, init=False)
class Settings:
    """The settings of a client.

    Args:
        url: the URL of the server, including its path prefix if it has one: `https://studio.example/invoke`.
        token: a bearer token, needed if the server runs in multi-user mode. Stored as a `Secret`.
        email: the email of a user, instead of a token. The client logs in when a token is first needed, and again when
            it has expired.
        password: the password of the user. Stored as a `Secret`.
        timeout: seconds for one request, including all retries and their delays. For a download it limits the time
            between two chunks; for an upload, the time for the file at 64 KB/s is added.
        connect_timeout: seconds for connecting to the server, and for opening its websocket.
        retries: the maximum number of retries after a transient failure (`InvokeAIError.is_transient`). Only requests
            that are safe to repeat are retried.
        verify: whether to verify the server's certificate, or how: True, False, the path of a CA bundle, or an
            `ssl.SSLContext`.
        proxy: the URL of an HTTP proxy, with `user:password@` if it requires a login; also used for the websocket.
            Stored as a `Secret`. An empty string means no proxy. None reads `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`
            from the environment; loopback addresses then use no proxy.
        default_board: the name or id of the board that `auto` means in a workflow; None for no board.
        transport: how events arrive: `websocket`, or `polling` for networks that block websockets.
        max_answer_bytes: the maximum size in bytes of a decompressed response that is read into memory.
        max_download_bytes: the maximum size in bytes of a downloaded file, and of the extracted content of a zip file.
        max_zip_files: the maximum number of files in a zip file.

    Raises:
        SettingsError: a value is not valid; the error names the setting and its valid values.

    Example:
        >>> Settings("localhost:9090/").url
        'http://localhost:9090'
    """

    url: str
    token: Secret | None = field(repr=False)
    email: str | None = field(repr=False)
    password: Secret | None = field(repr=False)
    timeout: float
    connect_timeout: float
    retries: int
    verify: bool | str | ssl.SSLContext
    proxy: Secret | None = field(repr=False)
    default_board: str | None
    transport: Literal["websocket", "polling"]
    max_answer_bytes: int
    max_download_bytes: int
    max_zip_files: int

    def __init__(
        self,
        url: str | Secret = DEFAULT_URL,
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
    ) -> None:
        # Wrapped before anything can fail, so that no frame of a traceback contains the plain values.
        url, token, password, proxy = Secret.of(url), Secret.of(token), Secret.of(password), Secret.of(proxy)
        for name, value in {
            "url": "",
            "token": token,
            "email": email,
            "password": password,
            "timeout": timeout,
            "connect_timeout": connect_timeout,
            "retries": retries,
            "verify": verify,
            "proxy": proxy or None,
            "default_board": default_board,
            "transport": transport,
            "max_answer_bytes": max_answer_bytes,
            "max_download_bytes": max_download_bytes,
            "max_zip_files": max_zip_files,
        }.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "url", _clean_url(url))
        if proxy is None:
            object.__setattr__(self, "proxy", Secret.of(proxy_from_environment(self.url)))
        self._check()

    def _check(self) -> None:
        for name in ("timeout", "connect_timeout"):
            checked_seconds(name, getattr(self, name))
        for name, least in (("retries", 0), ("max_answer_bytes", 1), ("max_download_bytes", 1), ("max_zip_files", 1)):
            number = getattr(self, name)
            if not isinstance(number, int) or isinstance(number, bool) or number < least:
                raise SettingsError(
                    f"`{name}` must be an integer of at least {least}, got {number!r}.",
                    setting=name,
                    hint=f"Pass {least} or more.",
                )
        if self.transport not in ("websocket", "polling"):
            raise SettingsError(
                f"Unknown transport={self.transport!r}.", setting="transport", hint="Pass websocket or polling."
            )
        self._check_credentials()
        if self.proxy is not None and not _is_proxy(self.proxy):
            # Not shown, because it may contain a password.
            raise SettingsError(
                "The proxy's URL cannot be used.",
                setting="proxy",
                hint="It should look like 'http://proxy.example:3128', with user:password@ before the host if it "
                "requires a login; percent-encode special characters in both. If no proxy is passed, "
                'it is read from HTTP_PROXY or HTTPS_PROXY; proxy="" means no proxy.',
            )

    def _check_credentials(self) -> None:
        for name in _CREDENTIALS:
            if not isinstance(getattr(self, name), str | Secret | None):
                raise SettingsError(f"The {name} is not text.", setting=name, hint="Pass it as a str.")
        token = None if self.token is None else self.token.reveal()
        if token is not None and token.strip().lower().startswith("bearer "):
            raise SettingsError(
                "The token begins with 'Bearer', which belongs to the header and not to the token.",
                setting="token",
                hint="Pass only the part after 'Bearer'.",
            )
        if token is not None and (not token or not token.isascii() or not token.isprintable()):
            raise SettingsError(
                "The token is empty or contains characters that are not allowed in an HTTP header.",
                setting="token",
                hint="Pass only the token, without 'Bearer' and without line breaks.",
            )
        if (self.email is None) != (self.password is None):
            raise SettingsError(
                "A login needs both an email and a password, but only one of them is set.",
                setting="email",
                hint="Pass both, or a token.",
            )

    @classmethod
    def from_environment(cls, **settings: Any) -> Settings:
        """Return the settings from `INVOKEAI_URL`, `INVOKEAI_TOKEN`, `INVOKEAI_EMAIL` and `INVOKEAI_PASSWORD`.

        Arguments take precedence over the environment. Credentials are all-or-nothing: if a token, an email or a
        password is passed, none is read from the environment. They are also not read if `INVOKEAI_URL` is set and the
        passed `url` is that of another server.

        Args:
            **settings: the arguments of `Settings`.

        Raises:
            SettingsError: a value is not valid, or only one of `INVOKEAI_EMAIL` and `INVOKEAI_PASSWORD` is set.
        """
        settings |= {name: Secret.of(settings[name]) for name in _SECRETS if name in settings}
        found: dict[str, Any] = {}
        url = Secret.of(os.environ.get(URL_VARIABLE))
        if url and "url" not in settings:
            found["url"] = url
        if all(settings.get(name) is None for name in _CREDENTIALS) and (
            not url or "url" not in settings or _is_same_server(url, settings["url"])
        ):
            found |= {name: os.environ[variable] for name, variable in _CREDENTIALS.items() if os.environ.get(variable)}
            found |= {name: Secret.of(found[name]) for name in _SECRETS if name in found}
            if ("email" in found) != ("password" in found):
                has, lacks = (EMAIL_VARIABLE, PASSWORD_VARIABLE)[:: 1 if "email" in found else -1]
                raise SettingsError(
                    f"{has} is set in the environment, but {lacks} is not; a login needs both.",
                    setting="email",
                    hint=f"Set both, or {TOKEN_VARIABLE}.",
                )
        return cls(**{**settings, **found})

    @property
    def is_open(self) -> bool:
        """Whether requests are sent unencrypted over a network: plain HTTP to a host that is not a loopback address."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")

    def ssl_context(self) -> ssl.SSLContext | bool:
        """Return the `ssl` argument for aiohttp: a context, True for the system's CAs, or False for no verification.

        Raises:
            SettingsError: the CA bundle cannot be loaded.
        """
        if isinstance(self.verify, str):
            try:
                return ssl.create_default_context(cafile=self.verify)
            except OSError as error:
                raise SettingsError(
                    f"The CA bundle {self.verify!r} cannot be used: {error}.",
                    setting="verify",
                    hint="Pass the path of a PEM file.",
                ) from error
        return self.verify


def checked_seconds(name: str, seconds: object) -> float:
    """Return a number of seconds unchanged if it is above 0.

    Raises:
        SettingsError: it is not a number above 0; `name` is the name of the setting.
    """
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0:
        return seconds
    raise SettingsError(
        f"`{name}` must be a number of seconds above 0, got {seconds!r}.",
        setting=name,
        hint="Pass seconds, such as 30.",
    )


def _clean_url(url: object) -> str:
    """Return the normalized root URL of the server.

    Raises:
        SettingsError: the URL is not valid.
    """
    cleaned = _cleaned(url)
    if isinstance(cleaned, SettingsError):
        # Raised here, because the frames of this traceback do not contain parts of the URL, such as a password.
        raise cleaned
    return cleaned


def _cleaned(url: object) -> str | SettingsError:
    """Return the normalized root URL of the server, or the error if the URL is not valid."""
    if not isinstance(url, Secret):
        return _unusable(f"it is {type(url).__name__}, not text")
    text = url.reveal().strip()
    if "@" in text:
        # Not shown, because it may contain a password. Not parsed, because the password may contain `/`, `?` or `#`.
        return SettingsError(
            "The server's URL contains a user name or password, or another '@'.",
            setting="url",
            hint="Remove it, and set INVOKEAI_TOKEN, or pass token=... or email=... and password=...; in a sub-path "
            "write %40.",
        )
    if not text:
        return _unusable("it is empty")
    if "://" not in text:
        if re.match(r"https?:", text):
            return _unusable("its scheme must be followed by ://", text)
        text = f"http://{text}"
    shown = re.split(r"[?#]", text, maxsplit=1)[0]
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname
    except ValueError as error:
        return _unusable(f"it cannot be parsed ({error})", shown)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    if scheme not in {"http", "https"}:
        return _unusable(f"its scheme is {scheme!r}, not http or https", shown)
    if not host or (port is not None and port == 0):
        return _unusable("it has no valid host or port", shown)
    if parts.query or parts.fragment:
        return _unusable("it has a query or a fragment", shown)
    # Some users pass the root of the API, as other clients expect it.
    path = parts.path.rstrip("/").removesuffix("/api/v1").rstrip("/")
    return urlunsplit((scheme, parts.netloc, path, "", ""))


def _is_same_server(one: Secret, other: object) -> bool:
    """Return whether two URLs have the same scheme, host and port. A URL that is not valid is equal to no other."""
    roots = [_cleaned(url) for url in (one, other)]
    parts = [urlsplit(root) for root in roots if isinstance(root, str)]
    origins = {(url.scheme, url.hostname, url.port or {"http": 80, "https": 443}[url.scheme]) for url in parts}
    return len(parts) == 2 and len(origins) == 1


def _unusable(why: str, url: str = "") -> SettingsError:
    shown = f" {url!r}" if url else ""
    return SettingsError(
        f"The server's URL{shown} cannot be used: {why}.",
        setting="url",
        hint=f"It should look like {DEFAULT_URL!r}, with a sub-path if the server has one.",
    )


def _is_proxy(proxy: object) -> bool:
    try:
        parts = urlsplit(proxy.reveal()) if isinstance(proxy, Secret) else None
        return parts is not None and parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
