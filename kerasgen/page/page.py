"""One HTML file with models inside: markup, style and JavaScript from beside this module, nothing from elsewhere."""

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template

from kerasgen.base.version import __version__
from kerasgen.modelfile import store
from kerasgen.page.plan import plan, weights

FOLDER = Path(__file__).parent
ENGINE = ("model.js", "sampling.js", "writing.js", "reading.js")  # what needs no browser, in this order
POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; worker-src blob:; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


def page(models: Sequence[store.Contents]) -> str:
    """Return the page that generates with some models, in any browser and without a server.

    Args:
        models: from `store.read`; at least one.

    Raises:
        BadInputError: the weights of one are damaged.
    """
    script, style = _part("page.js"), _part("page.css")
    blocks = [base64.b64encode(weights(one)).decode() for one in models]
    return Template(_part("page.html")).substitute(
        policy=POLICY.format(script=_hash(script), style=_hash(style)),
        version=__version__,
        style=style,
        script=script,
        worker="".join(map(_part, (*ENGINE, "worker.js"))),
        plans=_json([plan(one) for one in models]),
        weights="\n".join(
            f'<script type="text/plain" id="weights-{number}">{block}</script>' for number, block in enumerate(blocks)
        ),
    )


def _part(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(value: object) -> str:
    """Return JSON that can stand in a page: whatever a model calls itself, no tag begins or ends there."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
