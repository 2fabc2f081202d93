"""Headless Chromium: what a page shows, says on the console and asks the network for."""

import os
import shutil
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


def chromium():
    """Path of the browser; missing at home the test is skipped, under CI it fails."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        message = "needs chromium, of your system's packages"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


def visit(page, folder, *options):
    """Open a page; stdout is its DOM, stderr has the console's messages, marked CONSOLE."""
    command = [
        chromium(), "--headless", "--no-sandbox", "--disable-gpu",
        "--disable-background-networking", f"--user-data-dir={folder / 'profile'}",
        "--enable-logging=stderr", "--v=0", "--window-size=1000,1200",
        *(options or ["--dump-dom"]), page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@contextmanager
def network():
    """Serve on this machine; yields the address and the list of what was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
