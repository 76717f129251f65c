"""Generated modules are exact for both type checkers: wrong values and misspelt inputs fail, right ones pass.

They are also laid out as ruff wants them.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.documents import container, form, node, shown
from tests.gui_parity import CASES
from tests.support.forms import FormOf, loaded
from tests.support.openapi import node_templates
from tests.support.type_checkers import Checker, mypy_errors, pyright_errors

from invokeai_py_client import generate_module
from invokeai_py_client.errors import WorkflowError
from invokeai_py_client.workflow.templates import NodeTemplates

MODEL = {"key": "k", "hash": "h", "name": "dreamshaper", "base": "sd-1", "type": "main"}

HOSTILE = ["keys", "Items", "copy", "get", "str", "int", "object", "self", "class", "Path", "Any", "type", "inputs"]


@pytest.fixture(scope="module")
def templates() -> NodeTemplates:
    return node_templates()


def tiger() -> dict[str, Any]:
    """A workflow with an input of each kind."""
    shows = {
        "noise": ["width"],
        "cfg": ["value"],
        "prompt": ["value"],
        "style": ["value"],
        "scheduler": ["scheduler"],
        "loader": ["model"],
        "image": ["image"],
        "color": ["color"],
        "l2i": ["board"],
        "list": ["collection"],
    }
    nodes = [
        node("noise", "noise", "1.0.3", seed=1, width=64, height=64),
        node("cfg", "float", "1.0.1", value=7.5),
        node("prompt", "string", "1.0.1", value="a tiger"),
        node("style", "string", "1.0.1", value="oil"),
        node("scheduler", "scheduler", "1.0.0", scheduler="euler"),
        node("loader", "main_model_loader", "1.0.4", model=MODEL),
        node("image", "image", "1.0.2", image=None),
        node("color", "color", "1.0.1", color={"r": 1, "g": 2, "b": 3, "a": 255}),
        node("l2i", "l2i", "1.3.2", board="auto"),
        node("list", "integer_collection", "1.0.1", collection=[1, 2]),
    ]
    labels = {"cfg": "CFG", "prompt": "Prompt", "style": "Style", "list": "Sizes"}
    for one in nodes:
        if one["id"] in labels:
            one["data"]["inputs"][shows[one["id"]][0]]["label"] = labels[one["id"]]
    elements = [shown(f"e-{node_id}", node_id, name) for node_id, (name,) in shows.items()]
    elements[3]["data"]["settings"] = {
        "type": "string-field-config",
        "component": "dropdown",
        "options": [{"label": "Oil", "value": "oil"}, {"label": "Ink", "value": "ink"}],
    }
    return {
        "name": "tiger",
        "meta": {"version": "3.0.0", "category": "user"},
        "exposedFields": [],
        "nodes": nodes,
        "edges": [],
        "form": form(container("root", *(element["id"] for element in elements)), *elements),
    }


RIGHT = """
from dataclasses import replace
from pathlib import Path
from typing import assert_type
from invokeai_py_client import KEEP, Image, InvokeAIClient, Plan, Run, WorkflowHandle
from tiger import FORM, Columns, Inputs, plan, prepare, run, submit

def use(client: InvokeAIClient, picture: Image) -> None:
    inputs = Inputs(image=Path("a.png"))
    other = replace(inputs, model="dreamshaper", scheduler="ddim", style="ink", board=None, sizes=[1], cfg=7)
    Inputs(image=picture, model=client.models.list_models()[0], color=(1, 2, 3), prompt="", width=512)
    Inputs(image=b"", model=KEEP, color="#ff0000", board=client.board_repo.get_board_handle("a"), sizes=(1, 2))
    Inputs(image="a.png", model={"key": "k"}, color={"r": 1, "g": 2, "b": 3})
    assert_type(run(client, inputs, timeout=3, seed=7), Run)
    assert_type(run(client, inputs).images[0].save("out"), Path)
    assert_type(submit(client, other, workflow="other.json"), Run)
    assert_type(prepare(client, None), WorkflowHandle)
    columns: Columns = {"width": range(64, 256, 64), "scheduler": ["euler", "ddim"], "image": "photos/*.png"}
    assert_type(plan(client, columns, inputs, combine="zip", seeds=2), Plan)
    plan(client, {"cfg": [4, 7.5], "prompt": Path("prompts.txt"), "board": [None, "auto"]}, seeds=[1, 2])
    plan(client, Columns(model=[record for record in client.models.list_models()]))
