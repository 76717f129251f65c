"""Where the server is, how to speak to it, and how long to wait."""

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
"""A URL that is refused may hold a password."""

MAX_RESPONSE_BYTES = 256 * 1024 * 1024
MAX_DOWNLOAD_BYTES = 64 * 1024**3
MAX_ZIP_FILES = 200_000


@dataclass(frozen=True, slots=True, init=False)
class Settings:
    """All that a client needs to know before its first request.

    Args:
        url: the server's address, with its sub-path if it has one: `https://studio.example/invoke`.
        token: a bearer token; needed where the server runs in multi-user mode. It is held as a `Secret`.
        email: a user's, in place of a token: the client logs in when it is first needed, and again when the token has
            expired.
        password: the user's. It is held as a `Secret`.
        timeout: seconds that one request may take with all its retries and their delays; a download, between two
            pieces of the file; an upload, beyond what its file takes at 64 KB a second.
        connect_timeout: seconds to reach the server, and to open its socket.
        retries: how often a request is sent again at most after a transient failure (`InvokeAIError.is_transient`), if
            that is safe.
        verify: check the server's certificate: True, False, the path of a CA bundle, or an `ssl.SSLContext`.
        proxy: an HTTP proxy's URL, with user:password@ if it wants them; it is held as a `Secret`. An empty string
            means no proxy. None means what the environment says (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`), and none for
            loopback addresses. The websocket takes the same way.
        default_board: the board, by name or id, that `auto` means in a workflow; None for no board.
        transport: how events arrive: pushed through a websocket, or, where none can pass, by polling.
        max_answer_bytes: the largest response that is read into memory, after it is unpacked.
        max_download_bytes: the largest file that a download writes, and the most bytes that a zip may unpack to.
        max_zip_files: the most files that a zip may have.

    Raises:
        SettingsError: a value cannot be used; it says which, and what would do.

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
        # First of all, so that no frame of a traceback holds them as they were passed.
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
                    f"{name} must be a whole number from {least} on, got {number!r}.",
                    setting=name,
                    hint=f"Give {least} or more.",
                )
        if self.transport not in ("websocket", "polling"):
            raise SettingsError(
                f"Unknown transport={self.transport!r}.", setting="transport", hint="Give websocket or polling."
            )
        self._check_credentials()
        if self.proxy is not None and not _is_proxy(self.proxy):
            # Not shown: it may hold a password.
            raise SettingsError(
                "The proxy's URL cannot be used.",
                setting="proxy",
                hint="It should look like 'http://proxy.example:3128', with user:password@ before the host if it "
                "wants them, and with what is neither letter nor digit in them percent-encoded. Where none is passed, "
                'it comes from HTTP_PROXY or HTTPS_PROXY; proxy="" means none.',
            )

    def _check_credentials(self) -> None:
        for name in _CREDENTIALS:
            if not isinstance(getattr(self, name), str | Secret | None):
                raise SettingsError(f"The {name} is not text.", setting=name, hint="Pass it as a str.")
        token = None if self.token is None else self.token.reveal()
        if token is not None and token.strip().lower().startswith("bearer "):
            raise SettingsError(
                "The token begins with 'Bearer', which is the header's word and no part of it.",
                setting="token",
                hint="Pass what follows 'Bearer' alone.",
            )
        if token is not None and (not token or not token.isascii() or not token.isprintable()):
            raise SettingsError(
                "The token is empty or holds characters that no HTTP header can carry.",
                setting="token",
                hint="Pass the token alone, without 'Bearer' and without line ends.",
            )
        if (self.email is None) != (self.password is None):
            raise SettingsError(
                "An email without a password, or a password without an email, gets no token.",
                setting="email",
                hint="Give both, or a token.",
            )

    @classmethod
    def from_environment(cls, **settings: Any) -> Settings:
        """The settings that `INVOKEAI_URL`, `_TOKEN`, `_EMAIL` and `_PASSWORD` give; what is passed goes first.

        Who one is comes as a whole: where a token, an email or a password is passed, none of them is read. Nor are
        they where another server's `url` is passed than the one that `INVOKEAI_URL` names, if it is set.

        Raises:
            SettingsError: a value cannot be used, or only one of `INVOKEAI_EMAIL` and `INVOKEAI_PASSWORD` is set.
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
                    f"{has} is set in the environment, and {lacks} is not: one of them gets no token.",
                    setting="email",
                    hint=f"Set both, or {TOKEN_VARIABLE}.",
                )
        return cls(**{**settings, **found})

    @property
    def is_open(self) -> bool:
        """Whether what is sent crosses a network that anybody may listen to."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")

    def ssl_context(self) -> ssl.SSLContext | bool:
        """What aiohttp takes as `ssl`: True checks against the system's authorities, False checks nothing."""
        if isinstance(self.verify, str):
            try:
                return ssl.create_default_context(cafile=self.verify)
            except OSError as error:
                raise SettingsError(
                    f"The CA bundle {self.verify!r} cannot be used: {error}.",
                    setting="verify",
                    hint="Give the path of a PEM file.",
                ) from error
        return self.verify


def checked_seconds(name: str, seconds: object) -> float:
    """A time to wait.

    Raises:
        SettingsError: it is none; `name` is what it was given as.
    """
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0:
        return seconds
    raise SettingsError(
        f"{name}={seconds!r} is not a time to wait.", setting=name, hint="Give a number of seconds above 0."
    )


def _clean_url(url: object) -> str:
    """Return the server's root.

    Raises:
        SettingsError: the URL cannot be used.
    """
    cleaned = _cleaned(url)
    if isinstance(cleaned, SettingsError):
        # Raised here, where no frame holds the parts of the URL, one of which may be a password.
        raise cleaned
    return cleaned


def _cleaned(url: object) -> str | SettingsError:
    """Return the server's root, or why the URL cannot be used."""
    if not isinstance(url, Secret):
        return _unusable(f"it is {type(url).__name__}, not text")
    text = url.reveal().strip()
    if "@" in text:
        # Not shown: a URL reaches logs and errors, a password must not. It may hold what begins a path or a query.
        return SettingsError(
            "The server's URL holds a user name or password, or another '@'.",
            setting="url",
            hint="Pass token=..., or email=... and password=..., instead; in a sub-path write %40.",
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
        return _unusable(f"it cannot be read ({error})", shown)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    if scheme not in {"http", "https"}:
        return _unusable(f"its scheme is {scheme!r}, not http or https", shown)
    if not host or (port is not None and port == 0):
        return _unusable("it names no host or port", shown)
    if parts.query or parts.fragment:
        return _unusable("it has a query or a fragment", shown)
    # Some clients want the API's root here; the server's own root is the one thing both can mean.
    path = parts.path.rstrip("/").removesuffix("/api/v1").rstrip("/")
    return urlunsplit((scheme, parts.netloc, path, "", ""))


def _is_same_server(one: Secret, other: object) -> bool:
    """Whether two URLs have the same scheme, host and port; one that cannot be used is like no other."""
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
