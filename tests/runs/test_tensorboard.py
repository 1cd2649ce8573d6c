"""TensorBoard's server shows a run in a real browser.

``python -m tests.runs.test_tensorboard logs docs/tensorboard.png`` makes the README's picture of the runs in `logs`.
"""

import base64
import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

from kerasgen.runs import monitor
from kerasgen.tasks.names import SHOWN
from tests.runs.test_monitor import NAMES, names_task, train

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
]  # fmt: skip
VISIBLE_TEXT = """(() => {
  const found = [], skipped = ['STYLE', 'SCRIPT', 'NOSCRIPT', 'TEMPLATE', 'DOM-MODULE'];
  const walk = node => {
    if (node.nodeType === Node.TEXT_NODE) found.push(node.data.trim());
    if (node.shadowRoot) walk(node.shadowRoot);
    for (const child of node.childNodes) if (!skipped.includes(child.nodeName)) walk(child);
  };
  walk(document.body);
  return found.filter(text => text).join('\\n');
})()"""

WIDEN_THE_FIRST_CHART = """(() => {
  const find = node => node.matches?.('[icon=fullscreen]') ? node
    : [...node.shadowRoot?.children ?? [], ...node.children].reduce((found, child) => found ?? find(child), null);
  find(document.body).click();
})()"""


class Browser:
    """Headless Chromium, which speaks its DevTools protocol over two pipes: JSON messages that end in a NUL."""

    def __init__(self, profile):
        theirs, self._to = os.pipe()
        self._from, their_answers = os.pipe()
        self._process = subprocess.Popen(  # through bash, as only it gives a child the numbers 3 and 4 of any two pipes
            ["bash", "-c", f'exec "$0" "$@" 3<&{theirs} 4>&{their_answers}', CHROMIUM, *FLAGS,
             f"--user-data-dir={profile}"],
            pass_fds=(theirs, their_answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs)
        os.close(their_answers)
        self._count, self._session, self._left = 0, {}, b""

    def open(self, width, height):
        """Open a page of that size, in pixels, for all that follows."""
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self._session = {"sessionId": session}
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def call(self, method, **parameters):
        """Return the result of a method of the protocol."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters, **self._session}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._left:
                assert select.select([self._from], [], [], 60)[0], f"no answer to {method}"
                more = os.read(self._from, 1 << 20)
                assert more, "the browser has ended"
                self._left += more
            answer, self._left = self._left.split(b"\0", 1)
            answer = json.loads(answer)
            if answer.get("id") == self._count:  # the others are events
                assert "error" not in answer, answer
                return answer["result"]

    def evaluate(self, expression):
        """Return the value of a JavaScript expression in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def show(self, url, *words, seconds=60):
        """Go to a page and wait until all of the words can be read there; return its text."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)
        deadline, text = time.monotonic() + seconds, ""
        while time.monotonic() < deadline:
            text = self.evaluate(VISIBLE_TEXT) or ""
            if all(word in text for word in words):
                return text
            time.sleep(0.2)
        missing = [word for word in words if word not in text]
        raise AssertionError(f"after {seconds} s the page has no {missing}; it has:\n{text[:3000]}")

    def close(self):
        """End the browser."""
        os.close(self._to)  # Chromium ends with its pipe
        self._process.wait(20)
        os.close(self._from)


@contextlib.contextmanager
def tensorboard(logs):
    """Serve a folder of logs on this machine only; give the address, which waits for the server."""
    command = ["-m", "tensorboard.main", "--logdir", str(logs), "--host", "127.0.0.1", "--port", "0"]
    server = subprocess.Popen(
        [sys.executable, *command, "--reload_interval", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip

    def address():
        lines = []
        for line in server.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
                return found[0]
            lines.append(line)
        raise AssertionError(f"TensorBoard has ended:\n{''.join(lines)}")

    try:
        yield address
    finally:
        server.terminate()
        server.wait(20)
        server.stderr.close()


@contextlib.contextmanager
def browser(width=1400, height=900):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:  # Chromium's helpers end a moment later
        opened = Browser(profile)
        try:
            opened.open(width, height)
            yield opened
        finally:
            opened.close()


@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed: TensorBoard can't be looked at")
def test_a_browser_shows_the_charts_and_the_samples(tmp_path):
    task = names_task()
    with tensorboard(tmp_path) as address:  # it starts while the model learns
        watched, _ = train(task, monitor.run_folder(tmp_path, task))
        with browser() as chromium:
            url, run = address(), watched.folder.name
            runs = [f"{run}/{part}" for part in ("train", "validation", "ngrams")]
            charts = ["loss/bits_per_char", "training/learning_rate", "training/gradient_norm"]
            chromium.show(f"{url}#scalars", *runs, *charts)

            names = watched.generator.generate(SHOWN, temperature=0.7, seed=0)
            shown = chromium.show(f"{url}#text", run, "config", "init_scale", "samples/temperature_0.7", *names)
            assert {"known" if name in NAMES else "new" for name in names} <= set(shown.split("\n"))


def main(logs, picture):
    """Save a picture of the losses of some runs."""
    with tensorboard(logs) as address, browser(height=665) as chromium:
        chromium.show(f"{address()}#scalars&_smoothingWeight=0", "loss/bits_per_char", "training/learning_rate")
        chromium.evaluate(WIDEN_THE_FIRST_CHART)
        time.sleep(5)  # the curves glide to their places
        png = chromium.call("Page.captureScreenshot", format="png")["data"]
    with open(picture, "wb") as file:
        file.write(base64.b64decode(png))


if __name__ == "__main__":
    main(*sys.argv[1:])
