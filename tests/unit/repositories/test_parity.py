"""Both faces of everything have the same methods, with the same signatures and docstrings."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any, get_args

import pytest

from invokeai_py_client import InvokeAIClient, repositories
from invokeai_py_client.image import AsyncImage, Image
from invokeai_py_client.runtime.twins import Blocking

FACES: list[tuple[type[Any], type[Any]]] = [(AsyncImage, Image)]
for found in pkgutil.iter_modules(repositories.__path__):
    module = importlib.import_module(f"{repositories.__name__}.{found.name}")
    for _, face in inspect.getmembers(module, inspect.isclass):
        if issubclass(face, Blocking) and face is not Blocking and face.__module__ == module.__name__:
            ((awaited,),) = (get_args(base) for base in vars(face)["__orig_bases__"])
            FACES.append((awaited, face))

# What is there for other rooms of the client, which are on the engine already.
ON_THE_ENGINE = {"records_of", "send_upload"}


def public(kind: type[Any]) -> dict[str, Any]:
    return {
        name: member
        for name, member in inspect.getmembers(kind)
        if not name.startswith("_") and name != "aio" and callable(member)
    }


def test_there_is_a_face_for_every_repository() -> None:
    with InvokeAIClient.from_url("http://127.0.0.1:9") as client:
        awaited = {name for name, value in vars(client.aio).items() if not name.startswith("_")}
        blocking = {name for name, value in vars(client).items() if isinstance(value, Blocking)}
        assert awaited == blocking
        assert {type(getattr(client, name)) for name in blocking} <= {face for _, face in FACES}


@pytest.mark.parametrize(("awaited", "blocking"), FACES, ids=[face.__name__ for _, face in FACES])
def test_both_faces_are_the_same(awaited: type[Any], blocking: type[Any]) -> None:
    there, here = public(awaited), public(blocking)
    assert there.keys() - ON_THE_ENGINE <= here.keys()
    for name in here.keys() & there.keys():
        assert inspect.signature(here[name]) == inspect.signature(there[name]) or name == "get_queue", name
        assert inspect.getdoc(here[name]), name
        assert not inspect.iscoroutinefunction(here[name]), name
    only_here = {name for name in here.keys() - there.keys() if not isinstance(vars(blocking).get(name), property)}
    assert only_here <= {"pil"}, "a method with one face only"
