"""Drawings for a page: matplotlib's axes, as SVG that takes its colours and its letters from the page around it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["GRID", "INK", "MUTED", "PAPER", "SERIES", "draw"]

INK: Final = "#111213"
MUTED: Final = "#212223"
GRID: Final = "#313233"
PAPER: Final = "#414243"
SERIES: Final = tuple(f"#5101{number:02x}" for number in range(8))
"""Colours that stand for the page's own; ``draw`` puts those in their place."""

_NAMES: Final = {INK: "--text", MUTED: "--muted", GRID: "--grid", PAPER: "--surface"} | {
    colour: f"--c{number}" for number, colour in enumerate(SERIES, 1)
}
_FAMILY: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif"
_STYLE: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "livefake",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
}


def draw(
    act: Callable[[list[Axes]], None], label: str, *, size: tuple[float, float] = (9, 3.2), panels: int = 1
) -> str:
    """An SVG element.

    Args:
        act: draws onto the panels, which stand beside each other.
        label: what it shows, for whoever cannot see it.
        size: width and height in inches of 72 pixels; the page scales it.
        panels: how many.
    """
    import matplotlib as mpl

    # No window is ever opened, and none of the user's own settings count.
    mpl.use("svg")
    from matplotlib import pyplot as plt

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)  # type: ignore[arg-type]  # it knows its names one by one
        figure, axes = plt.subplots(1, panels, figsize=size, layout="constrained", squeeze=False)
        try:
            act(list(axes[0]))
            file = io.StringIO()
            figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        finally:
            plt.close(figure)
    return _tuned(file.getvalue(), label)


def _tuned(svg: str, label: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Names that several drawings on a page would share; what is referred to has a name of its own kind.
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", _FAMILY, svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    for colour, name in _NAMES.items():
        svg = svg.replace(colour, f"var({name})")
    told = label.replace("&", "and").replace('"', "'").replace("<", "below ")
    return svg.replace("<svg", f'<svg role="img" aria-label="{told}"', 1)
