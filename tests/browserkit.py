"""What tests in a real Chromium share; the fixtures ``server``, ``playwright`` and ``browser`` stand in conftest.py."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page

from benchmarks.browser import missing
from livefake.frame import Bytes

REAL_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    # Playwright's synchronous interface leaves its event loop to the interpreter's exit.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
"""Marks of a test file that needs Chromium."""


def hear(page: Page) -> list[str]:
    """What a page complains about from now on."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def labelled(picture: Bytes) -> bool:
    """Are the label's bright letters on their dark plate there? No camera picture has them.

    Args:
        picture: (360, 640, 3) uint8 BGR.
    """
    corner = cv2.cvtColor(picture[8:40, -150:-16], cv2.COLOR_BGR2GRAY)
    return bool(np.percentile(corner, 95) > 200 and np.percentile(corner, 20) < 90)


def stop(page: Page) -> None:
    """End the session and wait for the page's start."""
    page.click("#stop")
    page.wait_for_selector("#go:visible")
