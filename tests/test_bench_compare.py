"""Two sides against each other, for real: two settings, and the files of a commit under today's ruler."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.compare import _tree, compare, parse_side
from benchmarks.records import ROOT, commit, read_records
from benchmarks.stats import Ratio
from livefake.errors import LivefakeError

needs_git = pytest.mark.skipif(not commit(ROOT), reason="this is no git checkout")


@needs_git
def test_a_commit_gets_the_rulers_of_today_and_goes_away_again(tmp_path: Path) -> None:
    place = tmp_path / "tree"
    with _tree("HEAD", place) as tree:
        assert (tree / "livefake" / "rig.py").is_file()
        for name in ("benchmarks/worker.py", "livefake/stagebench.py"):
            assert (tree / name).read_bytes() == (ROOT / name).read_bytes()
    assert not place.exists()
    known = subprocess.run(["git", "-C", ROOT, "worktree", "list"], capture_output=True, text=True, check=True).stdout
    assert str(place) not in known


@needs_git
def test_a_commit_that_there_is_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(LivefakeError, match="cannot be checked out"), _tree("no-such-commit", tmp_path / "tree"):
        pass


@pytest.mark.models
def test_a_side_that_cannot_be_measured_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    sides = parse_side(".@network=7"), parse_side(".@network=8")
    with pytest.raises(LivefakeError, match=r"network=7 cannot be measured.*256, 192, 128, 0"):
        compare(sides, pairs=2, frames=8, folder=tmp_path / "lab")
    assert not (tmp_path / "lab").exists()


@pytest.mark.models
@pytest.mark.slow
def test_the_network_takes_longer_than_the_mesh_alone(tmp_path: Path) -> None:
    picture = "lines=360,face=160"
    sides = parse_side(f".@network=0,{picture}"), parse_side(f".@network=192,{picture}")
    results = compare(sides, pairs=3, frames=8, folder=tmp_path)
    found = Ratio(**results["ratios"]["frame"]["cpu"])
    assert found.verdict == "more"
    assert found.value > 1.5
    [record] = read_records(tmp_path)
    assert len(record["results"]["pairs"]) == 3
    assert [setting["network"] for setting in record["results"]["settings"]] == [0, 192]
