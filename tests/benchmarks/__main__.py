"""``python -m tests.benchmarks``, from the checkout: kerasgen and its rivals side by side, as Markdown and JSON."""

import argparse
import json
import sys
from pathlib import Path

from kerasgen import __version__
from kerasgen.errors import KerasgenError
from kerasgen.files import whole
from tests.benchmarks import command, names, report
from tests.benchmarks.task import NamesTask


def main() -> int:
    """Run the sections that are asked for and print what they found."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure kerasgen and its rivals.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything that was measured")
    parser.add_argument("--quick", action="store_true", help="fewer steps and one round: a look, not a measurement")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often each is run (default: 3)")
    parser.add_argument(
        "--torch-python",
        default=sys.executable,
        metavar="FILE",
        help="an interpreter that has PyTorch, if not this one",
    )
    parser.add_argument("--only", choices=["names-train", "names-generate", "command"], help="one section only")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1; received {options.rounds}")
    rounds = 1 if options.quick else options.rounds
    try:
        NamesTask()  # the real corpus, or an error before anything slow
    except KerasgenError as error:
        print(f"benchmarks: error: {error}; or set KERASGEN_MIRROR to a folder that has it", file=sys.stderr)
        return 1
    measures = {
        "names-train": lambda: names.train(options.quick, rounds, options.torch_python),
        "names-generate": lambda: names.generate(options.quick, rounds),
        "command": lambda: command.measure(options.quick, rounds),
    }

    machine, versions = report.machine(), {"kerasgen": __version__, **report.own_versions()}
    sections = {key: measure() for key, measure in measures.items() if options.only in (None, key)}
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