"""

HEAD = """
from invokeai_py_client import InvokeAIClient
from tiger import Inputs, plan, run, submit
def use(client: InvokeAIClient, inputs: Inputs) -> None:
    """

WRONG = [
    "Inputs()",
    "Inputs(image='a.png', scheduler='eular')",
    "Inputs(image='a.png', style='chalk')",
    "Inputs(image='a.png', width='512')",
    "Inputs(image='a.png', width=None)",
    "Inputs(image='a.png', prompt=3)",
    "Inputs(image='a.png', promt='a tiger')",
    "Inputs(image=3)",
    "Inputs(image='a.png', model=None)",
    "Inputs(image='a.png', model=3)",
    "Inputs(image='a.png', color=3)",
    "Inputs(image='a.png', sizes=['a'])",
    "Inputs(image='a.png', sizes=3)",
    "Inputs('a.png')",
    "inputs.width = 3",
    "run(client)",
    "run(client, {'image': 'a.png'})",
    "run(client, inputs, seed='7')",
    "run(client, inputs).imags",
    "submit(client, inputs, timeout=3)",
    "plan(client, {'scheduler': ['eular']})",
    "plan(client, {'widht': [64]})",
    "plan(client, {'width': 64})",
    "plan(client, {'width': [64]}, combine='sum')",
]


def hostile() -> dict[str, Any]:
    """A workflow whose labels would be names that a module has already, or words of Python."""
    nodes = []
    for number, label in enumerate(HOSTILE):
        kind, name, value = [("string", "value", "x"), ("scheduler", "scheduler", "euler")][number % 2]
        values: dict[str, Any] = {name: value}
        one = node(f"n{number}", kind, "1.0.1" if kind == "string" else "1.0.0", **values)
        one["data"]["inputs"][name]["label"] = label
        nodes.append(one)
    exposed = [{"nodeId": one["id"], "fieldName": name} for one in nodes for name in one["data"]["inputs"]]
    return {
        "name": "x",
        "meta": {"version": "3.0.0", "category": "user"},
        "nodes": nodes,
        "edges": [],
        "exposedFields": exposed,
    }


@pytest.fixture(scope="module")
def modules(templates: NodeTemplates) -> dict[str, str]:
    """The modules of many kinds of workflows, by file name."""
    files = {
        "tiger.py": generate_module(FormOf(tiger(), templates), Path("tiger.json")),
        "hostile.py": generate_module(FormOf(hostile(), templates)),
    }
    ways: list[Path | str | None] = [Path("w.json"), "library", None, Path("w.png")]
    for number, case in enumerate(CASES):
        with contextlib.suppress(WorkflowError):
            form = FormOf(case["workflow"], templates)
            text = files[f"m{number}.py"] = generate_module(form, ways[number % 4])
            loaded(text).FORM.check(form)
    assert len(files) > 300
    return files


@pytest.fixture(scope="module", params=[mypy_errors, pyright_errors], ids=["mypy", "pyright"])
def found(
    request: pytest.FixtureRequest, modules: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[str]]]:
    """The errors of all files, in one run of each type checker."""
    errors_of: Checker = request.param
    wrong = {f"wrong_{number}.py": f"{HEAD}{line}\n" for number, line in enumerate(WRONG)}
    folder = tmp_path_factory.mktemp("modules")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPYPATH", str(folder))
        yield errors_of(folder, {**modules, "right.py": RIGHT, **wrong})


def test_generated_modules_and_right_use_check(found: dict[str, list[str]]) -> None:
    assert {name: messages for name, messages in found.items() if messages and not name.startswith("wrong_")} == {}


def test_wrong_use_does_not_check(found: dict[str, list[str]]) -> None:
    assert [line for number, line in enumerate(WRONG) if not found[f"wrong_{number}.py"]] == []


@pytest.mark.parametrize(
    "command",
    [
        ["format", "--diff"],
        ["format", "--check", "--line-length", "120"],
        ["check", "--line-length", "88", "--select", "E,F,W,I,UP,B,C4,SIM,RUF,PT,ASYNC,PIE,RET,D1"],
    ],
)
def test_generated_modules_are_as_ruff_wants_them(modules: dict[str, str], tmp_path: Path, command: list[str]) -> None:
    """By its own settings, and with more rules than it has by default."""
    for name, text in modules.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff", *command, "--isolated", str(tmp_path)]
    done = subprocess.run(ruff, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout[:2000]


def test_importing_a_module_imports_no_records(modules: dict[str, str], tmp_path: Path) -> None:
    """The start-up of a program that runs a workflow does not include pydantic, which records need."""
    (tmp_path / "tiger.py").write_text(modules["tiger.py"], encoding="utf-8")
    code = "import sys, tiger; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0
