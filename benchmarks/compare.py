"""Two commits or two settings against each other: which one takes longer, and by how much.

    python -m benchmarks.compare main .
    python -m benchmarks.compare .@network=256 .@network=128 --pairs 20
    python -m benchmarks.compare HEAD~1@lines=1080,face=240 .@lines=1080,face=240 --json compare.json

A side is a commit, or ``.`` for the files as they lie here, and may carry settings after an ``@``: ``lines`` and
``face`` (the height of the picture and of the face in it), ``faces``, ``network``, ``persona``, and environment
variables in capitals such as ``OMP_NUM_THREADS=1``. Both sides stand ready in a process of their own and take turns of
about a second, so that what slows the machine for a while slows both. Both are measured with the benchmarks of this
checkout: a ruler that changes between the sides would measure itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.records import FOLDER, ROOT, as_program, recording
from benchmarks.stats import Ratio, ratio
from livefake.errors import BadRequest, LivefakeError

__all__ = ["Side", "compare", "main", "parse_side", "ratios"]

_RULER: Final = ("benchmarks", "livefake/stagebench.py", "livefake/stagereel.py", "livefake/machine.py")
"""What both sides are measured with; laid over a commit's own."""

_KEYS: Final = ("lines", "face", "faces", "network", "persona")
_LEAST_US: Final = 50
"""Stages below this are left out of the table: the clock's own steps would be compared."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two.

    Attributes:
        name: as it was asked for.
        commit: what git knows it by; ``.`` for the files here.
        setting: for ``benchmarks.worker``.
        environment: variables on top of the usual ones.
    """

    name: str
    commit: str
    setting: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def parse_side(text: str) -> Side:
    """Read ``COMMIT@KEY=VALUE,KEY=VALUE``.

    Raises:
        BadRequest: a setting is not known, or has no value.
    """
    commit, _, tail = text.partition("@")
    setting: dict[str, str] = {}
    environment: dict[str, str] = {}
    for part in filter(None, tail.split(",")):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        known = key in _KEYS or key.isupper()
        if not (known and equals and value and (key.isupper() or key == "persona" or value.isdigit())):
            raise BadRequest(
                f"A setting should look like network=128 or OMP_NUM_THREADS=1, and {part!r} does not.",
                f"Known are {', '.join(_KEYS)}, and environment variables in capitals.",
            )
        (environment if key.isupper() else setting)[key] = value
    return Side(text, commit.strip() or ".", setting, environment)


class _Worker:
    """The process of one side."""

    def __init__(self, process: subprocess.Popen[str], side: Side) -> None:
        self._process = process
        self._side = side

    @classmethod
    @contextmanager
    def start(cls, side: Side, tree: Path) -> Iterator[Self]:
        """Start it; its end is the end of the block, whatever happens."""
        environment = {**os.environ, **side.environment, "PYTHONPATH": str(tree)}
        # A group of its own: Ctrl-C is for this process, which ends the other in good order.
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            cwd=tree,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield cls(process, side)
            finally:
                process.kill()

    def ask(self, question: str) -> dict[str, Any]:
        """Send a line, read the answer.

        Raises:
            LivefakeError: the other side could not, and why.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self._process.stdout.readline()
        if not line:
            raise LivefakeError(
                f"The side {self._side.name} ended without an answer; what it said stands above.",
                "A commit that is much older may not know what today's benchmarks ask of it.",
            )
        answer: dict[str, Any] = json.loads(line)
        if "problem" in answer:
            raise LivefakeError(f"The side {self._side.name} cannot be measured: {answer['problem']}")
        return answer


@contextmanager
def _tree(commit: str, folder: Path) -> Iterator[Path]:
    """The files of a commit, with today's benchmarks laid over them; the checkout itself for ``.``.

    Raises:
        LivefakeError: there is no such commit, or no git.
    """
    if commit == ".":
        yield ROOT
        return
    git = ["git", "-C", str(ROOT)]
    try:
        subprocess.run(
            [*git, "worktree", "add", "--detach", folder, commit], check=True, capture_output=True, text=True
        )
    except FileNotFoundError as error:
        raise LivefakeError("Comparing commits needs git, which is not here.", "Install git.") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()
        raise LivefakeError(f"{commit} cannot be checked out: {said[-1] if said else 'git failed'}.") from error
    try:
        for name in _RULER:
            there = folder / name
            if (ROOT / name).is_dir():
                shutil.rmtree(there, ignore_errors=True)
                shutil.copytree(ROOT / name, there, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, there)
        yield folder
    finally:
        subprocess.run([*git, "worktree", "remove", "--force", folder], check=False, capture_output=True)


def compare(
    sides: tuple[Side, Side],
    *,
    pairs: int,
    frames: int,
    folder: Path,
    steps: Callable[[Sequence[int]], Iterator[int]] = iter,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Let two sides take turns.

    Args:
        sides: the first is what the second is measured against.
        pairs: of turns.
        frames: a turn.
        folder: for the result.
        steps: shows progress over the pairs.
        tell: told where the result lies.

    Returns:
        ``settings`` of the sides, ``pairs`` of raw blocks, and ``ratios`` by stage as ``ratios`` makes them.

    Raises:
        LivefakeError: a side cannot be measured.
    """
    asked = {"sides": [asdict(side) for side in sides], "pairs": pairs, "frames": frames}
    with ExitStack() as stack:
        record = stack.enter_context(recording("compare", folder, asked, tell=tell))
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="livefake-compare-")))
        trees = [stack.enter_context(_tree(side.commit, place / str(n))) for n, side in enumerate(sides)]
        workers = [stack.enter_context(_Worker.start(*both)) for both in zip(sides, trees, strict=True)]
        settings = [worker.ask(json.dumps(dict(side.setting))) for worker, side in zip(workers, sides, strict=True)]
        taken: list[list[dict[str, Any]]] = []
        for number in steps(range(pairs)):
            # There and back again: a machine that grows slower steadily does so for both.
            order = (0, 1) if number % 2 == 0 else (1, 0)
            blocks = {place: workers[place].ask(str(frames)) for place in order}
            taken.append([blocks[0], blocks[1]])
            record.results = {"settings": settings, "pairs": taken, "ratios": {}}
            if len(taken) >= 2:
                record.results["ratios"] = {
                    name: {what: asdict(each) for what, each in both.items()} for name, both in ratios(taken).items()
                }
        return record.results


