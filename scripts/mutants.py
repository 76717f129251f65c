"""Sample mutants of the heart of the package and print how many the unit and property tests kill, by module.

Run as `make mutants`; `SAMPLE=30 make mutants` takes more of each module, `MODULES=live.router make mutants` only those
that match. A mutant counts as killed if a test fails or does not end; "no tests" means that no test reaches it.

mutmut tests its mutants in forks of a process that has imported the package, so it cannot change what runs at import.
A survivor that at most one test reached is therefore tested again, by the unit tests of its folder in a new process.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "invokeai_py_client"
SEED = 7

KILLED = {1, 3, 36, 24, 152, 255, -24}
KILLED_AT_IMPORT = 1
NO_TESTS = {5, 33}


def mutmut(*names: str, check: bool = True) -> None:
    """Generate all mutants, and test those of these names."""
    command = [sys.executable, "-m", "mutmut", "run", *names]
    subprocess.run(
        command, cwd=ROOT, check=check, stdout=subprocess.DEVNULL, stderr=None if check else subprocess.DEVNULL
    )


def outcomes() -> dict[str, dict[str, int | None]]:
    """Read mutmut's exit code of each mutant, by module."""
    by_module: dict[str, dict[str, int | None]] = defaultdict(dict)
    for path in sorted((ROOT / "mutants" / "src" / PACKAGE).rglob("*.py.meta")):
        module = ".".join(path.relative_to(ROOT / "mutants" / "src" / PACKAGE).parts).removesuffix(".py.meta")
        by_module[module].update(json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"])
    return {module: codes for module, codes in by_module.items() if codes}


def survives_import(name: str) -> bool:
    """Return whether the unit tests of a mutant's folder pass in a process that imports the mutant."""
    tests = ROOT / "mutants" / "tests" / "unit" / name.split(".")[1]
    environment = {**os.environ, "MUTANT_UNDER_TEST": name, "PYTHONPATH": "src"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(tests)]
    run = subprocess.run(
        command,
        cwd=ROOT / "mutants",
        env=environment,
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return run.returncode == 0


def main() -> None:
    """Generate the mutants, test a sample of each module, and print the table."""
    sample_size, pattern = int(os.environ.get("SAMPLE", "15")), os.environ.get("MODULES", "*")
    # mutmut has no command that only generates: it fails when no mutant has the name, but after generating them.
    mutmut("none.of.them", check=False)
    choose = random.Random(SEED)
    sampled = {
        module: choose.sample(sorted(codes), min(sample_size, len(codes)))
        for module, codes in outcomes().items()
        if fnmatch(module, pattern)
    }
    mutmut(*(name for names in sampled.values() for name in names))
    results = outcomes()
    stats = json.loads((ROOT / "mutants" / "mutmut-stats.json").read_text(encoding="utf-8"))
    reached_by = stats["tests_by_mangled_function_name"]
    total: Counter[str] = Counter()
    print(f"{'module':34} {'mutants':>8} {'sampled':>8} {'killed':>7} {'survived':>9} {'no tests':>9} {'killed %':>9}")
    for module, names in sampled.items():
        codes = [
            KILLED_AT_IMPORT
            if results[module][name] not in KILLED
            and len(reached_by.get(name.rpartition("__mutmut_")[0], ())) <= 1
            and not survives_import(name)
            else results[module][name]
            for name in names
        ]
        count = Counter(
            "killed" if code in KILLED else "no tests" if code in NO_TESTS else "survived" for code in codes
        )
        count["sampled"], count["mutants"] = len(names), len(results[module])
        total += count
        _print(module, count)
    _print("all", total)


def _print(module: str, count: Counter[str]) -> None:
    figures = (count[name] for name in ("mutants", "sampled", "killed", "survived", "no tests"))
    share = count["killed"] / count["sampled"] if count["sampled"] else 1.0
    print("{:34} {:8} {:8} {:7} {:9} {:9}".format(module, *figures) + f" {share:9.0%}")


if __name__ == "__main__":
    main()
