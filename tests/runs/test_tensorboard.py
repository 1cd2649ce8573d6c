"""TensorBoard's server shows a run in a real browser.

``python -m tests.runs.test_tensorboard logs docs/tensorboard.png`` makes the README's picture of the runs in `logs`.
"""

import contextlib
import os
import re
import subprocess
import sys
import time

from kerasgen.runs import monitor
from kerasgen.tasks.names import SHOWN
from tests.runs.test_monitor import NAMES, names_task, train
from tests.support.browser import Watched, chromium

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


def show(watched, url, *words, seconds=60):
    """Go to an address and wait until all of the words can be read there; return its text."""
    watched.page.goto("about:blank")
    watched.page.goto(url)
    deadline, text = time.monotonic() + seconds, ""
    while time.monotonic() < deadline:
        text = watched.evaluate(VISIBLE_TEXT) or ""
        if all(word in text for word in words):
            return text
        time.sleep(0.2)
    missing = [word for word in words if word not in text]
    raise AssertionError(f"after {seconds} s the page has no {missing}; it has:\n{text[:3000]}")


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


def test_a_browser_shows_the_charts_and_the_samples(tmp_path):
    task = names_task()
    with chromium() as browser, tensorboard(tmp_path) as address:  # it starts while the model learns
        watched, _ = train(task, monitor.run_folder(tmp_path, task))
        page, url, run = Watched(browser), address(), watched.folder.name
        runs = [f"{run}/{part}" for part in ("train", "validation", "ngrams")]
        charts = ["loss/bits_per_char", "training/learning_rate", "training/gradient_norm"]
        show(page, f"{url}#scalars", *runs, *charts)

        names = watched.generator.generate(SHOWN, temperature=0.7, seed=0)
        shown = show(page, f"{url}#text", run, "config", "init_scale", "samples/temperature_0.7", *names)
        assert {"known" if name in NAMES else "new" for name in names} <= set(shown.split("\n"))


def main(logs, picture):
    """Save a picture of the losses of some runs."""
    with tensorboard(logs) as address, chromium() as browser:
        page = Watched(browser, viewport={"width": 1400, "height": 665})
        show(page, f"{address()}#scalars&_smoothingWeight=0", "loss/bits_per_char", "training/learning_rate")
        page.evaluate(WIDEN_THE_FIRST_CHART)
        time.sleep(5)  # the curves glide to their places
        page.page.screenshot(path=picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
