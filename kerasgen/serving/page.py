"""The page that describes a server's interface to people, and tries it; nothing of it is fetched from elsewhere."""

import base64
import hashlib
import html as markup
import json
from pathlib import Path
from string import Template
from typing import Any

_FOLDER = Path(__file__).parent
_EXAMPLES = {"/generate": {"length": 200, "seed": 1}, "/score": {"text": "to be or not to be"}, "/next": {"top": 5}}


def html(document: dict[str, Any]) -> str:
    """Return the page.

    Args:
        document: the OpenAPI document.
    """
    parts = [
        _operation(path, method, one) for path, methods in document["paths"].items() for method, one in methods.items()
    ]
    return Template(_part("page.html")).substitute(
        version=markup.escape(document["info"]["version"]), style=_part("page.css"), script=_part("page.js"),
        hidden="" if "security" in document else "hidden", operations="\n".join(parts),
    )  # fmt: skip


def policy() -> str:
    """Return the page's Content-Security-Policy: its own script and style, and requests to its own server."""
    return (
        f"default-src 'none'; script-src {_hash(_part('page.js'))}; style-src {_hash(_part('page.css'))}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _operation(path: str, method: str, one: dict[str, Any]) -> str:
    fields = _fields(one.get("requestBody"))
    example = json.dumps(_EXAMPLES.get(path, {}))
    box = f'<label>JSON <textarea rows="3" spellcheck="false">{markup.escape(example)}</textarea></label>'
    return (
        f'<section data-path="{path}" data-method="{method.upper()}"><h2>{method.upper()} {path}</h2>'
        f"<p>{markup.escape(one['summary'])}</p>{fields}{box if fields else ''}"
        '<p><button type="button">Send</button></p><pre role="status" tabindex="0" hidden></pre></section>'
    )


def _fields(body: dict[str, Any] | None) -> str:
    if not body:
        return ""
    properties = body["content"]["application/json"]["schema"]["properties"]
    rows = "".join(
        f"<tr><th scope=row><code>{name}</code></th><td>{markup.escape(_kind(field))}</td>"
        f"<td>{markup.escape(field['description'])}</td></tr>"
        for name, field in properties.items()
    )
    head = "<tr><th scope=col>field</th><th scope=col>type</th><th scope=col>what it is</th></tr>"
    return f"<details><summary>Fields</summary><table><thead>{head}</thead><tbody>{rows}</tbody></table></details>"


def _kind(field: dict[str, Any]) -> str:
    """Say what type a field has, and its default."""
    words = " or ".join(one.get("type", one.get("const", "")) for one in field.get("anyOf", [field]))
    return f"{words} (default: {json.dumps(field['default'])})" if "default" in field else words


def _part(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
