"""The Python environment that a server runs in: made once a version, in the user's cache folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from invokeai_py_client.errors import LocalServerError
from invokeai_py_client.local.locking import FileLock

Report = Callable[[str], None]

_SUPPORTED_PYTHONS = {(3, 11), (3, 12)}
_FALLBACK_PYTHON = (3, 11)
_DEVELOPMENT_SETTINGS = ("INVOKEAI_", "PYTHON", "VIRTUAL_ENV", "UV_PROJECT", "CONDA")


class ServerEnvironment:
    """The environment of one server version.

    Args:
        cache: the folder under which all of them lie.
        version: of `invokeai` on the package index.
        exclude_newer: a date such as "2025-08-01": take no package released after it. Old servers pin their
            dependencies loosely and need it.
    """

    def __init__(self, cache: Path, version: str, exclude_newer: str | None = None) -> None:
        self.version = version
        self._exclude_newer = exclude_newer
        name = f"invokeai-{version}" + (f"-{exclude_newer}" if exclude_newer else "")
        if not re.fullmatch(r"[\w.+-]+", name):
            raise LocalServerError(
                f"{version!r} is not a version of invokeai.",
                hint="Give one that is on the package index, such as 6.14.2.",
            )
        self.folder = cache / "servers" / name
        self._marker = self.folder / "complete"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self._program("python")

    @property
    def web(self) -> Path:
        """The server's program."""
        return self._program("invokeai-web")

    @property
    def is_installed(self) -> bool:
        """Whether it was made to its end."""
        return self._marker.exists()

    def install(self, report: Report) -> None:
        """Make the environment, unless it is there. A second process waits for the first.

        Args:
            report: is told each step.

        Raises:
            LocalServerError: it cannot be made; with the last lines of what the installer said.
        """
        if self.is_installed:
            return
        lock = FileLock(self.folder.with_suffix(".lock"))
        lock.acquire(wait=True)
        try:
            if not self.is_installed:
                self._make(report)
        finally:
            lock.release()

    def schema_version(self) -> str:
        """The version of the configuration file that this server wants, as its own source says."""
        for source in self.folder.glob("[Ll]ib/**/invokeai/app/services/config/config_default.py"):
            found = re.search(r'^CONFIG_SCHEMA_VERSION = "([\d.]+)"', source.read_text(encoding="utf-8"), re.MULTILINE)
            if found:
                return found[1]
        raise LocalServerError(
            f"The server in {self.folder} does not say which configuration it wants.",
            hint="Delete that folder, so that it is installed again.",
        )

    @staticmethod
    def variables() -> dict[str, str]:
        """The environment variables for the server: the user's, less those that would change what it does."""
        return {name: value for name, value in os.environ.items() if not name.startswith(_DEVELOPMENT_SETTINGS)}

    def _make(self, report: Report) -> None:
        report(f"installing InvokeAI {self.version} (once, about 7 GB) into {self.folder}")
        # What an interrupted installation left behind cannot be told from a good one.
        shutil.rmtree(self.folder, ignore_errors=True)
        uv = _find_uv()
        running = sys.version_info[:2]
        major, minor = running if running in _SUPPORTED_PYTHONS else _FALLBACK_PYTHON
        interpreter = sys.executable if running == (major, minor) else f"{major}.{minor}"
        self._run([uv, "venv", "--quiet", "--python", interpreter, str(self.folder)])
        newest = ["--exclude-newer", self._exclude_newer] if self._exclude_newer else []
        self._run([uv, "pip", "install", "--quiet", "--python", str(self.python), *newest, f"invokeai=={self.version}"])
        self._marker.touch()

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=self.variables())
        if done.returncode != 0:
            last = "\n".join(done.stderr.strip().splitlines()[-20:])
            raise LocalServerError(
                f"InvokeAI {self.version} could not be installed; the installer said:\n{last}\n",
                hint="Is the package index reachable, and is there room for 7 GB?",
            )

    def _program(self, name: str) -> Path:
        if sys.platform == "win32":
            return self.folder / "Scripts" / f"{name}.exe"
        return self.folder / "bin" / name


def _find_uv() -> str:
    try:
        import uv
    except ImportError as error:
        raise LocalServerError(
            "A local server is installed with uv, which is not there.",
            hint='Install it with: pip install "invokeai-py-client[local]"',
        ) from error
    try:
        return uv.find_uv_bin()
    except FileNotFoundError as error:
        raise LocalServerError(
            f"A local server is installed with uv, whose program is not there: {error}.",
            hint="Install it again with: pip install --force-reinstall uv",
        ) from error
