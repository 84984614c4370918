from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from livefake.training.batches import LIVE, Pairs, draw_batch, example, resized
from livefake.training.factory import shard_path
from livefake.training.report import report_page
from livefake.training.samples import write_shard
from tests.test_training_samples import SIDE, a_sample

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not installed: pip install 'livefake[train]'"
)
BUCKETS = ("0-14", "14-29", "29-90")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for shard in (0, 1):
        write_shard(shard_path(tmp_path, shard), [a_sample(number, follows=number % 4 == 3) for number in range(8)])
    return tmp_path


def test_an_example_is_the_guide_first_and_all_of_it_in_range() -> None:
    one = example(a_sample())
    assert one.planes.shape == (14, SIDE, SIDE)
    assert one.truth.shape == one.planes[LIVE].shape == (3, SIDE, SIDE)
    assert one.visible.shape == one.keep.shape == (1, SIDE, SIDE)
    for part in (one.planes, one.truth, one.visible, one.keep):
        assert part.dtype == np.uint8


def test_what_hides_the_face_does_not_count() -> None:
    sample = a_sample()
    sample.region[:] = 255
    sample.hidden[:] = 0
    sample.hidden[:10] = 255
    visible = example(sample).visible[0]
    assert not visible[:10].any()
    assert (visible[10:] == 255).all()


