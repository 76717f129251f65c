"""An extension of griffe, which reads the docstrings for the documentation site."""

from __future__ import annotations

import re
from typing import Any

import griffe


class Docstrings(griffe.Extension):
    """Has `Example:` read as code and each `Endpoint:` as a line, and hides what users do not construct."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object that was loaded."""
        if obj.docstring is not None:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(
                r"^Endpoint: (\w+ /\S*)(.*)$", r"Endpoint: `\1`\2<br>", text, flags=re.MULTILINE
            )

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Leave out the parameters that refuse arguments of client 1.1 with a hint."""
        for name in [each.name for each in func.parameters if str(each.annotation) == "Never"]:
            del func.parameters[name]

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Leave out the constructor that all blocking classes inherit, and name the type of their `aio`."""
        if cls.name == "Blocking":
            cls.members.pop("__init__", None)
        for base in map(str, cls.bases):
            if awaited := re.fullmatch(r"Blocking\[\W?(?:public\.)?(\w+)\W?\]", base):
                aio = griffe.Attribute(
                    "aio",
                    lineno=cls.lineno,
                    annotation=griffe.ExprName(awaited[1], parent=cls.package),
                    docstring=griffe.Docstring("The same methods, awaited; they may be used from any event loop."),
                )
                aio.labels.add("property")
                cls.set_member("aio", aio)
