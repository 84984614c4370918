from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from livefake.clock import monotonic
from livefake.errors import BadInput

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'livefake[train]'")

from livefake.training.losses import Shares  # noqa: E402
from livefake.training.nets import Widths  # noqa: E402
from livefake.training.personal.finetune import finetune  # noqa: E402
from livefake.training.personal.job import SHEET, Job, Progress  # noqa: E402
from livefake.training.personal.scores import Exam, Scores, choose, score  # noqa: E402
from livefake.training.personal.weights import read_network  # noqa: E402
from livefake.training.trainer import Trainer  # noqa: E402
from tests.personalkit import PACK, some_takes  # noqa: E402

SIDE = 64


@pytest.fixture
def job(tmp_path: Path) -> Job:
    pack = tmp_path / "anna"
    pack.mkdir()
    for name in ("face.png", "landmarks.npy"):
        shutil.copy(PACK / name, pack / name)
    start = tmp_path / "general.pt"
    Trainer(Widths(8, 8, 8, 8, 8), Shares(), peak=1e-3, seed=0, device="cpu").save(start)
    return Job(
        takes=some_takes(tmp_path / "takes"),
        pack=pack,
        start=start,
        folder=tmp_path / "run",
        minutes=60,
        batch=4,
        steps=4,
        side=SIDE,
        peak=1e-3,
    )


def run(job: Job, **more: Any) -> Any:
    return finetune(job, clock=monotonic, tell=lambda _: None, **more)


def test_a_person_is_learnt_and_the_better_network_is_written_and_runs(job: Job) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from livefake.engine import onnx

    seen: list[Progress] = []
    result = finetune(replace(job, steps=30, peak=5e-3), clock=monotonic, tell=seen.append)
    assert [now.step for now in seen] == list(range(1, 31))
    assert seen[-1].share == 1
    assert result.kept, result.words
    assert result.scores["tuned"].error < result.scores["general"].error
    assert result.network == job.pack / "refine.onnx"
    made = onnx.load(result.network).run({"planes": np.full((1, 14, SIDE, SIDE), 0.5, np.float32)})["made"]
    assert made.shape == (1, 4, SIDE, SIDE)
    # What was written is what was judged, and may be fine-tuned again.
    again = read_network(result.network)
    assert sum(values.numel() for values in again.parameters()) > 1000
    picture = cv2.imread(str(job.folder / SHEET))
    assert picture is not None
    assert picture.shape[1] == 5 * SIDE


def test_a_network_that_is_no_better_is_not_kept_and_the_pack_stays_as_it_is(job: Job) -> None:
    before = sorted(job.pack.iterdir())
    # So high a rate breaks what was there.
    result = run(replace(job, peak=30.0, steps=6))
    assert not result.kept
    assert result.network is None
    assert "general network is kept" in result.words
    assert sorted(job.pack.iterdir()) == before


def test_a_run_that_is_stopped_goes_on_exactly_where_it_was(job: Job, tmp_path: Path) -> None:
    class Stop(KeyboardInterrupt):
        pass

    def stop(now: Progress) -> None:
        if now.step == 2:
            raise Stop

    straight = run(job)
    stopped = replace(job, folder=tmp_path / "other")
    with pytest.raises(Stop):
        finetune(stopped, clock=monotonic, tell=stop)
    assert (stopped.folder / "checkpoint.pt").exists()
    resumed = run(stopped)
    assert resumed.scores["tuned"].error == pytest.approx(straight.scores["tuned"].error, abs=1e-3)


def test_a_checkpoint_is_written_every_minute_of_the_clock(job: Job) -> None:
    times = iter(range(0, 10**15, 25_000_000_000))
    found: list[bool] = []

    def tell(now: Progress) -> None:
        found.append((job.folder / "checkpoint.pt").exists())

    finetune(job, clock=lambda: next(times), tell=tell)
    assert found == [False, False, False, True]


def test_minutes_end_a_run_too(job: Job) -> None:
    times = iter(range(0, 10**15, 40_000_000_000))
    seen: list[Progress] = []
    finetune(replace(job, minutes=1, steps=100), clock=lambda: next(times), tell=seen.append)
    assert [now.step for now in seen] == [1, 2]


def test_another_job_in_the_same_folder_is_refused(job: Job) -> None:
    run(job)
    with pytest.raises(BadInput, match="other takes"):
        run(replace(job, seed=1))


@pytest.mark.parametrize("change", [{"side": 50}, {"batch": 6}, {"minutes": 0.0}, {"steps": 0}])
def test_a_job_that_cannot_be_done_is_refused(job: Job, change: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="multiple of"):
        run(replace(job, **change))


def test_the_better_network_is_kept_and_a_forgetful_one_is_not() -> None:
    general = Scores(6.0, 0.80, 0.40, 5.0)
    assert choose(general, Scores(5.0, 0.82, 0.35, 5.5))[0]
    assert choose(general, Scores(5.0, 0.82))[0]
    for worse, why in (
        (Scores(6.0, 0.9, 0.3, 5.0), "error is"),
        (Scores(5.0, 0.7, 0.3, 5.0), "similarity"),
        (Scores(5.0, 0.9, 0.45, 5.0), "away from the person"),
        (Scores(5.0, 0.9, 0.3, 6.5), "other performers"),
        (Scores(float("nan"), 0.9), "no numbers"),
    ):
        kept, words = choose(general, worse)
        assert not kept
        assert why in words


def test_identity_is_measured_where_somebody_can_tell(job: Job) -> None:
    def embed(shown: Any) -> Any:
        # The mean colour stands in for a face: enough to see that pictures and points arrive.
        assert all(picture.shape == (SIDE, SIDE, 3) and points.shape == (468, 3) for picture, points in shown)
        return np.stack([np.full(128, picture.mean() / 255, np.float32) for picture, _ in shown])

    scores = run(job, embed=embed).scores
    assert all(scores[name].identity is not None for name in ("mesh", "general", "tuned"))
    assert run(job).scores["tuned"].identity is None


def test_the_truth_itself_would_have_no_error() -> None:
    from livefake.training.batches import Example

    truth = np.random.default_rng(0).integers(0, 256, (2, 3, SIDE, SIDE), np.uint8)
    planes = np.concatenate([truth, np.zeros((2, 11, SIDE, SIDE), np.uint8)], 1)
    visible = np.full((2, 1, SIDE, SIDE), 255, np.uint8)
    found = score(None, Exam(Example(planes, truth, visible, visible, np.zeros(2, np.int64)), []), torch.device("cpu"))
    assert found.error == pytest.approx(0, abs=1e-3)
    assert found.ssim == pytest.approx(1, abs=1e-4)
