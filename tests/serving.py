"""Starts servers for the tests in Python."""

import os
import re
import subprocess
from contextlib import contextmanager
from threading import Thread


@contextmanager
def serving(program, arguments):
    """Starts a server on a free port, and yields its URL. Ignores the caller's own settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TICKERPLANT_")}
    command = [program, "--listen", "127.0.0.1:0", *arguments]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            yield f"http://{address(server.stderr)}"
        finally:
            server.terminate()


def address(log):
    """Returns the address that a server logs. From then on, a thread reads the log, so that the server never waits."""
    lines = []
    for line in log:
        lines.append(line)
        if found := re.search(r"listening address=(\S+)", line):
            Thread(target=log.read, daemon=True).start()
            return found[1]
    raise SystemExit(f"FAILED: the server did not start\n{''.join(lines)}")
