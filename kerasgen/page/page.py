"""One HTML file with models inside: markup, style and JavaScript from beside this module, nothing from elsewhere."""

import base64
from collections.abc import Sequence
from pathlib import Path
from string import Template

from kerasgen.base.version import __version__
from kerasgen.modelfile import store
from kerasgen.page.markup import json_inside, policy
from kerasgen.page.plan import plan, weights

FOLDER = Path(__file__).parent
ENGINE = ("model.js", "sampling.js", "writing.js", "reading.js")  # what needs no browser, in this order


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
        policy=policy(script, style, "worker-src blob:"),
        version=__version__,
        style=style,
        script=script,
        worker="".join(map(_part, (*ENGINE, "worker.js"))),
        plans=json_inside([plan(one) for one in models]),
        weights="\n".join(
            f'<script type="text/plain" id="weights-{number}">{block}</script>' for number, block in enumerate(blocks)
        ),
    )


def _part(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
