"""The configuration file: profiles with the address, and the token, of a server each."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invokeai_py_client.cli.failures import Failure

CONFIG_VARIABLE = "INVOKEAI_CLIENT_CONFIG"

_KEYS = ("url", "token", "board")


@dataclass(frozen=True)
class Profile:
    """What the configuration file says of a server."""

    url: str | None = None
    token: str | None = None
    board: str | None = None


def config_path() -> Path:
    """Return where the configuration file is, or would be.

    Raises:
        Failure: the user has no home directory, and no file is named.
    """
    try:
        return _config_path()
    except RuntimeError:
        # pathlib's error for a user without a home.
        raise Failure(
            "bad_input",
            "There is no folder for the configuration file, as this user has no home directory.",
            f"Name the file, with its folder, in the environment variable {CONFIG_VARIABLE}.",
        ) from None


def _config_path() -> Path:
    if chosen := os.environ.get(CONFIG_VARIABLE):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "invokeai-client" / "config.toml"


def read_profile(name: str | None) -> Profile:
    """Read a profile.

    Args:
        name: its name; the file's `default_profile` if it is left out, else none.

    Raises:
        Failure: the file cannot be read, or has no such profile.
    """
    try:
        path = config_path()
    except Failure:
        if name is None and not os.environ.get(CONFIG_VARIABLE):
            return Profile()
        raise
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if name is None:
            return Profile()
        raise Failure(
            "bad_input", f"There is no profile {name!r}: {path} does not exist.", f"Write [profiles.{name}] there."
        ) from None
    except (OSError, ValueError) as error:
        raise Failure("bad_input", f"The configuration file {path} cannot be read: {error}.") from error
    return _profile_in(_parsed(text, path), name, path)


def _parsed(text: str, path: Path) -> Mapping[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Not quoted: it may hold a token.
        raise Failure("bad_input", f"The configuration file {path} is not TOML: {error}.") from None


def _profile_in(config: Mapping[str, Any], name: str | None, path: Path) -> Profile:
    profiles = config.get("profiles", {})
    chosen = config.get("default_profile") if name is None else name
    if chosen is None:
        return Profile()
    if not isinstance(chosen, str):
        raise Failure("bad_input", f"'default_profile' in {path} is not text.", "Give it the name of a profile.")
    found = profiles.get(chosen) if isinstance(profiles, Mapping) else None
    if not isinstance(found, Mapping):
        names = ", ".join(profiles) if isinstance(profiles, Mapping) and profiles else "none"
        raise Failure("bad_input", f"{path} has no profile {chosen!r}.", f"Its profiles: {names}.")
    for key, value in found.items():
        if key not in _KEYS:
            raise Failure(
                "bad_input",
                f"The profile {chosen!r} in {path} has an unknown key {key!r}.",
                f"Keys: {', '.join(_KEYS)}.",
            )
        if not isinstance(value, str):
            raise Failure("bad_input", f"{key!r} of the profile {chosen!r} in {path} is not text.")
    return Profile(**found)
