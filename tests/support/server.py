"""A server in a process of its own, as it is really."""

import contextlib
import select
import signal
import subprocess
import sys
from dataclasses import dataclass

from tests.support.commands import environment


@dataclass
class Running:
    """A server that runs.

    Attributes:
        process: its process.
        address: where it answers, such as ``"http://127.0.0.1:40001"``.
    """

    process: subprocess.Popen
    address: str

    def stop(self, number=signal.SIGTERM):
        """Send a signal; return the exit code and what was written to standard error."""
        self.process.send_signal(number)
        _, error = self.process.communicate(timeout=60)
        return self.process.returncode, error


@contextlib.contextmanager
def serving(folder, *arguments, **env):
    """Start ``python -m kerasgen.serve`` at a free port in a folder; yield it once it answers."""
    command = [sys.executable, "-m", "kerasgen.serve", "--port", "0", *map(str, arguments)]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen(command, cwd=folder, env=environment(**env), **pipes) as process:
        try:
            assert select.select([process.stdout], [], [], 120)[0], "the server did not come up"
            address = process.stdout.readline().strip()
            assert address.startswith("http://"), process.stderr.read()
            yield Running(process, address)
        finally:
            process.kill()
