"""Scripts of client 1.1 import its names from where it had them."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import invokeai_py_client as package
from invokeai_py_client import errors
from invokeai_py_client.workflow.fields import SchedulerField, StringField
from invokeai_py_client.workflow.resource_fields import ModelField

HOMES = [
    ("workflow", "WorkflowDefinition", package.WorkflowDefinition),
    ("workflow", "WorkflowRepository", package.Workflows),
    ("workflow.workflow_handle", "WorkflowHandle", package.WorkflowHandle),
    ("workflow.workflow_handle", "OutputMapping", package.OutputMapping),
    ("workflow.workflow_model", "WorkflowDefinition", package.WorkflowDefinition),
    ("board", "BoardHandle", package.Board),
    ("board.board_handle", "BoardHandle", package.Board),
    ("board.board_model", "Board", package.BoardRecord),
    ("queue", "QueueHandle", package.Queue),
    ("queue.queue_models", "QueueItem", package.QueueItemRecord),
    ("dnn_model", "DnnModel", package.ModelRecord),
    ("dnn_model.dnn_model_exceptions", "ModelInstallJobFailed", errors.InstallFailed),
    ("ivk_fields", "IvkStringField", StringField),
    ("ivk_fields.models", "IvkModelIdentifierField", ModelField),
    ("ivk_fields.enums", "IvkSchedulerField", SchedulerField),
    ("models", "IvkImage", package.Image),
    ("exceptions", "ResourceNotFoundError", errors.NotFoundError),
]

GONE = [
    ("ivk_fields", "IvkUNetField", "go from node to node"),
    ("ivk_fields.base", "PydanticFieldMixin", "not written by hand"),
    ("quick", "QuickClient", "download_workflow"),
    ("quick.quick_client", "QuickClient", "download_workflow"),
    ("queue", "JobHandle", r"client\.run\(item_id\)"),
    ("models", "JobStatus", "status"),
]


@pytest.mark.parametrize(("module", "name", "ours"), HOMES)
def test_a_name_is_imported_from_where_it_was(module: str, name: str, ours: type) -> None:
    scope: dict[str, object] = {}
    exec(f"from invokeai_py_client.{module} import {name} as found", scope)
    assert scope["found"] is ours


@pytest.mark.parametrize(("module", "name", "instead"), GONE)
def test_a_name_without_a_counterpart_names_the_way(module: str, name: str, instead: str) -> None:
    with pytest.raises(ImportError, match=instead) as caught:
        exec(f"from invokeai_py_client.{module} import {name}", {})
    assert f"cannot import name {name!r}" in str(caught.value)


@pytest.mark.parametrize("module", ["board", "queue", "dnn_model", "ivk_fields", "models", "exceptions", "quick"])
def test_another_name_is_not_there(module: str) -> None:
    home = importlib.import_module(f"invokeai_py_client.{module}")
    assert not hasattr(home, "Invented")
    with pytest.raises(ImportError, match="Invented"):
        exec(f"from invokeai_py_client.{module} import Invented", {})


def test_all_names_of_the_modules_are_there() -> None:
    for module in ("board", "queue", "dnn_model", "ivk_fields", "models", "exceptions", "workflow.workflow_handle"):
        home = importlib.import_module(f"invokeai_py_client.{module}")
        assert [name for name in home.__all__ if not hasattr(home, name)] == []


@pytest.mark.parametrize("name", ["BoardHandle", "WorkflowRepository", "IvkImage", "ImageCategory"])
def test_the_package_itself_has_the_names_that_it_had(name: str) -> None:
    assert isinstance(getattr(package, name), type)
    assert name not in package.__all__
    assert name not in dir(package)


def test_the_package_says_what_replaces_a_name_that_it_had() -> None:
    with pytest.raises(ImportError, match="wait"):
        exec("from invokeai_py_client import IvkJob", {})
    with pytest.raises(AttributeError, match="no attribute 'Invented'"):
        _ = package.Invented


def test_enumerations_are_equal_to_the_texts_of_this_client() -> None:
    models = importlib.import_module("invokeai_py_client.dnn_model")
    assert models.BaseDnnModelType.StableDiffusionXL == "sdxl"
    assert f"{models.DnnModelType.Main}" == "main"


def test_nothing_of_it_is_imported_by_the_package() -> None:
    code = (
        "import sys, invokeai_py_client; from invokeai_py_client import InvokeAIClient, WorkflowDefinition\n"
        "InvokeAIClient.from_url('http://127.0.0.1:9').close()\n"
        "sys.exit(any('earlier' in name.split('.') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
