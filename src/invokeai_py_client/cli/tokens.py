"""Tokens of `login`, by server, in a file that only its owner can read."""

from __future__ import annotations

import json
from pathlib import Path

from invokeai_py_client.cli.config import config_path
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.files import whole_file
from invokeai_py_client.local.locking import FileLock


def tokens_path() -> Path:
    """Return the file of the tokens, beside the configuration file."""
    return config_path().with_name("tokens.json")


def read_token(url: str) -> str | None:
    """Return the token that was stored for a server, None if there is none."""
    try:
        tokens_path()
    except Failure:
        return None
    return _read().get(url)


def store_token(url: str, token: str | None) -> None:
    """Store the token of a server, or forget it. Other processes may do the same at the same time.

    Args:
        url: the server's address.
        token: its token; None to forget the one that is there.

    Raises:
        Failure: the file is damaged.
        OSError: the file cannot be locked or written.
    """
    path = tokens_path()
    lock = FileLock(path.with_suffix(".lock"))
    lock.acquire(wait=True)
    try:
        tokens = _read()
        if token is None:
            tokens.pop(url, None)
        else:
            tokens[url] = token
        with whole_file(path, permissions=0o600) as file:
            file.write(json.dumps(tokens).encode())
    finally:
        lock.release()


def _read() -> dict[str, str]:
    path = tokens_path()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is not a JSON object")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        # The reason is not shown: it may quote a token.
        raise Failure(
            "bad_input", f"The file of tokens {path} cannot be read.", "Delete it, and log in again."
        ) from None
    return {url: token for url, token in found.items() if isinstance(token, str)}
