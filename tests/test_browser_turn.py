"""A real Chromium and the service meet over a real TURN server, coturn, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from aioice.ice import get_host_addresses
from playwright.sync_api import Browser, Page

from benchmarks.browser import Server, go_live, grab, serve
from livefake.frame import Frame
from livefake.trust.watermark.detect import Detector
from tests.browserkit import REAL_BROWSER, hear, labelled, stop
from tests.turnkit import NEEDS_COTURN, SECRET, coturn

OWN: Final = get_host_addresses(use_ipv4=True, use_ipv6=False)
"""Chromium's sockets are bound to an address of this machine that is not the loopback one: so is the TURN server."""

pytestmark = [
    *REAL_BROWSER,
    *NEEDS_COTURN,
    pytest.mark.models,
    pytest.mark.slow,
    pytest.mark.skipif(not OWN, reason="this machine has no address but the loopback one"),
]

SPY: Final = """
(() => {
  const Real = RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Real {
    constructor(...options) {
      super(...options);
      globalThis.newest = this;
    }
  };
  globalThis.way = async () => {
    const stats = [...(await newest.getStats()).values()];
    const named = Object.fromEntries(stats.map((each) => [each.id, each]));
    const pair = named[stats.find(({ type }) => type === "transport").selectedCandidatePairId];
    const [local, remote] = [named[pair.localCandidateId], named[pair.remoteCandidateId]];
    return {
      kinds: [local.candidateType, remote.candidateType],
      protocol: local.relayProtocol,
      offered: newest.localDescription.sdp.match(/ typ \\w+/g) ?? [],
      answered: newest.remoteDescription.sdp.match(/ typ \\w+/g) ?? [],
    };
  };
})()
"""
"""Tells which way the page's newest connection takes."""


@pytest.fixture(scope="module", params=["udp", "tcp"])
def transport(request: pytest.FixtureRequest) -> str:
    """How both ends reach the TURN server."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(data: Path, transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that uses nothing but a relay."""
    with (
        coturn(tmp_path_factory.mktemp("coturn"), OWN[0]) as place,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("LIVEFAKE_DATA", str(data))
        patch.setenv("LIVEFAKE_ICE_SERVERS", f"turn:{place}?transport={transport}")
        patch.setenv("LIVEFAKE_TURN_SECRET", SECRET)
        with serve(["--capacity", "1", "--relay-only"]) as running:
            yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that must not complain."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.add_init_script(SPY)
    fresh = context.new_page()
    complaints = hear(fresh)
    yield fresh
    context.close()
    assert complaints == []


def relayed(page: Page, transport: str) -> None:
    """Nothing but the relay was offered, answered and used."""
    way: dict[str, Any] = page.evaluate("way()")
    assert way["kinds"] == ["relay", "relay"]
    assert way["protocol"] == transport
    assert way["answered"]
    assert {kind.split()[-1] for kind in [*way["offered"], *way["answered"]]} == {"relay"}


def test_the_swapped_picture_comes_back_over_the_relay_alone(page: Page, server: Server, transport: str) -> None:
    go_live(page, server.url)
    relayed(page, transport)
    detector = Detector()
    for _ in range(30):
        picture = grab(page, "#remote")
        assert labelled(picture)
        detector.add(Frame.from_bgr(picture).y)
        page.wait_for_timeout(60)
    view = page.context.new_page()
    view.goto(page.input_value("#view-url"))
    shown = grab(view, "video")
    relayed(view, transport)
    view.close()
    stop(page)
    assert labelled(shown)
    assert detector.read().present
