"""``python -m kerasgen.score``: how well a model predicts a text, and what surprises it there."""

import argparse
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from kerasgen.base import console, prompts
from kerasgen.base.errors import BadInputError
from kerasgen.base.files import check_writable
from kerasgen.base.parser import Parser
from kerasgen.text.folding import OnUnknown

MODEL = "saved_models/shakespeare.keras"
LARGEST_PAGE = 200_000  # characters
ABOUT = "How likely is a text to a model, and what surprises it there? Lower is likelier."
EXAMPLES = """What is given is a text; or the name of a file that is there, or FILE:path; or - for standard input.
A model of prose reads it as one text; a model of names reads each line as a name.

examples:
  %(prog)s "Shall I compare thee to a summer's day?"       ours of the Sonnets reads it
  %(prog)s mybook.txt --model saved_models/my-mybook.keras --places 20
  %(prog)s mybook.txt --html out.html                      the text, coloured by what surprises
  %(prog)s names.txt --model saved_models/dino.keras       a score for each name, the likeliest first
  %(prog)s letter.txt --compare jane.keras emily.keras     whose is it, by how many bits, and where they differ
  %(prog)s mybook.txt --find "line ends" --find "th" --html out.html     the units that know of these
  %(prog)s "Shall I compare" --temperatures 0.2,0.7,1.3    what may follow, at each temperature"""


def main(argv: Sequence[str] | None = None) -> None:
    """Score what is given, and show it."""
    wanted = parse(argv)
    words = wanted.text
    if words is None:
        if not prompts.piped():
            raise BadInputError("a text to score must be given: the text itself, a file, or - for a pipe; see --help")
        words = "-"
    if wanted.html:
        check_page(wanted.html, words)

    from kerasgen.modelfile import store
    from kerasgen.scoring import given

    models = [store.read(Path(path)) for path in wanted.compare or [wanted.model]]
    text = given.text_of(words, wanted.column, models[0])
    if isinstance(text, str) and wanted.compare:
        texts = given.alike(text, models, wanted.on_unknown)
    elif isinstance(text, str) or not (wanted.compare or wanted.find or wanted.temperatures):
        texts = [given.given(text, models[0], wanted.on_unknown)]
    else:
        raise BadInputError("--compare, --find and --temperatures take a text of at most 16 MiB; take a part of it")
    what = f" {words.removeprefix('FILE:')}" if given.is_file(words) else ""
    for model, one in zip(models, texts, strict=True):
        console.note(one.changes, wanted.quiet)
        console.note(f"scoring{what} with {model.path}", wanted.quiet)
    if wanted.html and texts[0].chars > LARGEST_PAGE:
        raise BadInputError(
            f"--html shows at most {LARGEST_PAGE:,} characters; the text has {texts[0].chars:,}; score a part of it, "
            "or leave --html out"
        )
    if wanted.temperatures and len(texts[0].items) > 1:
        raise BadInputError(f"--temperatures goes on from one name; received {len(texts[0].items):,}")

    from kerasgen.scoring import story

    if wanted.compare:
        story.compare(models, texts, wanted)
    else:
        story.score(models[0], texts[0], wanted)


