"""The description of a server's interface, made of the very fields that requests are read with."""

import inspect
from typing import Any, get_args, get_type_hints

from kerasgen.base.settings import about, plain_type
from kerasgen.base.version import __version__
from kerasgen.serving.requests import Generate, Next, OfAModel, Score
from kerasgen.text.folding import OnUnknown

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_TEXT, _NUMBER, _COUNT = {"type": "string"}, {"type": "number"}, {"type": "integer"}
_ERROR = {"description": "one line that says what was wrong", "content": {"application/json": {"schema": {
    "type": "object", "required": ["error"], "properties": {"error": _TEXT},
}}}}  # fmt: skip
_REFUSALS = ("400", "401", "403", "413", "415", "422", "503")


def document(token: bool) -> dict[str, Any]:
    """Return the OpenAPI document.

    Args:
        token: whether one is needed.
    """
    note = {"note": {**_TEXT, "description": "what was read otherwise than it was given, or is missing"}}
    texts = _object(model=_TEXT, texts=_list(_TEXT), seed=_COUNT, **note)
    scores = _object(chars=_COUNT, nats=_NUMBER, bits_per_char=_NUMBER, each=_list(_NUMBER))
    following = _object(model=_TEXT, next=_list(_object(char=_TEXT, probability=_NUMBER)), **note)
    models = _list(_object(name=_TEXT, writes={"enum": ["names", "a text"]}, learned_from=_TEXT, parameters=_COUNT))
    health = _object(status=_TEXT, texts=_COUNT)
    generated = {"text/plain": {"schema": _TEXT}, "application/json": {"schema": texts}}
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "kerasgen", "version": __version__, "description": "Texts, character by character."},
        "paths": {
            "/generate": {"post": _operation(
                "Continue a prompt, or invent names. The answer is plain text, sent as it is written, names one a "
                "line; where the client accepts application/json, it is JSON, sent when all is written.",
                Generate, generated,
            )},
            "/score": {"post": _operation(
                "Tell how well a model predicts texts.", Score,
                _json(_object(model=_TEXT, scores=_list(scores), **note)),
            )},
            "/next": {"post": _operation(
                "Give the probabilities of the next character, the likeliest first.", Next, _json(following)
            )},
            "/models": {"get": _operation("List the models.", None, _json(models))},
            "/health": {"get": _operation("Tell whether the server works.", None, _json(health))},
        },
    }  # fmt: skip
    if token:
        found["components"] = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
        found["security"] = [{"token": []}]
        found["paths"]["/health"]["get"]["security"] = []
    return found


def _operation(summary: str, asked: type[OfAModel] | None, content: dict[str, Any]) -> dict[str, Any]:
    answers = {"200": {"description": "done", "content": content}, **dict.fromkeys(_REFUSALS, _ERROR)}
    body = {"content": {"application/json": {"schema": _fields(asked)}}} if asked else None
    return {"summary": summary, **({"requestBody": body} if body else {}), "responses": answers}


def _fields(asked: type[OfAModel]) -> dict[str, Any]:
    """Return the schema of a request."""
    hints, signature = get_type_hints(asked), inspect.signature(asked)
    properties = {}
    for name, one in about(asked).items():
        default, words = signature.parameters[name].default, one.help + (f" ({one.group})" if one.group else "")
        field = {**_schema(hints[name], one.many), "description": words}
        if name == "on_unknown":
            field["enum"] = [*get_args(OnUnknown)]
        if name == "seed":
            field = {"anyOf": [{"type": field.pop("type")}, {"const": "random"}], **field}
        properties[name] = field if default in (None, "") else {**field, "default": default}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _schema(hint: Any, many: bool) -> dict[str, Any]:
    kind = {"type": _TYPES[plain_type(hint)]}
    return {"anyOf": [kind, {"type": "array", "items": kind}]} if many else kind


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _list(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