def ratios(pairs: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, dict[str, Ratio]]:
    """Second side against first, by stage: ``wall`` of the median frame, ``cpu`` of the mean one.

    Stages that one side lacks are left out, and so are those that take next to nothing. Of a stage that works on some
    frames only, such as the detector, the mean frame counts for both.

    Args:
        pairs: of blocks, as ``Block`` has them.
    """
    names = [
        name for name in pairs[0][0]["wall_us"] if all(name in block["wall_us"] for pair in pairs for block in pair)
    ]
    found: dict[str, dict[str, Ratio]] = {}
    for name in names:
        samples = [[np.asarray(block["wall_us"][name], np.float64) for block in pair] for pair in pairs]
        often = min(float(np.median(block)) for pair in samples for block in pair) >= _LEAST_US
        wall = [[float(np.median(block) if often else block.mean()) for block in pair] for pair in samples]
        cpu = [[float(np.mean(block["cpu_us"][name])) for block in pair] for pair in pairs]
        if min(map(min, wall)) >= _LEAST_US and min(map(min, cpu)) > 0:
            found[name] = {"wall": ratio(*zip(*wall, strict=True)), "cpu": ratio(*zip(*cpu, strict=True))}
    return found


def table(results: Mapping[str, Any], sides: tuple[Side, Side]) -> Table:
    """The ratios for a terminal."""
    drawn = Table(
        *("stage", "first ms", "second ms", "ratio", "95 %", "cpu ratio", "95 %"),
        title=f"{sides[1].name} against {sides[0].name}",
        title_justify="left",
        box=None,
        header_style="bold",
    )
    for column in drawn.columns:
        column.no_wrap = True
    for name, both in results["ratios"].items():
        wall, cpu = Ratio(**both["wall"]), Ratio(**both["cpu"])
        usual = [_usual([block["wall_us"][name] for block in side]) for side in zip(*results["pairs"], strict=True)]
        drawn.add_row(
            name,
            *(f"{value:.2f}" for value in usual),
            f"{wall.value:.3f}",
            f"{wall.low:.3f}..{wall.high:.3f}",
            f"{cpu.value:.3f}",
            f"{cpu.low:.3f}..{cpu.high:.3f}",
            style="bold" if name == "frame" else None,
        )
    return drawn


def _usual(blocks: Sequence[Sequence[int]]) -> float:
    """Milliseconds of the median frame, or of the mean one for a stage that works on some frames only."""
    samples = np.concatenate([np.asarray(block, np.float64) for block in blocks])
    median = float(np.median(samples))
    return (median if median >= _LEAST_US else float(samples.mean())) / 1000


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", help="what the other is measured against")
    parser.add_argument("second")
    parser.add_argument("--pairs", type=int, default=20, help="turns of each side")
    parser.add_argument("--frames", type=int, default=32, help="a turn; detection runs on every eighth")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the result")
    chosen = parser.parse_args(arguments)
    run(chosen.first, chosen.second, pairs=chosen.pairs, frames=chosen.frames, out=chosen.out)


def run(first: str, second: str, *, pairs: int, frames: int, out: Path) -> None:
    """Compare, show progress, print the ratios.

    Raises:
        LivefakeError: a side cannot be measured, or the numbers do not fit.
    """
    if pairs < 2 or frames < 8:
        raise BadRequest(f"A comparison needs 2 pairs of 8 frames or more, asked for were {pairs} of {frames}.")
    console = Console(stderr=True)
    sides = parse_side(first), parse_side(second)

    def steps(numbers: Sequence[int]) -> Iterator[int]:
        return iter(track(numbers, "Taking turns", console=console, transient=True))

    console.print("Making both sides ready ...")
    results = compare(sides, pairs=pairs, frames=frames, folder=out, steps=steps, tell=console.print)
    Console().print(table(results, sides))
    for what, words in (("wall", "time"), ("cpu", "processor time")):
        found = Ratio(**results["ratios"]["frame"][what])
        print(f"A frame of {sides[1].name} takes {found.value:.3f} of the other's {words}: {found.verdict}.")


if __name__ == "__main__":
    as_program(main)
