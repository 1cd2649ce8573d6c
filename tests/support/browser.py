"""A real browser without a window, where one is installed."""

import contextlib
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# The lowest contrast of a text with what is behind it, and where that is.
CONTRAST = """(() => {
  const light = (colour) => {
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
    const [r, g, b] = parts.map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const own = getComputedStyle(element).backgroundColor;
    return /^rgba\\(.*, 0\\)$/.test(own) ? behind(element.parentElement) : own;
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!text || !element.checkVisibility() || element.disabled || element.matches("script")) continue;
    const pair = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
    found.push([(pair[0] + 0.05) / (pair[1] + 0.05), element.outerHTML.slice(0, 80)]);
  }
  return found.sort((a, b) => a[0] - b[0])[0];
})()"""


@contextlib.contextmanager
def chromium():
    """Yield a browser of playwright's; skip without."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no page is looked at")
    if not CHROMIUM:
        pytest.skip("chromium is not installed: no page is looked at")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A page in a context of its own, and all that goes wrong or is asked of a network there.

    Args:
        browser: from `chromium`.
        settings: those of playwright's contexts, such as ``viewport``.
    """

    def __init__(self, browser, **settings):
        self._context = browser.new_context(**settings)
        self.page = self._context.new_page()
        self._session = self._context.new_cdp_session(self.page)
        self.page.set_default_timeout(60_000)
        self.requests, self.troubles = [], []
        self._context.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.troubles.append(message.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.troubles.append(dialog.message), dialog.dismiss()))

    def evaluate(self, expression):
        """Return the value of an expression or a promise, as the developer's tools would; a policy may forbid eval."""
        given = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        found = self._session.send("Runtime.evaluate", given)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def close(self):
        """Close it."""
        self._context.close()
