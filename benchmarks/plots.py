"""The report's drawings, one function each: results in, SVG out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.drawing import INK, MUTED, SERIES, draw
from benchmarks.load import SHARE, carried, in_time

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "KINDS",
    "cost_by_face",
    "cost_by_size",
    "forest",
    "frame_times",
    "gaps",
    "glass",
    "load",
    "soak",
    "threads",
    "waterfall",
]

_MAIN: Final = ("detect", "landmarks", "swap", "colour", "refine", "blend", "watermark")
_REST: Final = "everything else"
_BINS: Final = 48

Result = Mapping[str, Any]


def network(result: Result) -> str:
    """The size of the network in words."""
    side = result["setting"]["network"]
    return f"network at {side}" if side else "mesh warp alone"


def waterfall(results: Sequence[Result]) -> str:
    """Where a frame's time goes: the stages one after the other, for each size of the network."""
    rows = [result for result in results if result["costs"]]
    names = [name for name in (*_MAIN, _REST) if any(_mean(row, name) for row in rows)]

    def act(panels: list[Axes]) -> None:
        [axes] = panels
        widest = max(sum(_mean(row, name) for name in names) for row in rows)
        for place, row in enumerate(rows):
            left = 0.0
            for colour, name in zip(SERIES, names, strict=False):
                width = _mean(row, name)
                axes.barh(place, width, left=left, color=colour, height=0.62, label=name if place == 0 else None)
                if width > 0.07 * widest:
                    axes.text(left + width / 2, place + 0.45, f"{width:.1f}", ha="center", va="center", fontsize=8.5)
                left += width
            axes.text(left + 0.01 * widest, place, f"{left:.1f} ms", va="center", fontweight="bold")
        axes.set_yticks(range(len(rows)), [network(row) for row in rows])
        axes.set(xlim=(0, 1.1 * widest), xlabel="milliseconds a frame, mean of the clock on the wall")
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.2), ncols=len(names), fontsize=9, columnspacing=1.2)

    return draw(act, "Time of each stage, one after the other, by size of the network", size=(9, 1.5 + 0.5 * len(rows)))


def _mean(result: Result, name: str) -> float:
    """Of a stage, milliseconds a frame; a stage that works on few frames counts with its share."""
    if name == _REST:
        others = [stage for stage in result["costs"] if stage not in (*_MAIN, "frame")]
        return sum(_mean(result, stage) for stage in others)
    samples = [value for block in result["blocks"] for value in block["wall_us"].get(name, ())]
    return float(np.mean(samples)) / 1000 if samples else 0.0


def cost_by_size(results: Sequence[Result]) -> str:
    """What a frame takes against the network's size, for one face and for two."""
    counts = sorted({result["setting"]["faces"] for result in results})

    def act(panels: list[Axes]) -> None:
        for axes, count in zip(panels, counts, strict=True):
            those = [result for result in results if result["setting"]["faces"] == count and "frame" in result["costs"]]
            sizes = sorted({(result["setting"]["lines"], result["setting"]["face"]) for result in those})
            heights, faces = sorted({size[0] for size in sizes}), sorted({size[1] for size in sizes})
            for lines, face in sizes:
                line = sorted(
                    (result["setting"]["network"], result["costs"]["frame"]["p50_ms"])
                    for result in those
                    if (result["setting"]["lines"], result["setting"]["face"]) == (lines, face)
                )
                axes.plot(
                    *zip(*line, strict=True),
                    color=SERIES[heights.index(lines)],
                    linestyle=("-", "--", ":")[faces.index(face) % 3],
                    marker="o",
                    label=f"{lines or 'clip'} lines, face {face or 'as it is'}",
                )
            axes.set_title("One face" if count == 1 else "Two faces")
            axes.set_xticks([0, 128, 192, 256], ["mesh", "128", "192", "256"])
            axes.set(xlabel="side of the network's crop, pixels", ylabel="ms a frame, median", ylim=(0, None))
        panels[0].legend(fontsize=8.5)

    return draw(act, "Milliseconds a frame against the size of the network", size=(9, 3.6), panels=len(counts))


