"""Thousands of inputs that nobody would write, each ending in a result that is right or in one line that says why not.

``python -m tests.tools.fuzz`` tries 10,000 (``--count``), or runs for a time (``--seconds``), with new ones each time
(``--seed`` brings the same ones back). `tests/tools/test_fuzz.py` tries some of them.
"""

import argparse
import itertools
import os
import random
import tempfile
import time
from pathlib import Path

from tests.tools.fuzz import common, structure
from tests.tools.fuzz.kinds import ALL

NAMES = {kind.__name__: kind for kind in ALL}


def main():
    """Try until there is enough, and say what came of the inputs of each kind."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.fuzz", description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="how many inputs in all (default: 10000)")
    parser.add_argument("--seconds", type=float, help="go on for so long instead")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="KIND", help=f"of these kinds: {', '.join(NAMES)}")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="the same number, the same inputs")
    options = parser.parse_args()
    print(f"--seed {options.seed}")
    try:
        with tempfile.TemporaryDirectory(prefix="kerasgen-fuzz-") as folder:
            common.FOLDER = Path(folder)
            go_on(options)
    finally:
        structure.checker.close()


def go_on(options):
    """Try a share of each kind in turn, once or until the time is over."""
    shares = {NAMES[name]: ALL[NAMES[name]] for name in options.only or NAMES}
    total, started = options.count if options.seconds is None else 1000, time.monotonic()
    sums = {kind: dict.fromkeys(("tried", "accepted", "refused", "spent", "seconds", "peak"), 0) for kind in shares}

    def enough():
        return options.seconds is not None and time.monotonic() - started > options.seconds

    for turn in itertools.count():
        for kind, share in shares.items():
            if enough():
                break
            began, count = time.monotonic(), max(1, round(share * total / sum(shares.values())))
            came, here = common.attempt(kind, count, options.seed + turn), sums[kind]
            for key, value in [*came.items(), ("tried", count), ("spent", time.monotonic() - began)]:
                here[key] += value
            here.update({key: max(here[key], common.most[key]) for key in common.most})
            if options.seconds is None:
                print(line(kind, here), flush=True)
        if options.seconds is None or enough():
            break
    if options.seconds is not None:
        print(*(line(kind, here) for kind, here in sums.items()), sep="\n")
    tried = sum(here["tried"] for here in sums.values())
    print(f"{tried:,} inputs in {time.monotonic() - started:.0f} s: each gave what is right, or one clear line")


def line(kind, came):
    """Say what came of a kind."""
    counts = f"{came['tried']:8,} inputs, {came['accepted']:8,} accepted, {came['refused']:8,} refused"
    words = f"{kind.__name__:13} {counts}, {came['spent']:6.0f} s"
    if came["peak"]:
        words += f"; of one, at most {came['seconds']:.1f} s and {came['peak'] / 1e6:.0f} MB"
    return words


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
