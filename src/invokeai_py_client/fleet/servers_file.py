"""`fleet.toml`: the servers of a fleet in a file.

```toml
[[server]]
url = "http://gpu1:9090"

[[server]]
url = "http://gpu2:9090"
name = "the big one"
slots = 2
token_env = "GPU2_TOKEN"
```
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from invokeai_py_client.errors import SettingsError
from invokeai_py_client.fleet.server import Server
from invokeai_py_client.secret import Secret

_TEXTS = ("url", "name", "token_env", "token")
_KEYS = (*_TEXTS, "slots")


def read_servers(
    path: str | os.PathLike[str], *, token_of: Callable[[str], str | Secret | None] | None = None
) -> list[Server]:
    """Read the servers of a fleet from a TOML file.

    Each `[[server]]` has a `url`, and may have a `name`, `slots`, and one of `token_env`, the name of the environment
    variable that holds the token, and `token`. A file with a `token` must be readable by its owner only.

    Args:
        path: the path of the file.
        token_of: is called with the URL of a server that has no token in the file, and returns its token, or None.

    Returns:
        The servers, in the order of the file.

    Raises:
        SettingsError: the file cannot be read, or a value in it is not valid; the error names the file, the server and
            the key.

    Example:
        >>> with Fleet(read_servers("fleet.toml")) as fleet:
        ...     print(fleet.status())
    """
    path = Path(path)
    servers: list[Server] = []
    for number, table in enumerate(_tables_in(path), 1):
        where = f"[[server]] {number} of {path}"
        server = _server(table, where, path, token_of)
        for other, earlier in enumerate(servers, 1):
            for key in ("url", "name"):
                if getattr(earlier, key) == getattr(server, key):
                    raise SettingsError(
                        f"{where} has the same {key} as [[server]] {other}: {getattr(server, key)!r}.",
                        setting=key,
                        hint="Delete one of them. `slots` says how many rows a server runs at the same time."
                        if key == "url"
                        else "Give each server its own name.",
                    )
        servers.append(server)
    return servers


def _tables_in(path: Path) -> list[Mapping[str, Any]]:
    import tomllib

    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        # The text is not quoted, because it may hold a token.
        raise SettingsError(
            f"{path} is not TOML: {error}.", setting="fleet", hint="Write a [[server]] with a url for each server."
        ) from None
    except FileNotFoundError:
        raise SettingsError(
            f"There is no file {str(path)!r}.",
            setting="fleet",
            hint="Create it, with a [[server]] with a url for each server.",
        ) from None
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} cannot be read: {error}.", setting="fleet", hint="Check its permissions, and that it is UTF-8."
        ) from error
    for key in found:
        if key != "server":
            raise SettingsError(
                f"{path} has an unknown key {key!r}.",
                setting=key,
                hint="A fleet consists of [[server]] tables; each has a url.",
            )
    tables = found.get("server")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, Mapping) for table in tables):
        raise SettingsError(
            f"{path} lists no servers.",
            setting="server",
            hint='Write [[server]], in two brackets, and below it url = "http://gpu1:9090", for each server.',
        )
    return tables


def _server(
    table: Mapping[str, Any], where: str, path: Path, token_of: Callable[[str], str | Secret | None] | None
) -> Server:
    for key, value in table.items():
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            raise SettingsError(
                f"{where} has an unknown key {key!r}.",
                setting=key,
                hint=f"Did you mean {near[0]!r}?" if near else f"Keys: {', '.join(_KEYS)}.",
            )
        if key in _TEXTS and not isinstance(value, str):
            # The value is not quoted, because it may be a token.
            raise SettingsError(f"{key!r} of {where} is not text.", setting=key, hint="Put it into quotes.")
    if "url" not in table:
        raise SettingsError(f"{where} has no url.", setting="url", hint='Add url = "http://gpu1:9090".')
    token = _token(table, where, path)
    try:
        server = Server(table["url"], token=token, slots=table.get("slots"), name=table.get("name"))
        if token is None and token_of is not None:
            server = Server(server.url, token=token_of(server.url), slots=server.slots, name=server.name)
    except SettingsError as error:
        message = str(error).removesuffix(error.hint).rstrip()
        raise SettingsError(f"{where}: {message}", setting=error.setting, hint=error.hint) from None
    return server


def _token(table: Mapping[str, Any], where: str, path: Path) -> Secret | None:
    if "token" in table and "token_env" in table:
        raise SettingsError(
            f"{where} has both token and token_env.", setting="token", hint="Delete one of them; token_env is safer."
        )
    if (variable := table.get("token_env")) is not None:
        token = os.environ.get(variable)
        if not token:
            raise SettingsError(
                f"token_env of {where} names the environment variable {variable!r}, which is not set.",
                setting="token_env",
                hint=f"Set {variable} to the token of the server.",
            )
        return Secret(token)
    if "token" in table and sys.platform != "win32" and path.stat().st_mode & 0o077:
        raise SettingsError(
            f"{where} has a token, and other users of this machine can read or change the file.",
            setting="token",
            hint=f"Run chmod 600 {path}, or replace token with token_env, the name of an environment variable.",
        )
    return Secret.of(table.get("token"))
