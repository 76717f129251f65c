"""Build the distribution into `dist/`, and check it in a clean environment: `make dist`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
UV = Path(sys.executable).with_name("uv")

LARGEST_WHEEL = 850_000
"""The maximum size in bytes. The wheel has nothing but source code, of which docstrings take a quarter, so a sudden
increase means that it contains something that does not belong in it."""

IMPORT_EVERYTHING = """
import importlib.metadata
import invokeai_py_client

for name in invokeai_py_client.__all__:
    getattr(invokeai_py_client, name)
assert invokeai_py_client.__version__ == importlib.metadata.version("invokeai-py-client")
print(invokeai_py_client.__version__)
"""


def main() -> None:
    """Build, and check what was built."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(UV, "build", "--quiet", "--out-dir", DIST)
    (wheel,) = DIST.glob("*.whl")
    (sdist,) = DIST.glob("*.tar.gz")
    run(UV, "tool", "run", "--quiet", "--from", "twine>=6", "twine", "check", "--strict", wheel, sdist)
    check_contents(wheel)
    with tempfile.TemporaryDirectory() as folder:
        check_in_clean_environment(wheel, Path(folder))
    print(f"{wheel.name}: {wheel.stat().st_size:,} bytes; {sdist.name}: {sdist.stat().st_size:,} bytes")


def check_contents(wheel: Path) -> None:
    """Check that the wheel has the package, its marker of types and its licence, and nothing else."""
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    metadata = f"invokeai_py_client-{version}.dist-info/"
    strangers = [name for name in names if not name.startswith(("invokeai_py_client/", metadata)) or "tests/" in name]
    assert not strangers, f"files that do not belong in the wheel: {strangers}"
    assert {"invokeai_py_client/py.typed", f"{metadata}licenses/LICENSE"} <= names
    size = wheel.stat().st_size
    assert size <= LARGEST_WHEEL, f"the wheel has {size:,} bytes, more than the limit of {LARGEST_WHEEL:,}"


def check_in_clean_environment(wheel: Path, folder: Path) -> None:
    """Install the wheel without and with extras, and use it outside of this checkout."""
    environment = folder / "environment"
    run(UV, "venv", "--quiet", "--python", sys.executable, environment)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    install = (UV, "pip", "install", "--quiet", "--python", scripts / "python")
    run(*install, wheel)
    run(scripts / "python", "-W", "error", "-c", IMPORT_EVERYTHING, folder=folder)
    run(*install, f"{wheel}[cli,images]")
    run(scripts / "invokeai-client", "--version", folder=folder)
    run(scripts / "invokeai-client", "discover", "--format", "quiet", folder=folder)


def run(*command: str | Path, folder: Path = ROOT) -> None:
    """Run a command; one that fails ends this program."""
    subprocess.run([str(part) for part in command], cwd=folder, check=True)


if __name__ == "__main__":
    main()
