"""``python -m tests.tools.benchmarks``, from the checkout: kerasgen and its rivals, as Markdown and JSON."""

import argparse
import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from kerasgen.base.errors import KerasgenError
from kerasgen.base.files import whole
from kerasgen.base.version import __version__
from tests.tools.benchmarks import (
    command,
    growth,
    jobs,
    learning,
    memory,
    names,
    own,
    own_lists,
    prose,
    report,
    scale,
    serve,
    workers,
)
from tests.tools.benchmarks.prose_task import ProseTask
from tests.tools.benchmarks.task import NamesTask

SECTIONS: dict[str, Callable[[argparse.Namespace], report.Section]] = {
    "names-train": lambda asked: names.train(asked.quick, asked.rounds, asked.torch_python),
    "names-generate": lambda asked: names.generate(asked.quick, asked.rounds),
    "prose-train": lambda asked: prose.train(asked.quick, asked.rounds, asked.torch_python),
    "prose-generate": lambda asked: prose.generate(asked.quick, asked.rounds),
    "learning": lambda asked: learning.measure(asked.quick, asked.rounds),
    "command": lambda asked: command.measure(asked.quick, asked.rounds),
    "memory": lambda asked: memory.measure(asked.quick, asked.rounds),
    "jobs": lambda asked: jobs.measure(asked.quick),
    "workers": lambda asked: workers.measure(asked.quick, asked.rounds),
    "growth": lambda asked: growth.measure(asked.quick, asked.rounds, asked.chart),
    "serve": lambda asked: serve.measure(asked.quick, asked.rounds),
    "scale": lambda asked: scale.measure(asked.quick, asked.chart),
    "own": lambda asked: own.measure(asked.kinds, asked.sizes, asked.rounds, asked.quick),
}
HOURS = ("own", "scale")  # what takes long, or gigabytes of the disk, and is measured only where it is named


def main() -> int:
    """Run the sections that are asked for and print what they found."""
    about = "Measure kerasgen and its rivals."
    parser = argparse.ArgumentParser(prog="python -m tests.tools.benchmarks", description=about)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything that was measured")
    parser.add_argument("--quick", action="store_true", help="fewer steps and one round: a look, not a measurement")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often each is run (default: 3)")
    parser.add_argument(
        "--torch-python",
        default=sys.executable,
        metavar="FILE",
        help="an interpreter that has PyTorch, if not this one",
    )
    parser.add_argument("--only", choices=list(SECTIONS), help=f"one section only; {', '.join(HOURS)} only so")
    parser.add_argument(
        "--kinds", nargs="+", choices=list(own.COMMANDS), default=list(own.COMMANDS), help="of the section own"
    )
    parser.add_argument(
        "--sizes", nargs="+", type=int, default=list(own_lists.SIZES), metavar="N", help="of the lists in own"
    )
    parser.add_argument("--chart", type=Path, metavar="FILE", help="also draw the section `growth` or `scale`, as PNG")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1; received {options.rounds}")
    if options.chart and options.only not in (None, "growth", "scale"):
        parser.error(f"--chart draws the sections growth and scale; received --only {options.only}")
    if options.chart and not find_spec("matplotlib"):
        parser.error("--chart needs matplotlib, which is not installed")
    options.rounds = 1 if options.quick else options.rounds
    try:
        NamesTask(), ProseTask()  # the real corpora, or an error before anything slow
    except KerasgenError as error:
        print(f"benchmarks: error: {error}; or set KERASGEN_MIRROR to a folder that has it", file=sys.stderr)
        return 1

    asked = [options.only] if options.only else [key for key in SECTIONS if key not in HOURS]
    machine, versions = report.machine(), {"kerasgen": __version__, **report.own_versions()}
    sections = {key: measure(options) for key, measure in SECTIONS.items() if key in asked}
    goals = [goal for section in sections.values() for goal in section.goals]
    for section in sections.values():
        versions |= section.versions
    print("\n\n".join(section.text() for section in sections.values()), report.goals_text(goals), sep="\n\n")
    print(f"\n{report.heading(machine, versions)}" + " A quick run: a look, not a measurement." * options.quick)
    if options.json:
        found = {"machine": machine, "versions": versions, "quick": options.quick}
        found["sections"] = {key: section.as_dict() for key, section in sections.items()}
        with whole(options.json) as temporary:
            temporary.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