def check_page(html: str, words: str) -> None:
    """Try whether the page can be written, before long work.

    Raises:
        BadInputError: it is the text itself, or something else than a file.
        FailedError: nothing can be written there.
    """
    path = Path(html)
    if not path.name or path.suffix.lower() not in (".html", ".htm") or (path.exists() and not path.is_file()):
        raise BadInputError(f"--html must name a file that ends in .html; received {html!r}")
    source = Path(words.removeprefix("FILE:").replace("\0", ""))
    if len(words) < 4096 and path.exists() and source.exists() and path.samefile(source):
        raise BadInputError(f"--html must not be the text itself; received {html!r} for both; name another file")
    check_writable(path.parent, "--html")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line.

    Raises:
        BadInputError: it has an unknown flag, or a value that is none.
    """
    usage = "%(prog)s [flags] FILE|TEXT|-"
    parser = Parser("score", usage=usage, description=ABOUT, epilog=EXAMPLES)
    add = parser.add_argument
    add("text", nargs="?", metavar="FILE|TEXT|-", help="what to score; a pipe is read without being asked")
    add("--model", default=MODEL, metavar="FILE", help=f"the .keras file of the model (default: {MODEL}, ours)")
    words = "score with two models: whose text it is, by how many bits, and where they differ most"
    add("--compare", nargs=2, metavar=("A.keras", "B.keras"), help=words)
    add("--column", metavar="NAME|N", help="the column to take where FILE is a table: its name, or its number from 1")
    words = (
        "what to do with a character that the model never saw: read it as its twin (é as e) or else refuse it (twin), "
        "or else skip it (replace) (default: twin for names, replace for prose)"
    )
    add("--on-unknown", choices=get_args(OnUnknown), help=words)
    add("--places", type=whole, default=10, metavar="N", help="how many of the most surprising places (default: 10)")
    add("--json", action="store_true", help="print everything as JSON, for programs")
    words = "write a page that shows the text, coloured by how surprising each character is; at most 200,000 characters"
    add("--html", metavar="FILE", help=words)
    words = "colour the page by what a unit gives out instead: its layer and number, both from 1, like 1:17"
    add("--unit", type=unit, action="append", default=[], metavar="LAYER:UNIT", help=words)
    words = (
        "the units that go best with 'line ends', 'quotes' (what stands between double ones), 'vowels', or what a "
        "regular expression finds; several by the flag again"
    )
    add("--find", type=pattern, action="append", default=[], metavar="WHAT", help=words)
    words = "how likely each next character is at these temperatures, after the text: 0.2,0.7,1.3"
    add("--temperatures", type=temperatures, default=[], metavar="X,X...", help=words)
    add("--quiet", action="store_true", help="say on standard error nothing but errors")
    wanted, unknown = parser.parse_known_args(argv)
    if unknown and not unknown[0].startswith("--"):
        raise BadInputError(
            f"what is scored must be one argument; received {wanted.text!r:.60} and {unknown[0]!r:.60}; put quotes "
            "around a text of several words"
        )
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    both = wanted.compare and (wanted.html or wanted.unit or wanted.find or wanted.temperatures)
    if both or wanted.compare and wanted.model != MODEL:
        raise BadInputError("--compare takes its two models and goes with --places, --json, --column and --on-unknown")
    if wanted.unit and not wanted.html:
        raise BadInputError("--unit colours a page; add --html out.html")
    return wanted


def whole(value: str) -> int:
    """Read how many."""
    if not re.fullmatch(r"\d{1,5}", value) or int(value) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 99999; received {value!r:.40}")
    return int(value)


def unit(value: str) -> tuple[int, int]:
    """Read a unit: its layer and its number."""
    found = re.fullmatch(r"(\d{1,2}):(\d{1,5})", value)
    if not found or 0 in map(int, found.groups()):
        raise argparse.ArgumentTypeError(f"must be LAYER:UNIT, both from 1, like 1:17; received {value!r:.40}")
    return int(found[1]), int(found[2])


def pattern(value: str) -> str:
    """Read what is looked for: one of the words, or a regular expression."""
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"must be a regular expression; received {value!r:.60}: {error}") from None
    return value


def temperatures(value: str) -> list[float]:
    """Read temperatures."""
    try:
        found = [float(one) for one in value.split(",")]
    except ValueError:
        found = []
    if not 1 <= len(found) <= 6 or any(not (math.isfinite(one) and 0 <= one <= 100) for one in found):
        rule = "must be one to six numbers from 0 to 100 with commas between, like 0.2,0.7,1.3"
        raise argparse.ArgumentTypeError(f"{rule}; received {value!r:.40}")
    return found


if __name__ == "__main__":
    sys.exit(console.run_command(main))
