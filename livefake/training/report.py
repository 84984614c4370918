"""The training report: one HTML page with curves, a table and the newest before-and-after sheet. Pure logic."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["Entry", "report_page"]

Entry = Mapping[str, float]
"""One judgement: ``minutes`` and ``step``, ``loss``, and scores as ``BUCKET net_ssim``."""

_WIDTH: Final = 460
_HEIGHT: Final = 200
_MARGIN: Final = 34
_COLOURS: Final = ("#0b62c4", "#c4500b", "#168a4a", "#8a168a", "#555555", "#999999")
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #1b1b1b }
figure { display: inline-block; margin: 0 1rem 1.5rem 0 } figcaption { font-weight: 600 }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .8rem; text-align: right }
tr + tr { border-top: 1px solid #ddd } td:first-child, th:first-child { text-align: left } img { max-width: 100% }
"""


def report_page(history: Sequence[Entry], buckets: Sequence[str], facts: Mapping[str, str], sheet: str) -> str:
    """The page.

    Args:
        history: judgements, oldest first.
        buckets: names of the yaw buckets.
        facts: what was run, shown as a list.
        sheet: file name of the before-and-after picture.

    Returns:
        An HTML document that needs nothing else but the sheet.
    """
    charts = [_chart("Loss on training pairs", history, ["loss"])]
    charts.append(_chart("Error against mesh warp's (0.45 wanted)", _ratios(history, buckets), list(buckets)))
    charts.append(_chart("SSIM (0.82 wanted)", history, [f"{bucket} net_ssim" for bucket in buckets]))
    charts.append(
        _chart("Sharpness against the truth's (0.9 to 1.1 wanted)", history, [f"{b} net_sharpness" for b in buckets])
    )
    items = "".join(f"<li>{html.escape(name)}: {html.escape(value)}</li>" for name, value in facts.items())
    table = _table(history[-1], buckets) if history else "<p>Nothing has been judged yet.</p>"
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Training report</title><style>{_STYLE}</style>"
        f"<h1>Training report</h1><ul>{items}</ul><h2>On identities never seen</h2>{table}{''.join(charts)}"
        f"<h2>Before and after</h2><p>Live, mesh warp, network, truth, mask.</p>"
        f"<img src='{html.escape(sheet)}' alt='Rows of faces: live, mesh warp, network, truth, mask'></html>\n"
    )


def _ratios(history: Sequence[Entry], buckets: Sequence[str]) -> list[Entry]:
    found: list[Entry] = []
    for entry in history:
        shares = {"minutes": entry["minutes"]}
        for bucket in buckets:
            if f"{bucket} net_error" in entry:
                shares[bucket] = entry[f"{bucket} net_error"] / max(entry[f"{bucket} mesh_error"], 1e-6)
        found.append(shares)
    return found


def _table(entry: Entry, buckets: Sequence[str]) -> str:
    names = ("mesh_error", "net_error", "mesh_ssim", "net_ssim", "mesh_sharpness", "net_sharpness")
    titles = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in ("yaw, degrees", "pairs", *names))
    rows = []
    for bucket in (*buckets, "all"):
        cells = [f"{entry.get(f'{bucket} count', 0):.0f}"]
        cells += [f"{entry[f'{bucket} {name}']:.3f}" if f"{bucket} {name}" in entry else "-" for name in names]
        rows.append(f"<tr><td>{bucket}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return f"<table><tr>{titles}</tr>{''.join(rows)}</table>"


def _chart(title: str, history: Sequence[Entry], names: Sequence[str]) -> str:
    """Lines over minutes as inline SVG."""
    lines = {name: [(entry["minutes"], entry[name]) for entry in history if name in entry] for name in names}
    points = [point for line in lines.values() for point in line]
    if not points:
        return ""
    last = max(point[0] for point in points) or 1.0
    low, high = min(point[1] for point in points), max(point[1] for point in points)
    span = high - low or 1.0

    def at(minutes: float, value: float) -> str:
        x = _MARGIN + minutes / last * (_WIDTH - 2 * _MARGIN)
        return f"{x:.1f},{_HEIGHT - _MARGIN - (value - low) / span * (_HEIGHT - 2 * _MARGIN):.1f}"

    drawn = []
    for number, (name, line) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(at(*point) for point in line)
        drawn.append(f"<polyline fill='none' stroke='{colour}' stroke-width='2' points='{path}'/>")
        drawn.append(f"<text x='{_MARGIN + 130 * number}' y='{_HEIGHT - 4}' fill='{colour}'>{html.escape(name)}</text>")
    scale = f"<text x='2' y='{_MARGIN - 6}'>{high:.3g}</text><text x='2' y='{_HEIGHT - _MARGIN}'>{low:.3g}</text>"
    end = f"<text x='{_WIDTH - _MARGIN}' y='{_MARGIN - 6}' text-anchor='end'>{last:.0f} min</text>"
    return (
        f"<figure><figcaption>{html.escape(title)}</figcaption><svg viewBox='0 0 {_WIDTH} {_HEIGHT}' width='{_WIDTH}' "
        f"font-size='11' role='img'>{scale}{end}{''.join(drawn)}</svg></figure>"
    )