def test_the_mask_has_a_firm_edge_where_the_region_fades() -> None:
    sample = a_sample()
    sample.region[:] = np.linspace(0, 255, SIDE).astype(np.uint8)[None]
    sample.hidden[:] = 0
    sample.hidden[:10] = 255
    one = example(sample)
    assert not one.mask[0, :10].any()
    assert (one.mask[0, 10:, SIDE // 4 :] == 255).all()
    assert one.visible[0, 20, SIDE // 2] < 140


def test_with_a_hint_the_live_picture_shows_where_the_face_is_hidden() -> None:
    sample = a_sample()
    sample.cover[:] = 255
    sample.hidden[:] = 0
    sample.hidden[:20] = 255
    told, untold = example(sample, hint=True), example(sample)
    assert cv2.norm(told.planes[:3, :10], told.planes[LIVE, :10], cv2.NORM_INF) <= 2
    assert cv2.norm(untold.planes[:3, :10], untold.planes[LIVE, :10], cv2.NORM_INF) > 25


def test_the_first_half_of_a_batch_is_moments_and_what_follows_them(folder: Path) -> None:
    pairs = Pairs(folder, "train")
    assert pairs.followers.tolist() == [3, 7]
    batch = draw_batch(pairs, 8, np.random.default_rng(0))
    assert batch.planes.shape == (8, 14, SIDE, SIDE)
    # Beards and hints change the input, never the answer.
    following = [example(pairs[index]) for index in (3, 7)]
    for place in (1, 3):
        answer = batch.truth[place]
        assert any(np.array_equal(answer, one.truth[..., ::step]) for one in following for step in (1, -1))


def test_a_beard_changes_the_live_picture_around_the_mouth_and_not_the_answer() -> None:
    sample = a_sample()
    jaw = np.stack([np.linspace(0.2, 0.8, 17), 0.55 + 0.35 * np.sin(np.linspace(0, np.pi, 17))], 1)
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    lips = np.stack([0.5 - 0.1 * np.cos(turn), 0.62 - 0.1 * np.sin(turn)], 1)
    sample.landmarks[:17], sample.landmarks[48:60] = jaw * SIDE, lips * SIDE
    sample.landmarks[31:36] = np.array([0.5, 0.5]) * SIDE
    sample.live[:] = 200
    sample.hidden[:] = 0
    bare, bearded = example(sample), example(sample, beard=np.random.default_rng(3))
    assert np.array_equal(bare.truth, bearded.truth)
    changed = (bare.planes[LIVE] != bearded.planes[LIVE]).any(0)
    assert changed.any()
    assert not changed[: SIDE * 2 // 5].any()


def test_glare_brightens_the_live_picture_and_leaves_the_answer_alone() -> None:
    sample = a_sample()
    sample.landmarks[:] = np.array([0.5, 0.5]) * SIDE + np.random.default_rng(0).uniform(-SIDE / 4, SIDE / 4, (68, 2))
    sample.live[:] = 120
    plain, lit = example(sample), example(sample, glare=np.random.default_rng(5))
    assert np.array_equal(plain.truth, lit.truth)
    assert np.array_equal(plain.visible, lit.visible)
    before, after = plain.planes[LIVE].astype(int), lit.planes[LIVE].astype(int)
    assert (after >= before).all()
    assert (after > before + 20).any()
    assert (after == before).any()


def test_a_smaller_crop_shows_the_same_in_the_same_places() -> None:
    sample = a_sample()
    small = resized(sample, SIDE // 2)
    assert small.live.shape == (SIDE // 2, SIDE // 2, 3)
    # The corner of the first pixel stays where it is.
    assert np.allclose((small.points + 0.5)[:, :2] * 2, (sample.points + 0.5)[:, :2], atol=1e-4)
    assert resized(sample, SIDE) is sample


def test_the_same_seed_draws_the_same_batch(folder: Path) -> None:
    pairs = Pairs(folder, "train")
    one, again = (draw_batch(pairs, 4, np.random.default_rng([0, 9])) for _ in range(2))
    assert np.array_equal(one.planes, again.planes)


def test_the_report_has_curves_a_table_and_the_sheet() -> None:
    entry = {"minutes": 15.0, "step": 100.0, "loss": 0.5}
    for bucket in (*BUCKETS, "all"):
        for side in ("mesh", "net"):
            entry |= {f"{bucket} {side}_{name}": 0.7 for name in ("error", "ssim", "sharpness")}
    page = report_page([entry, entry | {"minutes": 30.0}], BUCKETS, {"Machine": "a <fast> one"}, "sheet.jpg")
    assert page.count("<svg") == 4
    assert "a &lt;fast&gt; one" in page
    assert "src='sheet.jpg'" in page
    assert page.count("<tr>") == 5


def test_a_report_before_the_first_judgement_says_so() -> None:
    assert "Nothing has been judged yet" in report_page([], BUCKETS, {}, "sheet.jpg")


@needs_torch
def test_the_network_costs_what_it_may() -> None:
    from livefake.training.nets import RefineNet, count_flops, count_parameters

    net = RefineNet()
    assert count_flops(net, 256) <= 1.5e9
    assert count_flops(net, 128) * 4 == count_flops(net, 256)
    # Two bytes a weight stay under four megabytes.
    assert count_parameters(net) * 2 < 4e6


@needs_torch
@pytest.mark.parametrize("size", [128, 192])
def test_an_untrained_network_leaves_the_guide_as_it_is_at_any_size(size: int) -> None:
    import torch

    from livefake.training.nets import RefineNet

    planes = torch.rand(1, 14, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made = RefineNet()(planes)
    assert made.shape == (1, 4, size, size)
    assert torch.equal(made[:, :3], planes[:, :3])
    assert bool((made[:, 3] == 0.5).all())


@needs_torch
def test_skin_changes_in_cells_and_eyes_and_mouth_freely() -> None:
    import torch

    from livefake.training.nets import RefineNet

    generator = torch.Generator().manual_seed(0)
    net = RefineNet()
    with torch.no_grad():
        for last in (net.fold, net.head[0]):
            last.weight.normal_(0, 0.5, generator=generator)
        planes = torch.full((1, 14, 128, 128), 0.5)
        planes[:, 10:] = torch.rand(1, 4, 128, 128, generator=generator)
        planes[:, :9] = 0.3 + 0.4 * torch.rand(1, 9, 128, 128, generator=generator)
        planes[:, 9] = 0
        planes[:, 9, :, 64:] = 1
        change = net(planes)[:, :3] - planes[:, :3]
    rough = [float((part[..., 1:] - part[..., :-1]).abs().max()) for part in (change[..., :63], change[..., 65:])]
    # A fold rises by 0.12 over 8 pixels at most, the light by 1.6 over 32.
    assert rough[0] <= 0.12 / 8 + 1.6 / 32 + 1e-4
    assert rough[1] > 0.1


@needs_torch
def test_losses_are_nothing_for_the_truth_and_softness_costs_energy() -> None:
    import torch
    from torch.nn import functional

    from livefake.training import losses

    truth = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    weight = torch.ones(2, 1, 64, 64)
    soft = functional.avg_pool2d(truth, 3, 1, 1)
    moved = torch.roll(truth, 1, -1)
    for loss in (losses.absolute, losses.gradients, losses.multi_scale, losses.detail_energy):
        assert float(loss(truth, truth, weight)) == pytest.approx(0, abs=1e-6)
        assert float(loss(soft, truth, weight)) > 0.01
    assert losses.ssim(truth, truth, weight).tolist() == pytest.approx([1, 1])
    assert float(losses.ssim(soft, truth, weight).max()) < 0.95
    # A shift by a pixel is the worst for the pixel losses and next to nothing for the energy.
    energy = [float(losses.detail_energy(one, truth, weight)) for one in (moved, soft)]
    assert energy[0] < 0.2 * energy[1]
    assert float(losses.absolute(moved, truth, weight)) > float(losses.absolute(soft, truth, weight))


@needs_torch
def test_a_change_that_is_in_the_truth_is_no_flicker() -> None:
    import torch

    from livefake.training.losses import steadiness

    first, weight = torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
    assert float(steadiness(first + 0.2, first + 0.3, first, first + 0.1, weight)) == pytest.approx(0, abs=1e-6)
    assert float(steadiness(first, first + 0.3, first, first, weight)) == pytest.approx(0.3, abs=1e-5)


def test_the_rate_rises_and_falls() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from livefake.training.trainer import learning_rate

    assert learning_rate(0, 0, 1.0) < 0.01
    assert learning_rate(500, 0, 1.0) == pytest.approx(1.0)
    assert learning_rate(500, 0.5, 1.0) == pytest.approx(0.505)
    assert learning_rate(500, 1.0, 1.0) == learning_rate(500, 2.0, 1.0) == pytest.approx(0.01)


@needs_torch
def test_a_run_goes_on_exactly_where_it_was_stopped(folder: Path, tmp_path: Path) -> None:
    import torch

    from livefake.training.losses import Shares
    from livefake.training.nets import Widths
    from livefake.training.trainer import Trainer, batch_random

    pairs, widths = Pairs(folder, "train"), Widths(8, 8, 8, 8)

    def begin() -> Trainer:
        torch.set_num_threads(1)
        return Trainer(widths, Shares(), peak=1e-3, seed=0, device="cpu")

    def learn(trainer: Trainer, steps: int) -> None:
        for _ in range(steps):
            trainer.step(draw_batch(pairs, 4, batch_random(0, trainer.clock.step)), 0.5)

    straight = begin()
    learn(straight, 4)
    stopped = begin()
    learn(stopped, 2)
    stopped.save(tmp_path / "run" / "checkpoint.pt")
    resumed = begin()
    resumed.load(tmp_path / "run" / "checkpoint.pt")
    learn(resumed, 2)
    for one, other in zip(straight.average.parameters(), resumed.average.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert resumed.clock.step == 4


@needs_torch
def test_a_new_run_begins_with_the_average_of_an_earlier_one(folder: Path, tmp_path: Path) -> None:
    import torch

    from livefake.training.losses import Shares
    from livefake.training.nets import Widths
    from livefake.training.trainer import Trainer, batch_random

    def begin(seed: int) -> Trainer:
        torch.set_num_threads(1)
        return Trainer(Widths(8, 8, 8, 8), Shares(), peak=1e-3, seed=seed, device="cpu")

    earlier = begin(0)
    earlier.step(draw_batch(Pairs(folder, "train"), 4, batch_random(0, 0)), 0.5)
    earlier.save(tmp_path / "checkpoint.pt")
    new = begin(1)
    new.start_from(tmp_path / "checkpoint.pt")
    for one, other in zip(new.net.parameters(), earlier.average.parameters(), strict=True):
        assert torch.equal(one, other)
    assert (new.clock.step, new.clock.seconds) == (0, 0)


@needs_torch
def test_a_run_begins_narrow_where_the_start_is_wide(folder: Path, tmp_path: Path) -> None:
    import torch

    from livefake.training.loop import Plan, Progress, refine
    from livefake.training.losses import Shares
    from livefake.training.nets import Widths
    from livefake.training.trainer import Trainer

    Trainer(Widths(12, 12, 12, 12), Shares(), peak=1e-3, seed=0, device="cpu").save(tmp_path / "wide.pt")
    ticks = iter(range(10**9))
    told: list[Progress] = []
    plan = Plan(
        data=folder,
        folder=tmp_path / "run",
        minutes=2,
        batch=4,
        widths=Widths(8, 8, 8, 8),
        start=tmp_path / "wide.pt",
        sides=(128,),
    )
    trainer = refine(plan, clock=lambda: next(ticks) * 60_000_000_000, tell=told.append)
    assert [now.step for now in told] == [1, 2]
    assert all(bool(torch.isfinite(values).all()) for values in trainer.average.parameters())


@needs_torch
def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    from livefake.errors import BadInput
    from livefake.training.losses import Shares
    from livefake.training.nets import Widths
    from livefake.training.trainer import Trainer

    trainer = Trainer(Widths(8, 8, 8, 8), Shares(), peak=1e-3, seed=0, device="cpu")
    path = tmp_path / "checkpoint.pt"
    trainer.save(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BadInput, match="checkpoint"):
        trainer.load(path)
