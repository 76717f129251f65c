"""Finds the requests of this client that change what the catalog knows, such as deleting or renaming a model."""

from __future__ import annotations

import re
from urllib.parse import unquote

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.wire.call import Call, Response

_ROUTE = re.compile(r"/api/v[0-9]+/(models|boards|images)(?:/(.*?))?/?")
_ONE_IMAGE = re.compile(r"i/([^/]+)")


def forget_changed(catalog: Catalog, call: Call[object], response: Response | None) -> None:
    """Have the catalog forget what a request may have changed, whether or not its response came.

    Args:
        catalog: what the client knows of the server.
        call: the request, of a repository or raw.
        response: its response, None if it failed.
    """
    found = _ROUTE.fullmatch(call.path)
    if found is None:
        return
    things, rest = found[1], found[2] or ""
    if things == "models":
        # An installation ends long after the request that began it; the client learns of it by asking for its job.
        has_installed = rest.startswith("install") and response is not None and b'"completed"' in response.content
        if call.method not in ("GET", "HEAD") or has_installed:
            catalog.forget("model")
    elif things == "boards" and call.method not in ("GET", "HEAD"):
        catalog.forget("board")
        if call.method == "DELETE":
            # Its images may go with it.
            catalog.forget("image")
    elif things == "images" and (call.method == "DELETE" or rest == "delete"):
        one = _ONE_IMAGE.fullmatch(rest)
        catalog.forget("image", unquote(one[1]) if one else None)
