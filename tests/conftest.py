"""Fixtures that several test files use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# Read when numpy is loaded. Two threads for a small product wait for each other longer than one takes for it, hundreds
# of times longer where something else wants the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from livefake.engine.weights import Weights
from livefake.resources import models_folder
from livefake.settings import read_settings
from livefake.studio import Studio

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

    from benchmarks.browser import Server

# A busy machine is no reason to fail.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """The real networks and personas, loaded once."""
    chosen = read_settings(os.environ)
    weights = Weights(models_folder() / "manifest.toml", chosen.cache / "weights")
    weights.fetch(print)
    cache: Path = tmp_path_factory.mktemp("cache")
    studio = Studio(models_folder(), weights, cache, issuer=0x123456)
    studio.warm_up()
    return studio


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of ``server``."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[Server]:
    """A running service with one place."""
    from benchmarks.browser import serve

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVEFAKE_DATA", str(data))
        with serve(["--capacity", "1"]) as running:
            yield running


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium whose camera is the demo clip at 640 x 360."""
    from benchmarks.browser import chromium, write_camera
    from tests.footage import CLIP

    camera = tmp_path_factory.mktemp("camera") / "camera.y4m"
    write_camera(CLIP, camera, (640, 360), frames=240)
    with chromium(playwright, camera) as running:
        yield running
