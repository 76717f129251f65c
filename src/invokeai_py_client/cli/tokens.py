"""Tokens of `login`, by server, in a file that only its owner can read."""

from __future__ import annotations

import json
import os
from pathlib import Path

from invokeai_py_client.cli.config import config_path
from invokeai_py_client.cli.failures import Failure


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
    """Store the token of a server, or forget it.

    Args:
        url: the server's address.
        token: its token; None to forget the one that is there.

    Raises:
        Failure: the file is damaged.
        OSError: the file cannot be written.
    """
    tokens = _read()
    if token is None:
        tokens.pop(url, None)
    else:
        tokens[url] = token
    path = tokens_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    # Nobody else can read it at any moment, as it never exists with other permissions.
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(tokens, file)
    part.replace(path)


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
