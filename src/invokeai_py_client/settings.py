"""Where the server is, how to speak to it, and how long to wait."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
import urllib.request
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from invokeai_py_client.errors import SettingsError

DEFAULT_URL = "http://127.0.0.1:9090"
URL_VARIABLE = "INVOKEAI_URL"
TOKEN_VARIABLE = "INVOKEAI_TOKEN"
EMAIL_VARIABLE = "INVOKEAI_EMAIL"
PASSWORD_VARIABLE = "INVOKEAI_PASSWORD"
_CREDENTIALS = {"token": TOKEN_VARIABLE, "email": EMAIL_VARIABLE, "password": PASSWORD_VARIABLE}


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a client needs to know before its first request.

    Args:
        url: the server's address, with its sub-path if it has one: `https://studio.example/invoke`.
        token: a bearer token; needed where the server runs in multi-user mode. It is never shown.
        email: a user's, in place of a token: the client logs in when it is first needed, and again when the token has
            expired.
        password: the user's. It is never shown.
        timeout: seconds that one request may take with all its retries and their delays; a download, between two
            pieces of the file; an upload, beyond what its file takes at 64 KB a second.
        connect_timeout: seconds to reach the server, and to open its socket.
        retries: how often a request is sent again at most after a transient failure (`InvokeAIError.is_transient`), if
            that is safe.
        verify: check the server's certificate: True, False, the path of a CA bundle, or an `ssl.SSLContext`.
        proxy: an HTTP proxy's URL, with its user:password@ if it wants them, which are never shown; by default what the
            environment says (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`).
        default_board: the board, by name or id, that `auto` means in a workflow; None for no board.
        max_answer_bytes: no answer larger than this is read into memory; what is streamed into a file has no limit.
        transport: how the server's news come: pushed through a websocket, or, where none can pass, by asking.

    Raises:
        SettingsError: a value cannot be used; it says which, and what would do.

    Example:
        >>> Settings("localhost:9090/").url
        'http://localhost:9090'
    """

    url: str = DEFAULT_URL
    _: KW_ONLY
    token: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    timeout: float = 60.0
    connect_timeout: float = 10.0
    retries: int = 4
    verify: bool | str | ssl.SSLContext = True
    proxy: str | None = field(default=None, repr=False)
    default_board: str | None = None
    transport: Literal["websocket", "polling"] = "websocket"
    max_answer_bytes: int = 256 * 1024 * 1024

    def __post_init__(self) -> None:
        url = _clean_url(self.url)
        object.__setattr__(self, "url", url)
        for name in ("timeout", "connect_timeout"):
            checked_seconds(name, getattr(self, name))
        if self.transport not in ("websocket", "polling"):
            raise SettingsError(
                f"transport={self.transport!r} is not known.", setting="transport", hint="Give websocket or polling."
            )
        for name, least in (("max_answer_bytes", 1), ("retries", 0)):
            number = getattr(self, name)
            if not isinstance(number, int) or number < least:
                raise SettingsError(
                    f"{name}={number!r} is no number from {least} on.", setting=name, hint=f"Give {least} or more."
                )
        self._check_credentials()
        proxy = _proxy_from_environment(url) if self.proxy is None else self.proxy
        if proxy is not None:
            _check_proxy(proxy)
        object.__setattr__(self, "proxy", proxy)

    def _check_credentials(self) -> None:
        for name in _CREDENTIALS:
            if not isinstance(getattr(self, name), str | None):
                raise SettingsError(f"The {name} is no text.", setting=name, hint="Pass it as a str.")
        if self.token is not None and self.token.strip().lower().startswith("bearer "):
            raise SettingsError(
                "The token begins with 'Bearer', which is the header's word and no part of it.",
                setting="token",
                hint="Pass what follows 'Bearer' alone.",
            )
        if self.token is not None and (not self.token or not self.token.isascii() or not self.token.isprintable()):
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
        found: dict[str, Any] = {}
        url = os.environ.get(URL_VARIABLE)
        if url and "url" not in settings:
            found["url"] = url
        if all(settings.get(name) is None for name in _CREDENTIALS) and (
            not url or "url" not in settings or _is_same_server(url, settings["url"])
        ):
            found |= {name: value for name, variable in _CREDENTIALS.items() if (value := os.environ.get(variable))}
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
        return parts.scheme == "http" and not _is_loopback(parts.hostname or "")

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
        f"{name}={seconds!r} is no time to wait.", setting=name, hint="Give a number of seconds above 0."
    )


def _clean_url(url: object) -> str:
    if not isinstance(url, str):
        raise _unusable(f"it is {type(url).__name__}, not text")
    text = url.strip()
    if "@" in text:
        # Not shown: a URL reaches logs and errors, a password must not. It may hold what begins a path or a query.
        raise SettingsError(
            "The server's URL holds a user name or password, or another '@'.",
            setting="url",
            hint="Pass token=..., or email=... and password=..., instead; in a sub-path write %40.",
        )
    if "://" not in text:
        text = f"http://{text}"
    shown = re.split(r"[?#]", text, maxsplit=1)[0]
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname
    except ValueError:
        raise _unusable("it cannot be read", shown) from None
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    if scheme not in {"http", "https"}:
        raise _unusable(f"its scheme is {scheme!r}, not http or https", shown)
    if not host or (port is not None and port == 0):
        raise _unusable("it names no host or port", shown)
    if parts.query or parts.fragment:
        raise _unusable("it has a query or a fragment", shown)
    # Some clients want the API's root here; the server's own root is the one thing both can mean.
    path = parts.path.rstrip("/").removesuffix("/api/v1").rstrip("/")
    return urlunsplit((scheme, parts.netloc, path, "", ""))


def _is_same_server(one: object, other: object) -> bool:
    """Whether two URLs have the same scheme, host and port; one that cannot be used is like no other."""
    try:
        parts = [urlsplit(_clean_url(url)) for url in (one, other)]
    except SettingsError:
        return False
    origins = {(url.scheme, url.hostname, url.port or {"http": 80, "https": 443}[url.scheme]) for url in parts}
    return len(origins) == 1


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _unusable(why: str, url: str = "") -> SettingsError:
    shown = f" {url!r}" if url else ""
    return SettingsError(
        f"The server's URL{shown} cannot be used: {why}.",
        setting="url",
        hint=f"It should look like {DEFAULT_URL!r}, with a sub-path if the server has one.",
    )


def _proxy_from_environment(url: str) -> str | None:
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    found = urllib.request.getproxies().get(parts.scheme)
    # The variables of many machines hold an address without its scheme.
    return found if not found or "://" in found else f"http://{found}"


def _check_proxy(proxy: object) -> None:
    try:
        parts = urlsplit(proxy) if isinstance(proxy, str) else None
        is_good = parts is not None and parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        # Not shown, nor what was raised: it may hold a password.
        raise SettingsError(
            "The proxy's URL cannot be used.",
            setting="proxy",
            hint="It should look like 'http://proxy.example:3128', with user:password@ before the host if it wants "
            "them, and with what is no letter or digit in them percent-encoded. Where none is passed, it comes from "
            "HTTP_PROXY or HTTPS_PROXY.",
        )
