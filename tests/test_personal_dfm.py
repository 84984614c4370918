from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from livefake.errors import BadInput, ConsentError, EngineError
from livefake.training.factory import shard_path
from livefake.training.samples import write_shard
from tests.personalkit import PACK, a_take, some_takes
from tests.test_training_samples import a_sample

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'livefake[train]'")
onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from livefake.faces.geometry import five_points, transform  # noqa: E402
from livefake.training.losses import Shares  # noqa: E402
from livefake.training.nets import Widths  # noqa: E402
from livefake.training.personal.aligned import WHOLE_FACE, aligned  # noqa: E402
from livefake.training.personal.dfm import DfmOrder, make_dfm  # noqa: E402
from livefake.training.personal.dfmnet import DfmNet, DfmWidths, check_dfm, write_dfm  # noqa: E402
from livefake.training.trainer import Trainer  # noqa: E402

SIDE = 64
SMALL = DfmWidths(8, 8, 8, 8)


@pytest.fixture
def order(tmp_path: Path) -> DfmOrder:
    pack = tmp_path / "anna"
    pack.mkdir()
    for name in ("face.png", "landmarks.npy"):
        shutil.copy(PACK / name, pack / name)
    network = tmp_path / "general.pt"
    Trainer(Widths(8, 8, 8, 8, 8), Shares(), peak=1e-3, seed=0, device="cpu").save(network)
    return DfmOrder(
        pack=pack,
        network=network,
        out=tmp_path / "anna.dfm",
        folder=tmp_path / "run",
        minutes=1,
        consent="Under the grant 0123456789abcdef.",
        takes=some_takes(tmp_path / "takes", 20),
        batch=2,
        size=SIDE,
        widths=SMALL,
    )


class Ticks:
    """A clock on which every look costs some seconds."""

    def __init__(self, step: float) -> None:
        self._now, self._step = 0.0, step

    def __call__(self) -> int:
        self._now += self._step
        return round(self._now * 1e9)


def allowed() -> None:
    pass


def test_the_crop_is_deepfacelabs_whole_face() -> None:
    shot = a_take(1.0)
    placed = transform(shot.points, aligned(shot.points, 224))
    assert np.abs(five_points(placed) / 224 - WHOLE_FACE).max() < 0.08


def test_the_file_keeps_the_contract_and_says_what_it_is(order: DfmOrder) -> None:
    steps: list[int] = []
    make_dfm(order, check=allowed, clock=Ticks(10), tell=lambda step, _, __: steps.append(step))
    assert steps == list(range(1, 7))
    content = order.out.read_bytes()
    face = np.random.default_rng(0).random((1, SIDE, SIDE, 3), np.float32)
    mask, celebrity, celebrity_mask = check_dfm(content, face)
    assert celebrity.shape == (1, SIDE, SIDE, 3)
    assert np.array_equal(mask, celebrity_mask)
    model = onnx.load_from_string(content)
    assert [side.dim_value or side.dim_param for side in model.graph.input[0].type.tensor_type.shape.dim] == [
        "N", SIDE, SIDE, 3,
    ]  # fmt: skip
    words = {item.key: item.value for item in model.metadata_props}
    assert "0123456789abcdef" in words["consent"]
    assert "no watermark" in words["watermark"]
    assert "1.0 minutes, 6 steps" in words["quality"]


def test_the_pupil_learns(order: DfmOrder) -> None:
    losses: list[float] = []
    make_dfm(order, check=allowed, clock=Ticks(1.5), tell=lambda _, __, loss: losses.append(loss))
    assert losses[-1] < 0.9 * losses[0]


def test_without_permission_nothing_is_done_and_nothing_is_written(order: DfmOrder) -> None:
    answers = iter([True, False])

    def ends_midway() -> None:
        if not next(answers):
            raise ConsentError("The grant ended.")

    def never() -> None:
        raise ConsentError("There is no grant.")

    steps: list[int] = []
    with pytest.raises(ConsentError):
        make_dfm(order, check=never, clock=Ticks(10), tell=lambda step, _, __: steps.append(step))
    assert not steps
    with pytest.raises(ConsentError, match="ended"):
        make_dfm(order, check=ends_midway, clock=Ticks(10), tell=lambda *_: None)
    assert not order.out.exists()


def test_a_stopped_distillation_goes_on(order: DfmOrder, tmp_path: Path) -> None:
    def stop(step: int, _: float, __: float) -> None:
        if step == 3:
            raise KeyboardInterrupt

    straight = make_dfm(order, check=allowed, clock=Ticks(10), tell=lambda *_: None)
    other = replace(order, folder=tmp_path / "other")
    with pytest.raises(KeyboardInterrupt):
        make_dfm(other, check=allowed, clock=Ticks(10), tell=stop)
    assert make_dfm(other, check=allowed, clock=Ticks(10), tell=lambda *_: None) == pytest.approx(straight, rel=1e-3)
    with pytest.raises(BadInput, match="another persona"):
        make_dfm(replace(other, size=128), check=allowed, clock=Ticks(10), tell=lambda *_: None)


def test_rendered_performers_are_learnt_from_too(order: DfmOrder, tmp_path: Path) -> None:
    sample, shot = a_sample(), a_take(1.0)
    points = np.column_stack([shot.points[:, :2] / 6, shot.points[:, 2] / 6]).astype(np.float32)
    write_shard(shard_path(tmp_path / "pairs", 1), [replace(sample, points=points)])
    for takes in (order.takes, None):
        both = replace(order, takes=takes, pairs=tmp_path / "pairs", folder=tmp_path / f"run-{takes is None}")
        make_dfm(both, check=allowed, clock=Ticks(30), tell=lambda *_: None)
        assert order.out.exists()


def test_what_cannot_be_made_is_refused(order: DfmOrder) -> None:
    for wrong in (replace(order, size=100), replace(order, out=order.out.with_suffix(".onnx"))):
        with pytest.raises(BadInput, match="needs a side"):
            make_dfm(wrong, check=allowed, clock=Ticks(10), tell=lambda *_: None)
    with pytest.raises(BadInput, match="neither"):
        make_dfm(replace(order, takes=None), check=allowed, clock=Ticks(10), tell=lambda *_: None)


def test_a_file_with_another_contract_is_told(tmp_path: Path) -> None:
    path = tmp_path / "one.dfm"
    write_dfm(DfmNet(SMALL), path, SIDE, {})
    model = onnx.load(str(path))
    model.graph.output.pop()
    with pytest.raises(EngineError, match="should take"):
        check_dfm(model.SerializeToString(), np.zeros((1, SIDE, SIDE, 3), np.float32))
