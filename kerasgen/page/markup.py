"""What pages of one file have in common: a policy that allows nothing from elsewhere, and data that stay data."""

import base64
import hashlib
import json


def policy(script: str, style: str, *more: str) -> str:
    """Return the Content-Security-Policy that allows a page its own script and style, by their hashes, and no more.

    Args:
        script: the text of its only script that runs.
        style: the text of its only style.
        more: further directives.
    """
    own = f"script-src {_hash(script)}", f"style-src {_hash(style)}"
    return "; ".join(["default-src 'none'", *own, *more, "img-src data:", "base-uri 'none'", "form-action 'none'"])


def json_inside(value: object) -> str:
    """Return JSON that can stand in a page: whatever a text or a model calls itself, no tag begins or ends there."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
