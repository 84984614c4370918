"""The load and the soak: what holds, what it costs, which limits are kept; and a real service with real performers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from benchmarks.browser import read_stamp
from benchmarks.clients import Client
from benchmarks.load import carried, cost_a_session, holds, in_time
from benchmarks.packets import SIZES, encoded
from benchmarks.process import cpu_by_thread, cpu_of_family, open_files, resident_mib, thread_count
from benchmarks.records import read_records
from benchmarks.soak import judge, run
from livefake.resources import models_folder

CLIP = models_folder() / "demo" / "performer.mp4"


def a_span(sent: int, *delays: float) -> dict[str, Any]:
    return {"sent": sent, "delays_ms": list(delays)}


def test_frames_that_never_came_count_as_late() -> None:
    assert in_time(a_span(4, 20, 30, 101)) == 0.5
    assert in_time(a_span(0)) == 0
    good, bad = a_span(20, *[40] * 19), a_span(20, *[40] * 18)
    assert holds([good, good])
    assert not holds([good, bad]), "each session counts, not their mean"
    assert not holds([])


def test_the_cost_of_a_session_is_the_slope_over_those_that_held() -> None:
    steps = [{"count": n, "holds": n < 4, "server_cores": 0.1 + 0.3 * n, "resident_mib": 500} for n in range(1, 5)]
    steps[3]["server_cores"] = 9
    assert carried(steps) == 3
    assert cost_a_session(steps, "server_cores") == pytest.approx(0.3)
    assert cost_a_session(steps, "resident_mib") == pytest.approx(0)
    assert cost_a_session(steps[:1], "server_cores") is None
    assert carried(steps[3:]) == 0


def a_minute(number: int, **changes: Any) -> dict[str, Any]:
    usual = {"minute": number, "came": 1800, "delay_ms": {"p50": 40.0}, "resident_mib": 500.0, "threads": 20}
    return {**usual, "files": 15, "queue_depth": 1, "ended": 0, **changes}


def test_a_calm_soak_keeps_all_limits() -> None:
    verdicts = judge([a_minute(number) for number in range(1, 11)])
    assert len(verdicts) == 7
    assert all(verdict.kept for verdict in verdicts)
    assert judge([a_minute(1), a_minute(2)]) == []


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("memory", lambda n: {"resident_mib": 500 + 3.0 * n}),
        ("median delay", lambda n: {"delay_ms": {"p50": 40.0 + 5 * n}}),
        ("threads", lambda n: {"threads": 20 + n}),
        ("open files", lambda n: {"files": 15 + 2 * n}),
        ("deepest queue", lambda n: {"queue_depth": n}),
        ("sessions that ended", lambda n: {"ended": int(n > 8)}),
        ("minutes without", lambda n: {"came": 0, "delay_ms": {"p50": None}} if n in (2, 7) else {}),
    ],
)
def test_what_grows_is_told(what: str, changes: Any) -> None:
    verdicts = judge([a_minute(number, **changes(number)) for number in range(1, 11)])
    assert [verdict.what.startswith(what) for verdict in verdicts if not verdict.kept] == [True]


def test_what_the_first_minute_does_not_have_yet_does_not_count_and_memory_counts_from_its_end() -> None:
    filling = [a_minute(1, threads=5, files=2, queue_depth=3), *(a_minute(number) for number in range(2, 8))]
    assert all(verdict.kept for verdict in judge(filling))
    jumped = [a_minute(1), *(a_minute(number, resident_mib=520.0) for number in range(2, 8))]
    assert [verdict.value for verdict in judge(jumped) if not verdict.kept] == [pytest.approx(21.0)]


async def test_a_number_that_comes_again_belongs_to_the_latest_round() -> None:
    client = Client(None, [b""] * 4, 30, 0)  # type: ignore[arg-type]  # asks nothing of the service
    client._clip.sent = [0.1 * number for number in range(10)]
    # Frame 1 came late, 2 never, 5 has the number of 1, and 6 comes twice.
    client._seen = [(0.01, 0), (0.15, 1), (0.33, 3), (0.41, 0), (0.54, 1), (0.62, 2), (0.65, 2)]
    span = client.span(0.0, 0.65, {})
    assert span.sent == 7
    assert span.delays_ms == pytest.approx([10, 50, 30, 10, 40, 20])
    assert client.span(0.35, 0.65, {}).delays_ms == pytest.approx([10, 40, 20])
    client.forget(0.6)
    assert client.span(0.0, 0.65, {}).delays_ms == pytest.approx([20])
    await client.close()


def test_every_encoded_picture_carries_its_number_and_each_second_a_key_frame() -> None:
    packets = encoded(CLIP, SIZES["360p"], 15)
    assert len(packets) == 240
    decoder = av.CodecContext.create("h264", "r")
    seen = []
    for packet in packets[:31]:
        for picture in decoder.decode(av.Packet(packet)):
            assert isinstance(picture, av.VideoFrame)
            seen.append((read_stamp(np.asarray(picture.to_ndarray(format="gray"), np.uint8)), picture.key_frame))
    assert [number for number, _ in seen] == list(range(len(seen)))
    assert [number for number, key in seen if key] == [0, 15, 30][: len(seen) // 15 + 1]


def test_this_process_is_read_from_the_system() -> None:
    pid = os.getpid()
    assert resident_mib(pid) > 10
    assert thread_count(pid) >= 1
    before = open_files(pid)
    with Path(os.devnull).open():
        assert open_files(pid) == before + 1
    assert sum(cpu_by_thread(pid).values()) > 0
    assert isinstance(cpu_of_family(pid), dict)
    assert (resident_mib(0), thread_count(0), open_files(0)) == (0, 0, 0)


@pytest.mark.models
@pytest.mark.slow
def test_a_soak_of_seconds_keeps_its_limits_and_its_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEFAKE_DATA", str(tmp_path / "data"))
    run(3, kind="360p15", span=2.0, out=tmp_path / "lab")
    [record] = read_records(tmp_path / "lab")
    assert record["complete"]
    minutes = record["results"]["minutes"]
    assert len(minutes) == 3
    assert all(row["came"] > 5 and row["resident_mib"] > 100 and row["threads"] > 3 for row in minutes)
    # How fast it is depends on the machine; what does not is that nothing piles up.
    kept = {verdict["what"]: verdict["kept"] for verdict in record["results"]["verdicts"]}
    assert kept["deepest queue"]
    assert kept["minutes without a picture"]
