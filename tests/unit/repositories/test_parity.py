"""Both faces of everything have the same methods, with the same signatures and docstrings."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any, get_args

import pytest

from invokeai_py_client import InvokeAIClient, repositories
from invokeai_py_client.client import AsyncClient
from invokeai_py_client.image import AsyncImage, Image
from invokeai_py_client.runtime.twins import Blocking

FACES: list[tuple[type[Any], type[Any]]] = [(AsyncImage, Image), (AsyncClient, InvokeAIClient)]
for found in pkgutil.walk_packages(repositories.__path__, f"{repositories.__name__}."):
    module = importlib.import_module(found.name)
    for _, face in inspect.getmembers(module, inspect.isclass):
        if issubclass(face, Blocking) and face is not Blocking and face.__module__ == module.__name__:
            ((awaited,),) = (get_args(base) for base in vars(face)["__orig_bases__"])
            FACES.append((awaited, face))

# What is there for other rooms of the client, which are on the engine already.
ON_THE_ENGINE = {"records_of", "send_upload"}

# Methods with one face only: of Pillow; and what makes, watches and ends the client, from wherever.
ONE_FACE = {"pil", "from_url", "stream_queue_events", "on_connection", "stats", "close", "aclose"}


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
        assert signature(here[name], name) == signature(there[name], name)
        assert inspect.getdoc(here[name]), name
        assert not inspect.iscoroutinefunction(here[name]), name
    assert here.keys() - there.keys() <= ONE_FACE


@pytest.mark.parametrize(("awaited", "blocking"), FACES, ids=[face.__name__ for _, face in FACES])
def test_both_faces_have_the_same_properties(awaited: type[Any], blocking: type[Any]) -> None:
    there, here = properties(awaited), properties(blocking)
    assert there.keys() <= here.keys()
    # A handle tells what it knows itself, without a face.
    for name in there:
        assert inspect.getdoc(here[name]), name
        assert signature(here[name].fget, name) == signature(there[name].fget, name)


def test_a_route_below_the_api_has_both_faces() -> None:
    assert inspect.signature(InvokeAIClient._make_request) == inspect.signature(AsyncClient._make_request)


def properties(kind: type[Any]) -> dict[str, Any]:
    return {
        name: member
        for name, member in inspect.getmembers(kind)
        if not name.startswith("_") and name != "aio" and isinstance(member, property)
    }


def signature(function: Any, name: str) -> inspect.Signature:
    found = inspect.signature(function)
    # Each face of the queues gives that face of a queue.
    return found.replace(return_annotation="a queue") if name == "get_queue" else found
