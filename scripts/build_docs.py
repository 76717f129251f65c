"""Build the documentation site into `out/site`: `python -m scripts.build_docs`, or `make docs`.

The pages of `docs/` are copied to `out/docs`. There the placeholders of the pages on errors and on the command line are
replaced by what the code says, so that these pages cannot differ from it. Zensical builds the site from the copy.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click

from invokeai_py_client import Axis, ReportPage, errors
from invokeai_py_client.cli.app import root
from invokeai_py_client.cli.commands import GlobalOption, walk
from invokeai_py_client.cli.failures import CODES, EXIT_CODES, code_of
from invokeai_py_client.earlier_names import ATTRIBUTES as earlier_attributes

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "invokeai_py_client"
STAGE = ROOT / "out" / "docs"
SITE = ROOT / "out" / "site"
EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.suffix in (".py", ".ipynb"))
MOVED = {
    "../CHANGELOG.md": "changelog.md",
    "example-sweep/": "example-sweep/index.html",
    **{f"../examples/{path.name}": f"examples.md#{path.stem}" for path in EXAMPLES},
}
"""What pages link to in the repository, and what stands for it in the site."""

SHIM = "https://unpkg.com/iframe-worker/shim"


def build() -> int:
    """Stage the pages and build the site; return Zensical's exit code, which is not 0 after any warning."""
    shutil.rmtree(STAGE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", STAGE)
    shutil.copy(ROOT / "CHANGELOG.md", STAGE / "changelog.md")
    for page in STAGE.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        for link, moved in MOVED.items():
            text = text.replace(f"]({link})", f"]({moved})")
        page.write_text(text, encoding="utf-8")
    write_example_page(STAGE / "example-sweep")
    fill("examples.md", {"SCRIPTS": example_sections()})
    fill("coming-from-invokeai-py-client.md", {"NAMES OF 1.1": earlier_names()})
    fill("errors.md", {"ERRORS": error_sections()})
    fill(
        "command-line.md",
        {
            "COMMANDS": command_sections(),
            "ERROR CODES": table(
                ("Error code", "Exit code", "Meaning"),
                [(f"`{code}`", str(number), text) for code, (number, text) in CODES.items()],
            ),
            "EXIT CODES": table(("Exit code", "Meaning"), [(str(number), text) for number, text in EXIT_CODES.items()]),
        },
    )
    zensical = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    result = subprocess.run(zensical, cwd=ROOT, capture_output=True, text=True, check=False)
    print(re.sub(r"\x1b\[[0-9;]*m", "", result.stdout + result.stderr).partition("Traceback")[0])
    if result.returncode == 0:
        search_without_the_network()
    return result.returncode


def search_without_the_network() -> None:
    """Replace the script that pages would load from elsewhere when they are opened from disk by the one of `docs/`."""
    for path in {*SITE.rglob("*.html")} - {*(SITE / "example-sweep").iterdir()}:
        text = path.read_text(encoding="utf-8")
        if SHIM not in text:
            raise ValueError(f"{path} no longer loads {SHIM}: search in pages from disk may need no script of ours.")
        here = os.path.relpath(SITE / "search-from-disk.js", path.parent)
        path.write_text(text.replace(SHIM, Path(here).as_posix()), encoding="utf-8")


def write_example_page(folder: Path) -> None:
    """Write the page of the example sweep, as a batch writes it."""
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    columns = {name: tuple(dict.fromkeys(row["values"][name] for row in rows)) for name in rows[0]["values"]}
    axes = [Axis(name, values) for name, values in columns.items()]
    page = ReportPage(folder, title="Hue and blur of a photograph", axes=axes, total=len(rows), workflow_name="")
    page.write()
    for row in rows:
        page.add(row)
    page.finish()


def fill(page: str, contents: dict[str, str]) -> None:
    """Replace the placeholders of a staged page, such as `<!-- COMMANDS -->`."""
    path = STAGE / page
    text = path.read_text(encoding="utf-8")
    for name, content in contents.items():
        before, placeholder, after = text.partition(f"<!-- {name} -->")
        if not placeholder:
            raise ValueError(f"docs/{page} has no placeholder <!-- {name} -->: add it where the text is to go.")
        text = before + content + after
    path.write_text(text, encoding="utf-8")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(escaped(cell) for cell in line) + " |" for line in lines) + "\n"


