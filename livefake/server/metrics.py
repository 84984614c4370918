"""The ``/metrics`` text for Prometheus, made from the sessions' reports at the moment it is asked for.

It holds counts and times only: no names, no ids, no keys. Where several sessions are open, a time is that of the
slowest, because an average would hide the one that stutters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from livefake.flow.timing import Timing
from livefake.outputs import OutputReport
from livefake.server.rooms import Rooms
from livefake.session import Report
from livefake.trust.scribe import Scribe

__all__ = ["RoomsCollector", "metrics_text"]

_OUTCOMES: Final = ("arrived", "swapped", "held", "carded", "dropped", "late", "failed")
_RESULTS: Final = ("read", "missed", "early", "skipped")


class RoomsCollector(Collector):
    """Reads the rooms when it is scraped, so that nothing has to be counted twice."""

    def __init__(self, rooms: Rooms, scribe: Scribe | None) -> None:
        self._rooms = rooms
        self._scribe = scribe

    def collect(self) -> Iterator[Metric]:
        """One metric family after the other."""
        reports = self._rooms.reports()
        yield GaugeMetricFamily("livefake_sessions_open", "Open sessions.", len(self._rooms))
        yield GaugeMetricFamily("livefake_sessions_capacity", "Sessions there may be at once.", self._rooms.capacity)
        yield GaugeMetricFamily(
            "livefake_viewers_open", "Viewers of all open sessions.", sum(room.viewers for room in self._rooms)
        )
        yield GaugeMetricFamily(
            "livefake_encodes",
            "How often a picture is encoded, in the session with most encodes.",
            max((room.encodes for room in self._rooms), default=0),
        )
        yield GaugeMetricFamily(
            "livefake_queue_depth",
            "Most frames that ever waited in one place, in the fullest open session.",
            max((report.queue_depth for report in reports), default=0),
        )
        yield GaugeMetricFamily(
            "livefake_quality_steps_down",
            "Steps of quality below the best, in the open session that is furthest down.",
            max((report.steps_down for report in reports), default=0),
        )
        yield GaugeMetricFamily(
            "livefake_quality_moves",
            "Changes of quality since it began, in the open session that has had most.",
            max((report.moves for report in reports), default=0),
        )
        frames = CounterMetricFamily(
            "livefake_frames",
            "Frames since the start, by outcome; 'arrived' counts all that came in.",
            labels=("outcome",),
        )
        counts = self._rooms.frames()
        for outcome in _OUTCOMES:
            frames.add_metric((outcome,), counts[outcome])
        yield frames
        yield from _outputs([report for room in self._rooms for report in room.entry.outputs.reports()])
        yield from _mark_reads(self._rooms.mark_reads(), reports)
        yield from _frame_times(reports)
        yield from _stage_times(reports)
        if self._scribe is not None:
            yield from _ledger(self._scribe)


def metrics_text(rooms: Rooms, scribe: Scribe | None = None) -> bytes:
    """The metrics in the Prometheus text format, UTF-8."""
    registry = CollectorRegistry()
    registry.register(RoomsCollector(rooms, scribe))
    return generate_latest(registry)


def _outputs(reports: Sequence[OutputReport]) -> Iterator[Metric]:
    running = GaugeMetricFamily("livefake_outputs", "Outputs of all open sessions.", labels=("kind", "state"))
    for (kind, state), count in sorted(Counter((report.kind, report.state) for report in reports).items()):
        running.add_metric((kind, state), count)
    frames = GaugeMetricFamily(
        "livefake_output_frames", "Pictures of the open sessions' outputs.", labels=("kind", "outcome")
    )
    bitrate = GaugeMetricFamily("livefake_output_bits_per_second", "What outputs send or write.", labels=("kind",))
    delay = GaugeMetricFamily(
        "livefake_output_delay_milliseconds", "From the camera's picture to the slowest output's.", labels=("kind",)
    )
    for kind in sorted({report.kind for report in reports}):
        those = [report for report in reports if report.kind is kind]
        frames.add_metric((kind, "sent"), sum(report.frames for report in those))
        frames.add_metric((kind, "dropped"), sum(report.dropped for report in those))
        bitrate.add_metric((kind,), sum(report.bitrate for report in those))
        delay.add_metric((kind,), max(report.delay_ms for report in those))
    yield from (running, frames, bitrate, delay)


def _ledger(scribe: Scribe) -> Iterator[Metric]:
    entries = CounterMetricFamily(
        "livefake_ledger_entries", "Entries of the sessions for the ledger since the start.", labels=("outcome",)
    )
    entries.add_metric(("written",), scribe.written)
    entries.add_metric(("lost",), scribe.lost)
    yield entries
    yield GaugeMetricFamily("livefake_ledger_waiting", "Entries that are not written yet.", scribe.waiting)
    yield GaugeMetricFamily(
        "livefake_ledger_failing", "1 while the ledger cannot be written, else 0.", int(bool(scribe.problem))
    )


def _mark_reads(counts: Counter[str], reports: Sequence[Report]) -> Iterator[Metric]:
    reads = CounterMetricFamily(
        "livefake_mark_reads",
        "Times a session looked for its own mark in what it had sent, by result.",
        labels=("result",),
    )
    for result in _RESULTS:
        reads.add_metric((result,), counts[result])
    yield reads
    yield GaugeMetricFamily(
        "livefake_mark_unread_sessions",
        "Open sessions on hold because their mark could not be read.",
        sum(report.mark_unread for report in reports),
    )
    age = GaugeMetricFamily(
        "livefake_mark_age_seconds", "Time since a session last read its own mark, in the worst session."
    )
    ages = [report.mark_age for report in reports if report.mark_age is not None]
    if ages:
        age.add_metric((), max(ages))
    yield age


def _frame_times(reports: Sequence[Report]) -> Iterator[Metric]:
    wall = GaugeMetricFamily(
        "livefake_frame_milliseconds",
        "Time from a frame's start to its seal, in the slowest session.",
        labels=("quantile",),
    )
    cpu = GaugeMetricFamily("livefake_frame_cpu_milliseconds", "Processor time a frame, in the slowest session.")
    if reports:
        slowest = _slowest([report.frame for report in reports])
        wall.add_metric(("0.5",), slowest.p50_ms)
        wall.add_metric(("0.95",), slowest.p95_ms)
        cpu.add_metric((), slowest.cpu_ms)
    yield wall
    yield cpu


def _stage_times(reports: Sequence[Report]) -> Iterator[Metric]:
    wall = GaugeMetricFamily(
        "livefake_stage_milliseconds",
        "Time a stage takes for a frame, in the slowest session.",
        labels=("stage", "quantile"),
    )
    cpu = GaugeMetricFamily(
        "livefake_stage_cpu_milliseconds",
        "Processor time of a stage for a frame, in the slowest session.",
        labels=("stage",),
    )
    for stage in sorted({name for report in reports for name in report.stages}):
        slowest = _slowest([report.stages[stage] for report in reports if stage in report.stages])
        wall.add_metric((stage, "0.5"), slowest.p50_ms)
        wall.add_metric((stage, "0.95"), slowest.p95_ms)
        cpu.add_metric((stage,), slowest.cpu_ms)
    yield wall
    yield cpu


def _slowest(timings: Sequence[Timing]) -> Timing:
    return Timing(
        p50_ms=max(timing.p50_ms for timing in timings),
        p95_ms=max(timing.p95_ms for timing in timings),
        cpu_ms=max(timing.cpu_ms for timing in timings),
    )
