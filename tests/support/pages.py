"""README and docs as data: their fenced blocks, and the commands that a shell would run of them."""

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# Shell functions that write down what they are called with, in place of what they would run.
RECORDER = r"""
record() {
    { printf '%s\x1f' "${BASH_LINENO[1]}" "$([ -p /dev/stdin ] && cat)" "$@"; printf '\0'; } >> "$RECORD"
}
for name in python python3 pip kerasgen tensorboard cp docker curl; do eval "$name() { record $name \"\$@\"; }"; done
"""


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: its page, from the project's folder.
        line: the line of its first line of text, from 1.
        language: what stands behind the opening fence; empty for samples of output.
        text: what it holds.
        comment: the HTML comment right before it, or nothing.
        output: the untagged block right behind it, or nothing.
    """

    page: str
    line: int
    language: str
    text: str
    comment: str
    output: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command as a shell would run it.

    Attributes:
        place: page and line.
        words: the command and its arguments.
        piped: what is piped into it.
    """

    place: str
    words: tuple[str, ...]
    piped: str

    def __str__(self) -> str:
        return f"{self.place}: {' '.join(self.words)}"


def blocks(pages: Sequence[Path] = tuple(PAGES)) -> list[Block]:
    """Return all fenced blocks of some pages, in order."""
    return [
        block
        for page in pages
        for block in _blocks(page.relative_to(ROOT).as_posix(), page.read_text(encoding="utf-8"))
    ]


def _blocks(page: str, text: str) -> list[Block]:
    fenced = re.compile(r"(?:<!-- (?P<comment>.*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.S | re.M)
    matches = list(fenced.finditer(text))
    found = []
    for match, after in zip_longest(matches, matches[1:]):
        shown = after and not after["language"] and not text[match.end() : after.start()].strip()
        line = text.count("\n", 0, match.start("text")) + 1
        output = after["text"] if shown else ""
        found.append(Block(page, line, match["language"], match["text"], match["comment"] or "", output))
    return found


def commands(block: Block) -> list[Command]:
    """Return what a shell would run of a block of commands: the shell itself reads loops, quotes and comments.

    Raises:
        CalledProcessError: the shell does not understand it, or knows one of the commands by no name.
    """
    with tempfile.TemporaryDirectory() as folder:
        recorder, record = Path(folder, "recorder"), Path(folder, "record")
        recorder.write_text(RECORDER, encoding="utf-8")
        subprocess.run(
            ["bash", "-e", "-c", block.text.replace(".venv/bin/", "")],
            cwd=folder, env={**os.environ, "BASH_ENV": str(recorder), "RECORD": str(record)}, check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        *calls, _ = record.read_text(encoding="utf-8").split("\0")
    found = []
    for call in calls:
        line, piped, *words, _ = call.split("\x1f")
        found.append(Command(f"{block.page}:{block.line + int(line)}", tuple(words), piped))
    return found
