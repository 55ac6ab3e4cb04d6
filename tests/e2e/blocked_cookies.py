"""Browsers that hold cookies back: by an organisation's policy, or because they do not know partitioned cookies."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext

from app.demo.browser import QUIET, installed_chromium

BLOCKED = 2
THIRD_PARTY = 1
EVERYWHERE = "*"
# What concerns the connection and not the message (RFC 9110 7.6.1), and lengths and codings that are made anew.
NOT_PASSED_ON = {"connection", "proxy-connection", "transfer-encoding", "content-length", "accept-encoding"}


@contextmanager
def blocking_cookies(chromium: Browser, folder: Path, of: str, within: str) -> Iterator[BrowserContext]:
    """A browser that keeps no cookie of the origin `of` on pages of `within`, an origin or everywhere.

    It is a setting for third-party cookies where `within` is another site, and partitioned ones are blocked by it too.
    """
    exceptions = {f"{of},{within}": {"setting": BLOCKED}}
    with _with_profile(chromium, folder, {"content_settings": {"exceptions": {"cookies": exceptions}}}) as context:
        yield context


@contextmanager
def without_partitions(chromium: Browser, folder: Path) -> Iterator[BrowserContext]:
    """A browser that blocks third-party cookies and knows no partitioned ones, as browsers did for years.

    Chromium cannot be told to forget them, so the word is taken from what the servers send.
    """
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), _Forgetful)
    thread = Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    through = f"--proxy-server=http://127.0.0.1:{proxy.server_port}"
    try:
        profile = {"cookie_controls_mode": THIRD_PARTY}
        with _with_profile(chromium, folder, profile, through, "--proxy-bypass-list=<-loopback>") as context:
            yield context
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()


@contextmanager
def _with_profile(
    chromium: Browser, folder: Path, profile: dict[str, Any], *arguments: str
) -> Iterator[BrowserContext]:
    preferences = folder / "Default" / "Preferences"
    preferences.parent.mkdir(parents=True)
    preferences.write_text(json.dumps({"profile": profile}))
    context = chromium.browser_type.launch_persistent_context(
        folder,
        executable_path=installed_chromium(),
        args=[*QUIET, "--no-sandbox", *arguments],
        viewport={"width": 1400, "height": 900},
    )
    try:
        yield context
    finally:
        context.close()


class _Forgetful(BaseHTTPRequestHandler):
    """Passes everything on but the word Partitioned."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.port is None:
            self.send_error(502)  # what the browser itself looks up elsewhere
            return
        server = http.client.HTTPConnection("127.0.0.1", url.port)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON}
        server.request(self.command, f"{url.path}?{url.query}", body or None, sent)
        answer = server.getresponse()
        text = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in NOT_PASSED_ON:
                self.send_header(name, value.replace("; Partitioned", ""))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        server.close()

    do_POST = do_GET  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Nothing."""
