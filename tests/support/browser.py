"""A real browser without a window, where one is installed."""

import contextlib
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


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
