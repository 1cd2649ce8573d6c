"""The description is of the fields that requests are read with, and the page shows all of it."""

import json

import pytest

from kerasgen.base.errors import BadInputError
from kerasgen.base.settings import about
from kerasgen.generation.slots import ROWS
from kerasgen.serving import page
from kerasgen.serving.openapi import document
from kerasgen.serving.requests import Generate, Next, Score, read
from kerasgen.serving.settings import STREAMS

KINDS = {"/generate": Generate, "/score": Score, "/next": Next}
VALUES = {"string": "x", "integer": 3, "number": 0.5, "boolean": True}


def properties(path):
    """The fields of a request, by the document."""
    (operation,) = document(False)["paths"][path].values()
    return operation["requestBody"]["content"]["application/json"]["schema"]["properties"]


def example(field):
    """A value that a field takes, by the document."""
    return field["enum"][0] if "enum" in field else VALUES[field.get("type") or field["anyOf"][0]["type"]]


@pytest.mark.parametrize("path", KINDS)
def test_every_field_is_described_and_taken(path):

    fields = properties(path)
    assert [*fields] == [*about(KINDS[path])]
    asked, given = read(KINDS[path], json.dumps({name: example(field) for name, field in fields.items()}).encode())
    assert given | {"text"} == {*fields} | {"text"} and asked.model == "x"
    for name, field in fields.items():
        if "default" in field:
            assert getattr(KINDS[path](), name) == field["default"]
        with pytest.raises(BadInputError, match=name):
            read(KINDS[path], json.dumps({name: {"a": 1}}).encode())


def test_the_page_shows_every_operation_and_field():
    found = page.html(document(True))
    for path in document(True)["paths"]:
        assert f'data-path="{path}"' in found
    for path in KINDS:
        for name in properties(path):
            assert f"<code>{name}</code>" in found
    assert "$" not in found and "https://" not in found


def test_there_are_as_many_streams_as_slots():
    assert ROWS[-1] == STREAMS
