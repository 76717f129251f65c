"""Requests for completion, with the standard library alone: importing the client takes longer than a Tab may."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from invokeai_py_client.settings import Settings

_TIMEOUT = 1.5
"""Seconds for a response, as the shell shows nothing until it has come."""

_MOST_BYTES = 8 * 1024 * 1024


def ask(settings: Settings, path: str, body: Any = None) -> Any:
    """Send a request, and return the JSON of the response. No redirect is followed.

    Args:
        settings: of the server. Without a token, none is sent; a login takes too long.
        path: below the server's root, with its query.
        body: of a POST; None sends a GET.

    Raises:
        OSError: the server cannot be reached, or only through a proxy, or does not return what was asked for.
        http.client.HTTPException: its response cannot be read.
        ValueError: its response is not JSON.
    """
    url = urlsplit(settings.url)
    if settings.proxy is not None:
        raise OSError("completion does not go through a proxy")
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=_TIMEOUT)
    headers = {"Content-Type": "application/json"}
    if settings.token is not None:
        headers["Authorization"] = f"Bearer {settings.token.reveal()}"
    try:
        sent = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", url.path + path, sent, headers)
        response = connection.getresponse()
        if response.status != 200:
            raise OSError(f"status {response.status}")
        return json.loads(response.read(_MOST_BYTES))
    finally:
        connection.close()
