"""Outputs over the HTTP interface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.serverkit import House, opened, problem, running


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running(House(tmp_path)) as client:
        yield client


@pytest.fixture
async def path(client: httpx.AsyncClient, tmp_path: Path) -> str:
    return f"/api/sessions/{(await opened(House(tmp_path / 'order'), client))['id']}/outputs"


async def test_an_output_is_added_listed_counted_and_removed(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).json() == []
    answer = await client.post(path, json={"kind": "push", "target": "rtmp://there"})
    assert answer.status_code == 201
    (entry,) = (await client.get(path)).json()
    assert entry == answer.json()
    assert (entry["kind"], entry["place"], entry["state"], entry["frames"]) == ("push", "rtmp://there", "running", 3)
    metrics = (await client.get("/metrics")).text
    assert 'livefake_outputs{kind="push",state="running"} 1.0' in metrics
    assert 'livefake_output_frames{kind="push",outcome="sent"} 3.0' in metrics
    for _ in range(2):
        assert (await client.delete(f"{path}/{entry['id']}")).status_code == 204
    assert (await client.get(path)).json() == []


async def test_what_cannot_be_is_one_sentence(client: httpx.AsyncClient, path: str) -> None:
    assert "should begin with rtmp" in problem(await client.post(path, json={"kind": "push", "target": "x"}), 422)
    assert "no output virtual-camera" in problem(await client.post(path, json={"kind": "virtual-camera"}), 422)
    problem(await client.post(path, json={"kind": "fax"}), 422)
    problem(await client.post(path, json={"kind": "push", "label": False}), 422)
    problem(await client.get("/api/sessions/unknown/outputs"), 404)