def escaped(cell: str) -> str:
    """Return the text of a cell of a table, escaped for Markdown. Code is not escaped: there, a backslash is shown."""
    return cell if cell.startswith("`") else cell.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def example_sections() -> str:
    """Return a section with the source of each example. Of the notebook, these are its cells of code."""
    parts: list[str] = []
    for path in EXAMPLES:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            cells = (cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code")
            text = "\n\n".join("".join(cell["source"]) for cell in cells) + "\n"
        parts.append(f"## {path.name} {{ #{path.stem} }}\n\n```python\n{text}```\n")
    return "\n".join(parts)


def earlier_names() -> str:
    """Return a table of the attributes of client 1.1 that are not kept, with what to use."""
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for kind, hints in earlier_attributes.items():
        for name, hint in hints.items():
            names[kind, hint].append(name)
    rows = [(f"`{kind}`", f"`{', '.join(each)}`", hint) for (kind, hint), each in names.items()]
    return table(("Class", "Name in 1.1", "What to use"), rows)


def error_sections() -> str:
    """Return a section for each error: its description, its code on the command line, and its messages."""
    texts = messages()
    parts: list[str] = []
    for kind in in_tree_order(errors.InvokeAIError):
        name = kind.__name__
        bases = [base.__name__ for base in kind.__bases__]
        parts.append(f"::: invokeai_py_client.errors.{name}\n    options:\n      show_source: false\n")
        parts.append(f"Also caught as: {', '.join(f'`{base}`' for base in bases)}. ")
        parts.append(f"On the command line: `{code_of(kind)}`.\n")
        if texts[name]:
            parts.append("\nIts messages:\n")
            parts += [f"- {text}" for text in texts[name]]
            parts.append("")
    return "\n".join(parts)


def in_tree_order(kind: type[errors.InvokeAIError]) -> Iterator[type[errors.InvokeAIError]]:
    """Yield an error and those below it, in the order in which the module defines them."""
    yield kind
    for each in kind.__subclasses__():
        if each.__module__ == errors.__name__ and each.__bases__[0] is kind:
            yield from in_tree_order(each)


def messages() -> dict[str, list[str]]:
    """Return the messages of each error with their hints, read from the source; `…` stands for what varies."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            what = constant_text(node.args[0])
            hint = next((constant_text(one.value) for one in node.keywords if one.arg == "hint"), "")
            text = f"**{escaped(what)}** {escaped(hint)}".strip()
            if hasattr(errors, name) and any(map(str.isalpha, what)) and text not in found[name]:
                found[name].append(text)
    return found


def constant_text(node: ast.expr) -> str:
    """Return the text of a string in the source, with `…` in place of what it computes; empty if it has none."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""


def command_sections() -> str:
    """Return a section for each command: its help, its usage, its options, and its example."""
    context = click.Context(root, info_name="invokeai-client")
    parts: list[str] = []
    for name, command in walk(root, context):
        usage = " ".join(piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]")
        parts.append(f"### {name}\n")
        parts.append(inspect.cleandoc(command.help or "") + "\n")
        parts.append(f"```console\n$ invokeai-client {name} {usage}".rstrip() + "\n```\n")
        options = [one for one in command.params if isinstance(one, click.Option) and not isinstance(one, GlobalOption)]
        rows = [record for one in options if (record := one.get_help_record(context)) is not None]
        if rows:
            parts.append(table(("Option", "Meaning"), [(f"`{option}`", text) for option, text in rows]))
        if example := getattr(command, "example", ""):
            parts.append(f"Example:\n\n```console\n{textwrap.indent(example, '$ ')}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(build())
