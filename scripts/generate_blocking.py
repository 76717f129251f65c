"""Write `src/invokeai_py_client/blocking/generated`: the blocking class of each awaited class.

    make generate

Run it after the signature, the docstring or the set of methods of an awaited class has changed. A test fails while
what is committed differs from what this would write.

`AsyncBoards` becomes `Boards`, and so on. Each public method of the awaited class, and of its bases, becomes a method
with the same parameters and docstring:

- An `async def` runs on the client's engine, with one hand-over. Its arguments are deleted before the call blocks, so
  that a traceback does not show them. An argument that may fetch while it is iterated is read first.
- An `async def` with a `progress_callback` calls it in the caller's thread.
- A `def` and a property run where the caller is.
- Where the awaited class has a method `_name_blocking` beside `name`, the blocking `name` calls it.

What returns an awaited object, or a list, tuple or dictionary of them, returns the blocking ones.
"""

from __future__ import annotations

import ast
import builtins
import copy
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).parents[1]
PACKAGE = "invokeai_py_client"
TARGET = ROOT / "src" / PACKAGE / "blocking" / "generated"

FACES = {
    "app": "repositories.app.AsyncApp",
    "auth": "repositories.auth.AsyncAuth",
    "batch_run": "batch.batch_run.AsyncBatchRun",
    "board": "repositories.boards.board.AsyncBoard",
    "boards": "repositories.boards.boards.AsyncBoards",
    "client_methods": "async_client.AsyncClient",
    "fleet_methods": "fleet.async_fleet.AsyncFleet",
    "workflow_handle_methods": "workflow_handle.AsyncWorkflowHandle",
    "image": "image.AsyncImage",
    "images": "repositories.media.images.AsyncImages",
    "install_job": "repositories.models.install_job.AsyncInstallJob",
    "models": "repositories.models.models.AsyncModels",
    "plan": "batch.async_plan.AsyncPlan",
    "queue": "repositories.queue.queue.AsyncQueue",
    "queues": "repositories.queue.queue.AsyncQueues",
    "run": "run.AsyncRun",
    "style_presets": "repositories.style_presets.AsyncStylePresets",
    "videos": "repositories.media.videos.AsyncVideos",
    "workflows": "repositories.workflows.AsyncWorkflows",
}
"""The awaited class by the module that is written for it."""

BY_HAND = {
    "AsyncFleet": f"from {PACKAGE}.fleet.fleet import Fleet",
    "AsyncClient": f"from {PACKAGE}.client import InvokeAIClient",
    "AsyncWorkflowHandle": f"from {PACKAGE}.blocking.workflow_handle import WorkflowHandle",
}
"""The import of a class that adds to the generated one, which then is called `...Methods`."""

LAZY = "public"
"""What a module calls the package itself, whose names are imported when they are first used."""

RENAMED = {
    ("AsyncWorkflowHandle", "submit"): "submit_sync",
    ("AsyncWorkflowHandle", "wait_for_completion"): "wait_for_completion_sync",
}
"""Methods whose plain names are awaited on the blocking class, too."""

FORWARDED = {
    "__getitem__",
    "__iter__",
    "__len__",
    "__repr__",
    "__str__",
    "_build_submission",
    "_make_request",
    "_names",
    "_repr_mimebundle_",
}
"""Methods that the blocking class has, too, although their names are not public."""

BLOCKING = {
    source.rpartition(".")[2]: f"from {PACKAGE}.blocking.generated.{module} import {source.rpartition('.Async')[2]}"
    for module, source in FACES.items()
} | BY_HAND
"""The import of the blocking class by the name of the awaited one."""

ITERATED = {"Any", "AsyncIterable", "Collection", "Iterable", "Iterator", "Sequence"}
"""A parameter of one of these types may be a `Listing` or a generator."""

