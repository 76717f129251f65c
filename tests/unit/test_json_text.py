from __future__ import annotations

import codecs
import json
from typing import Any

import pytest

from invokeai_py_client.json_text import read_json

VALUE: Any = {"a": ["ä", 1.5, None]}
TEXT = json.dumps(VALUE, ensure_ascii=False)


@pytest.mark.parametrize(
    "given",
    [
        TEXT,
        "\ufeff" + TEXT,
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
    ],
)
def test_every_encoding_of_json_is_read(given: str | bytes) -> None:
    assert read_json(given) == VALUE


@pytest.mark.parametrize("given", ["", "{", b"\xff\xff", b'{"a": "\xe4"}', "[" * 100_000, b'{"a":' * 100_000])
def test_whatever_is_wrong_is_a_value_error(given: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(given)