def cost_by_face(results: Sequence[Result]) -> str:
    """What a frame takes against the height of the face, for the mesh alone and the largest network."""
    single = [result for result in results if result["setting"]["faces"] == 1 and "frame" in result["costs"]]
    networks = sorted({result["setting"]["network"] for result in single})
    heights = sorted({result["setting"]["lines"] for result in single})

    def act(panels: list[Axes]) -> None:
        [axes] = panels
        for side, style in dict(zip((networks[0], networks[-1]), (":", "-"), strict=True)).items():
            for colour, lines in zip(SERIES, heights, strict=False):
                line = sorted(
                    (result["setting"]["face"], result["costs"]["frame"]["p50_ms"])
                    for result in single
                    if (result["setting"]["lines"], result["setting"]["network"]) == (lines, side)
                )
                label = f"{lines or 'clip'} lines, {f'network {side}' if side else 'mesh alone'}"
                axes.plot(*zip(*line, strict=True), color=colour, linestyle=style, marker="o", label=label)
        axes.set_xticks(sorted({result["setting"]["face"] for result in single}))
        axes.set(xlabel="height of the face, pixels", ylabel="ms a frame, median", ylim=(0, None))
        axes.legend(fontsize=8, ncols=2)

    return draw(act, "Milliseconds a frame against the height of the face", size=(6, 3))


def frame_times(results: Sequence[Result]) -> str:
    """How a frame's time is spread, by size of the network."""
    series = {
        network(result): np.concatenate([block["wall_us"].get("frame", []) for block in result["blocks"]]) / 1000
        for result in results
    }
    return _histogram(series, "milliseconds a frame", "Spread of the time that a frame takes")


def glass(parts: Sequence[Result]) -> str:
    """The delay from glass to glass, with and without the swap."""
    return _histogram(_by_kind(parts, "glass"), "milliseconds from glass to glass", "Spread of the delay")


def gaps(parts: Sequence[Result]) -> str:
    """The time between one picture that is shown and the next."""
    return _histogram(_by_kind(parts, "gaps"), "milliseconds from picture to picture", "Spread of the pacing")


KINDS: Final = {"swap": "with the swap", "echo": "without the swap", "whip": "WHIP in, WHEP out"}


def _by_kind(parts: Sequence[Result], what: str) -> dict[str, Any]:
    found: dict[str, list[float]] = {}
    for part in parts:
        found.setdefault(KINDS[part["what"]], []).extend(part[what])
    return {name: np.asarray(values) for name, values in found.items()}


def _histogram(series: Mapping[str, Any], words: str, label: str) -> str:
    def act(panels: list[Axes]) -> None:
        [axes] = panels
        filled = {name: values for name, values in series.items() if len(values)}
        everything = np.concatenate([*filled.values()]) if filled else np.zeros(1)
        # The last bin holds what is beyond: a single hiccup must not squeeze the rest into a corner.
        high = max(float(np.percentile(everything, 99)) * 1.1, 1.0)
        bins = np.linspace(min(0.0, float(everything.min())), high, _BINS).tolist()
        for colour, (name, values) in zip(SERIES, filled.items(), strict=False):
            shares = np.full(len(values), 100 / len(values))
            clipped = np.minimum(values, high)
            axes.hist(clipped, bins, weights=shares, color=colour, alpha=0.22)
            axes.hist(clipped, bins, weights=shares, color=colour, histtype="step", linewidth=1.6)
            middle = float(np.median(values))
            axes.axvline(middle, color=colour, linewidth=1, linestyle="--")
            axes.plot([], [], color=colour, linewidth=4, label=f"{name}, median {middle:.0f}")
        axes.set(xlabel=words, ylabel="% of all", xlim=(bins[0], high))
        axes.grid(visible=False, axis="x")
        if filled:
            axes.legend(fontsize=9)

    return draw(act, label, size=(6, 3))


