"""A pack with a network of its own: rounded on its takes, and opened by the studio in place of the general one."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from livefake.clock import monotonic
from livefake.engine.weights import Weights
from livefake.frame import Box, Face, Frame
from livefake.resources import models_folder
from livefake.settings import read_settings
from livefake.studio import Studio
from livefake.swap.guide import CHANNELS
from livefake.swap.persona import read_card

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'livefake[train]'")

from livefake.training.losses import Shares  # noqa: E402
from livefake.training.nets import RefineNet, Widths  # noqa: E402
from livefake.training.personal.outlook import footage_seconds, quickest  # noqa: E402
from livefake.training.personal.rounded import ROUNDED, round_network, write_rounded  # noqa: E402
from livefake.training.personal.samples import pack_swapper  # noqa: E402
from livefake.training.personal.store import write_network  # noqa: E402
from livefake.training.personal.weights import read_network  # noqa: E402
from livefake.training.trainer import Trainer  # noqa: E402
from livefake.trust.grants import GrantBook  # noqa: E402
from tests.personalkit import PACK, some_takes, triangles  # noqa: E402

SIDE = 64
SMALL = Widths(8, 8, 8, 8, 8)


def planes(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (count, CHANNELS, SIDE, SIDE), np.uint8)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "packs" / "anna"
    folder.mkdir(parents=True)
    for name in ("face.png", "landmarks.npy", "portrait.jpg"):
        shutil.copy(PACK / name, folder / name)
    net = RefineNet(SMALL)
    # A network that darkens, so that its answers are its own.
    torch.nn.init.constant_(net.head[0].bias, -1.0)
    write_network(net, folder / "refine.onnx", {}, planes(1))
    return folder


def test_int8_is_made_of_the_takes_and_is_near(pack: Path, tmp_path: Path) -> None:
    takes = some_takes(tmp_path / "takes")
    assert write_rounded(pack, takes, pack / "refine.onnx", side=SIDE) >= 40
    assert (pack / ROUNDED).stat().st_size > 0
    assert not list(pack.glob(".network-*"))


def test_the_studio_opens_a_personas_own_network(pack: Path, tmp_path: Path) -> None:
    round_network(read_network(pack / "refine.onnx"), pack / ROUNDED, planes(2), planes(2))
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in pack.iterdir()}
    lines = [
        'schema = 1\nid = "anna"\ntitle = "Anna"\nkind = "fictional"\ndescription = ""\nlicence = "CC0-1.0"\n[files]'
    ]
    (pack / "persona.toml").write_text("\n".join([*lines, *(f'"{name}" = "{text}"' for name, text in files.items())]))
    card = read_card(pack)
    assert card.networks == (pack / "refine.onnx", pack / ROUNDED)
    assert replace(card, files={"refine.onnx": ""}).networks == (pack / "refine.onnx", pack / "refine.onnx")
    assert replace(card, files={}).networks is None
    weights = Weights(models_folder() / "manifest.toml", read_settings(os.environ).cache / "weights")
    # Fictional personas are worn from the program's own folder only.
    models = tmp_path / "models"
    (models / "personas").mkdir(parents=True)
    for folder in ("mesh", "demo"):
        (models / folder).symlink_to(models_folder() / folder)
    for persona in (pack, *(models_folder() / "personas").iterdir()):
        (models / "personas" / persona.name).symlink_to(persona)
    mine = Studio(models, weights, tmp_path / "cache", issuer=1, grants=GrantBook(tmp_path / "data"))
    own, general = mine.outfit("anna").finishers(), mine.outfit("mara").finishers()
    assert own.keys() == general.keys()
    side = min(own)
    grey = np.full((CHANNELS, side, side), 128, np.uint8)
    assert own[side](grey)[:3].mean() < 0.35 < general[side](grey)[:3].mean()


def test_turned_pictures_are_learnt_from_where_a_pack_has_them(pack: Path) -> None:
    turned = np.load(pack / "landmarks.npy")
    turned[:, 2] += (turned[:, 0] - turned[:, 0].mean()) * np.tan(np.radians(35))
    frame = Frame.from_bgr(np.zeros((1024, 1024, 3), np.uint8))

    def redness() -> float:
        patch = pack_swapper(pack, triangles())(frame, Face(Box.around(turned), turned, 1.0, 1.0, 1))
        assert patch is not None
        shown = patch.picture.bgr()[patch.mask > 128].astype(np.float32)
        return float((shown[:, 2] - shown[:, 0]).mean())

    before = redness()
    np.save(pack / "landmarks-right.npy", turned)
    cv2.imwrite(str(pack / "face-right.png"), np.full((1024, 1024, 3), (0, 0, 200), np.uint8))
    assert redness() > before + 100


def test_footage_is_timed_and_damaged_files_count_nothing(tmp_path: Path) -> None:
    shutil.copy(models_folder() / "demo" / "performer.mp4", tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(b"no video")
    assert footage_seconds([tmp_path], clock=monotonic) == pytest.approx(8, abs=0.2)


def test_one_thread_is_not_measured(tmp_path: Path) -> None:
    Trainer(SMALL, Shares(), peak=1e-3, seed=0, device="cpu").save(tmp_path / "general.pt")
    assert quickest(tmp_path / "general.pt", 1, clock=monotonic) == 1
    steps = iter(range(0, 10**15, 10**9))
    # A clock that gives both the same speed: the fewer threads are taken.
    assert quickest(tmp_path / "general.pt", 2, clock=lambda: next(steps)) == 1