AWAITED_ONLY = {"AsyncIterable", "AsyncIterator"}
"""What a blocking method does not take."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module:
    """A parsed module of the package, by its name below the package."""

    def __init__(self, name: str) -> None:
        self.name = f"{PACKAGE}.{name}"
        path = ROOT / "src" / PACKAGE / name.replace(".", "/")
        self.text = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
        self.classes: dict[str, ast.ClassDef] = {}
        self.assigned: dict[str, ast.expr] = {}
        self.imports: dict[str, str] = {}
        """The statement that imports a name, also one that is defined here."""
        self._read(ast.parse(self.text).body)

    def _read(self, statements: list[ast.stmt]) -> None:
        for one in statements:
            if isinstance(one, ast.ImportFrom):
                self.imports |= {
                    each.asname or each.name: f"from {one.module} import {each.name}" for each in one.names
                }
            elif isinstance(one, ast.Import):
                self.imports |= {each.asname or each.name.split(".")[0]: ast.unparse(one) for each in one.names}
            elif isinstance(one, ast.ClassDef):
                self.classes[one.name] = one
                self.imports[one.name] = f"from {self.name} import {one.name}"
            elif isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
                name = one.targets[0].id
                self.assigned[name] = one.value
                self.imports[name] = f"from {self.name} import {name}"
            elif isinstance(one, ast.If):  # if TYPE_CHECKING
                self._read(one.body)

    def home_of(self, name: str) -> Module | None:
        """Return the module of the package that defines a name, None if it comes from elsewhere."""
        _, _, home = self.imports.get(name, "").partition(f"from {PACKAGE}.")
        return parsed(home.split(" ")[0]) if home else None

    def docstring_of(self, node: ast.ClassDef | Function) -> str | None:
        """Return a docstring as it is written, with its quotes."""
        first = node.body[0]
        is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        return ast.get_source_segment(self.text, first) if is_docstring else None


@cache
def parsed(name: str) -> Module:
    """Return a module, which is parsed once."""
    return Module(name)


def methods_of(module: Module, name: str) -> dict[str, list[tuple[Module, Function]]]:
    """Return the public methods of a class and of its bases; each with its overloads, if it has any."""
    node = module.classes[name]
    found: dict[str, list[tuple[Module, Function]]] = {}
    for one in node.body:
        if isinstance(one, Function) and is_public(one.name):
            found.setdefault(one.name, []).append((module, one))
    for base in node.bases:
        base_name = ast.unparse(base).partition("[")[0]
        home = module.home_of(base_name)
        if home is not None and base_name in home.classes and base_name != "ReadsAsMapping":
            # What reads as a mapping inherits from it in both forms.
            found |= {each: there for each, there in methods_of(home, base_name).items() if each not in found}
    return found


def is_public(name: str) -> bool:
    """Return whether the blocking class has a method, too."""
    return not name.startswith("_") or name in FORWARDED


def is_property(node: Function) -> bool:
    """Return whether a method is a property."""
    return any(ast.unparse(one) in ("property", "cached_property") for one in node.decorator_list)


def types_in(annotation: ast.expr, module: Module) -> Iterator[str]:
    """Yield the names of the types in a union, those in type aliases included."""
    if isinstance(annotation, ast.BinOp):
        yield from types_in(annotation.left, module)
        yield from types_in(annotation.right, module)
        return
    name = ast.unparse(annotation).partition("[")[0]
    yield name
    home = module.home_of(name)
    if home is not None and name in home.assigned:
        yield from types_in(home.assigned[name], home)


class AsBlocking(ast.NodeTransformer):
    """Makes an annotation of an awaited class one of the blocking class."""

    def visit_Name(self, node: ast.Name) -> ast.Name:
        """Replace the name of an awaited class."""
        return ast.Name(node.id.removeprefix("Async")) if node.id in BLOCKING else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        """Replace the name of an awaited class that is imported when it is first used."""
        return ast.Attribute(node.value, as_blocking(node.attr)) if node.attr in BLOCKING else node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """Leave out what only an awaited method takes."""
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if ast.unparse(one).partition("[")[0] in AWAITED_ONLY:
                return self.visit(other)  # type: ignore[no-any-return]
        return self.generic_visit(node)  # type: ignore[return-value]


def awaited_in(annotation: ast.expr) -> str | None:
    """Return the awaited class that an annotation mentions."""
    names = (getattr(one, "id", getattr(one, "attr", "")) for one in ast.walk(annotation))
    return next((name for name in names if name in BLOCKING), None)


def is_awaited_class(text: str) -> bool:
    """Return whether an annotation is the name of an awaited class, also of one that is imported when first used."""
    return text.removeprefix(f"{LAZY}.") in BLOCKING


def as_blocking(text: str) -> str:
    """Return the name of the blocking class for that of an awaited one."""
    return text.replace("Async", "", 1)


def wrapped(value: str, annotation: ast.expr) -> str:
    """Return an expression for the blocking form of a value.

    Raises:
        NotImplementedError: the annotation has an awaited class where this does not look for one.
    """
    text = ast.unparse(annotation)
    if awaited_in(annotation) is None:
        return value
    if is_awaited_class(text):
        return f"{as_blocking(text)}({value})"
    kind, _, inner = text.removesuffix("]").partition("[")
    if kind in ("list", "Sequence") and is_awaited_class(inner):
        return f"[{as_blocking(inner)}(each) for each in {value}]"
    if kind == "dict" and is_awaited_class(of := inner.removeprefix("str, ")):
        return f"{{key: {as_blocking(of)}(each) for key, each in {value}.items()}}"
    if kind in ("Listing", "TransferReport") and is_awaited_class(inner):
        return f"{value}._mapped({as_blocking(inner)})"
    raise NotImplementedError(f"no blocking form of {text}")


class Writer:
    """Writes the module of one blocking class."""

    def __init__(self, module_name: str) -> None:
        home, _, self._awaited = FACES[module_name].rpartition(".")
        self._module = parsed(home)
        self._own_names = {getattr(one, "name", "") for one in self._module.classes[self._awaited].body}
        self._class = self._awaited.removeprefix("Async") + ("Methods" if self._awaited in BY_HAND else "")
        self._imports = {self._module.imports[self._awaited], f"from {PACKAGE}.runtime.twins import Blocking"}

    def write(self) -> str:
        """Return the whole module, not yet formatted."""
        found = methods_of(self._module, self._awaited).values()
        methods = [self._method(*one) for overloads in found for one in overloads]
        awaited = self._awaited
        if LAZY in self._module.imports:
            # Whoever makes the awaited object imports its module.
            self._imports.remove(self._module.imports[awaited])
            awaited = repr(f"{LAZY}.{awaited}")
        bases = [f"Blocking[{awaited}]"]
        node = self._module.classes[self._awaited]
        if any(ast.unparse(base) == "ReadsAsMapping" for base in node.bases):
            self._imports.add(self._module.imports["ReadsAsMapping"])
            bases.append("ReadsAsMapping")
        source = self._module.name.removeprefix(f"{PACKAGE}.").replace(".", "/")
        return "\n".join(
            [
                f"# Generated from {source}.py by scripts/generate_blocking.py. Do not edit.",
                f'"""`{self._class}`: the methods of `{self._awaited}`, blocking."""',
                "from __future__ import annotations",
                *sorted(self._imports),
                f"class {self._class}({', '.join(bases)}):",
                f"    {self._module.docstring_of(node)}",
                *methods,
            ]
        )

    def _method(self, module: Module, node: Function) -> str:
        if node.args.vararg:
            raise NotImplementedError(f"{self._awaited}.{node.name} takes any arguments")
        name = RENAMED.get((self._awaited, node.name), node.name)
        head = ast.FunctionDef(
            name=name,
            args=AsBlocking().visit(copy.deepcopy(node.args)),
            returns=node.returns and AsBlocking().visit(copy.deepcopy(node.returns)),
            body=[ast.Expr(ast.Constant(...))],
            decorator_list=[ast.Name(one) for one in self._decorators(module, node)],
            lineno=0,
        )
        self._import_names(module, head)
        if any(ast.unparse(one) == "overload" for one in node.decorator_list):
            return indented(ast.unparse(head), 4)
        signature = ast.unparse(head).removesuffix("...").rstrip()
        lines = [indented(signature, 4), f"        {module.docstring_of(node) or ''}"]
        body = self._body(module, node)
        if any("aio_of(" in line for line in body):
            self._imports.add(f"from {PACKAGE}.runtime.twins import aio_of")
        return "\n".join([*lines, *(indented(line, 8) for line in body)])

    def _decorators(self, module: Module, node: Function) -> list[str]:
        if is_property(node) and node.returns is not None and is_awaited_class(ast.unparse(node.returns)):
            # The same blocking object each time.
            self._imports.add("from functools import cached_property")
            return ["cached_property"]
        return [name for one in node.decorator_list if (name := ast.unparse(one)) in ("overload", "property")]

    def _body(self, module: Module, node: Function) -> list[str]:
        if node.name == "__repr__":
            return ['return repr(self._aio).replace("Async", "", 1)']
        assert node.returns is not None, node.name
        by_hand = f"_{node.name.strip('_')}_blocking"
        if by_hand in self._own_names:
            return [f"return {wrapped(f'self._aio.{by_hand}({passed(node.args)})', node.returns)}"]
        method = f"self._aio.{node.name}"
        if is_property(node):
            return [f"return {wrapped(method, node.returns)}"]
        if not isinstance(node, ast.AsyncFunctionDef):
            return [f"return {wrapped(f'{method}({passed(node.args)})', node.returns)}"]
        parameters = [*node.args.args[1:], *node.args.kwonlyargs]
        names = [one.arg for one in parameters]
        read = {
            one.arg: f"read_here({one.arg})"
            for one in parameters
            if one.annotation is not None and ITERATED & {*types_in(one.annotation, module)}
        }
        if read:
            self._imports.add(f"from {PACKAGE}.runtime.twins import read_here")
        if "progress_callback" in names:
            self._imports.add(f"from {PACKAGE}.runtime.reporting import block_reporting")
            call = f"{method}({passed(node.args, {'progress_callback': 'report'})})"
            outcome = f"block_reporting(self._aio._engine, lambda report: {call}, progress_callback)"
            return [*(f"{name} = {value}" for name, value in read.items()), f"return {wrapped(outcome, node.returns)}"]
        if not names:
            return [f"return {wrapped(f'self._aio._engine.block({method}())', node.returns)}"]
        return [
            f"work = {method}({passed(node.args, read)})",
            f"del {', '.join(names)}",
            f"return {wrapped('self._aio._engine.block(work)', node.returns)}",
        ]

    def _import_names(self, module: Module, head: ast.FunctionDef) -> None:
        for one in ast.walk(head):
            if not isinstance(one, ast.Name) or hasattr(builtins, one.id) or one.id in (self._class, "cached_property"):
                continue
            self._imports.add(BLOCKING.get(f"Async{one.id}") or module.imports[one.id])


def passed(parameters: ast.arguments, instead: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the arguments that pass all parameters but `self` on, some of them by another expression."""

    def value(parameter: ast.arg) -> str:
        name = instead.get(parameter.arg, parameter.arg)
        if parameter.annotation is None or awaited_in(parameter.annotation) is None:
            return name
        return f"aio_of({name})"

    by_position = [value(one) for one in parameters.args[1:]]
    by_name = [f"{one.arg}={value(one)}" for one in parameters.kwonlyargs]
    others = [] if parameters.kwarg is None else [f"**{parameters.kwarg.arg}"]
    return ", ".join([*by_position, *by_name, *others])


def indented(text: str, spaces: int) -> str:
    """Return lines of code moved to the right."""
    return textwrap.indent(text, " " * spaces)


def generated() -> dict[Path, str]:
    """Return what is to be in each module, formatted."""
    with tempfile.TemporaryDirectory() as folder:
        for name in FACES:
            Path(folder, f"{name}.py").write_text(Writer(name).write(), encoding="utf-8")
        options = ["--quiet", "--config", str(ROOT / "pyproject.toml"), folder]
        ruff = [sys.executable, "-m", "ruff"]
        subprocess.run([*ruff, "check", "--select", "I", "--fix", "--no-cache", *options], check=True)
        subprocess.run([*ruff, "format", "--no-cache", *options], check=True)
        return {TARGET / f"{name}.py": Path(folder, f"{name}.py").read_text(encoding="utf-8") for name in FACES}


def main() -> None:
    """Write the modules."""
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
