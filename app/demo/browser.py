"""Which Chromium to drive: the one that is installed, else the one that Playwright brought."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Chromium draws the list under its address bar as a page of its own, for every window anew: more work than our pages.
# The last list of features counts, so what Playwright switches off stands here once more.
SWITCHED_OFF = (
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
)
# A closed network must not be asked for updates, and an EHR's workstation would not do so either.
QUIET = (
    f"--disable-features={','.join(SWITCHED_OFF)}",
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