def threads(parts: Sequence[Result]) -> str:
    """Which threads of the service take the time."""
    kinds = list(dict.fromkeys(part["what"] for part in parts))
    mean = {
        kind: {
            name: float(np.mean([part["threads"].get(name, 0.0) for part in parts if part["what"] == kind]))
            for name in dict.fromkeys(name for part in parts if part["what"] == kind for name in part["threads"])
        }
        for kind in kinds
    }
    names = sorted(
        {name for each in mean.values() for name in each}, key=lambda name: -sum(m.get(name, 0) for m in mean.values())
    )
    names = names[:8]

    def act(panels: list[Axes]) -> None:
        [axes] = panels
        height = 0.8 / len(kinds)
        for number, kind in enumerate(kinds):
            places = [place + (number - (len(kinds) - 1) / 2) * height for place in range(len(names))]
            values = [mean[kind].get(name, 0.0) for name in names]
            axes.barh(places, values, height=0.9 * height, color=SERIES[number], label=KINDS[kind])
        axes.set_yticks(range(len(names)), ["event loop" if name == "python" else name for name in names])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="cores in use")
        axes.legend(fontsize=9, loc="lower right")

    return draw(act, "Processor time by thread of the service", size=(6, 3))


def load(steps: Sequence[Result]) -> str:
    """Frames in time and cores in use against the number of sessions."""
    kinds = list(dict.fromkeys(step["kind"] for step in steps))

    def act(panels: list[Axes]) -> None:
        shares, cores = panels
        for colour, kind in zip(SERIES, kinds, strict=False):
            those = [step for step in steps if step["kind"] == kind]
            counts = sorted({step["count"] for step in those})
            worst = [
                max(min((in_time(span) for span in step["spans"]), default=0.0) for step in those if step["count"] == n)
                for n in counts
            ]
            shares.plot(counts, [100 * each for each in worst], color=colour, marker="o", label=kind)
            used = [max(step["server_cores"] for step in those if step["count"] == n) for n in counts]
            cores.plot(counts, used, color=colour, marker="o", label=f"{kind}: {carried(those)} held")
        shares.axhline(100 * SHARE, color=MUTED, linewidth=1, linestyle="--")
        shares.annotate("95 %", (1, 100 * SHARE), (2, 3), textcoords="offset points", fontsize=8.5, color=MUTED)
        shares.set(ylim=(0, 103), ylabel="% of frames within 100 ms, worst session", xlabel="sessions at once")
        cores.set(ylim=(0, None), ylabel="cores in use by the service", xlabel="sessions at once")
        for axes in panels:
            axes.set_xticks(sorted({step["count"] for step in steps}))
        cores.legend(fontsize=9)

    return draw(act, "What sessions cost, and how many hold", size=(9, 3.4), panels=2)


def soak(minutes: Sequence[Result]) -> str:
    """Memory, delay and processor time over the minutes."""
    at = [minute["minute"] for minute in minutes]

    def act(panels: list[Axes]) -> None:
        memory, delay, cores = panels
        memory.plot(at, [minute["resident_mib"] for minute in minutes], color=SERIES[1])
        memory.set(title="Memory", ylabel="MiB")
        low, high = memory.get_ylim()
        # A flat line must look flat.
        memory.set_ylim(min(low, (low + high) / 2 - 25), max(high, (low + high) / 2 + 25))
        for name, style in (("p50", "-"), ("p95", ":")):
            values = [np.nan if minute["delay_ms"][name] is None else minute["delay_ms"][name] for minute in minutes]
            delay.plot(at, values, color=SERIES[0], linestyle=style, label=name)
        delay.set(title="Delay", ylabel="ms", ylim=(0, None))
        delay.legend(fontsize=9)
        cores.plot(at, [minute["server_cores"] for minute in minutes], color=SERIES[2])
        cores.set(title="Processor", ylabel="cores", ylim=(0, None))
        for axes in panels:
            axes.set_xlabel("minutes")

    return draw(act, "Memory, delay and processor time over the minutes", size=(9, 2.8), panels=3)


def forest(ratios: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """How many times as long each stage takes, with its interval."""
    names = list(ratios)

    def act(panels: list[Axes]) -> None:
        [axes] = panels
        axes.axvline(1, color=INK, linewidth=1)
        for place, name in enumerate(names):
            found = ratios[name]["wall"]
            value, low, high = found["value"], found["low"], found["high"]
            colour = SERIES[0] if high < 1 else SERIES[4] if low > 1 else SERIES[5]
            axes.plot([low, high], [place, place], color=colour, linewidth=3, solid_capstyle="round")
            axes.plot([value], [place], color=colour, marker="D" if name == "frame" else "o", markersize=7)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="times as long as the other side; the line is the 95 % interval")

    return draw(act, "Ratio by stage with its interval", size=(9, 1 + 0.32 * len(names)))
