"""Which Chromium to drive: the one that is installed, else the one that Playwright brought."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A closed network must not be asked for updates, and an EHR's workstation would not do so either.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def installed_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, if there is one."""
    return next((path for name in INSTALLED if (path := shutil.which(name))), None)


def launch_chromium(playwright: Playwright) -> Browser:
    """A headless Chromium. As root it runs without its sandbox, which it otherwise refuses to do."""
    as_root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    return playwright.chromium.launch(executable_path=installed_chromium(), args=[*QUIET, *as_root])
