from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.errors import BadInput
from livefake.training import factory
from livefake.training.factory import Order, missing_shards, render_shards, shard_path, shards_for
from livefake.training.samples import Facts, Sample, Shard, is_whole, write_shard
from livefake.training.synth import SHARD, TEST, TRAIN, split_of
from livefake.training.tone import measure_tone, move_tone

SIDE = 64


def a_sample(seed: int = 0, *, follows: bool = False) -> Sample:
    random = np.random.default_rng(seed)

    def soft(channels: int) -> np.ndarray:
        coarse = random.integers(0, 256, (4, 4, channels), np.uint8)
        return np.asarray(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)

    masks = soft(4)
    return Sample(
        live=soft(3),
        warp=soft(3),
        truth=soft(3),
        cover=masks[..., 0],
        region=masks[..., 1],
        hidden=masks[..., 2],
        inner=masks[..., 3],
        points=random.uniform(-20, 300, (468, 3)).astype(np.float32),
        landmarks=random.uniform(0, 64, (68, 2)).astype(np.float32),
        facts=Facts(seed, 100 + seed, 12.5, (0.25, -0.5), follows),
    )


def an_order(folder: Path, *, shards: int = 2, seed: int = 0) -> Order:
    nowhere = Path("nowhere")
    return Order(kit=nowhere, weights=nowhere, mesh=nowhere, folder=folder, shards=shards, size=SIDE, seed=seed)


def test_samples_come_back_as_they_were_written(tmp_path: Path) -> None:
    written = [a_sample(number, follows=number == 2) for number in range(3)]
    write_shard(tmp_path / "one.npz", written)
    shard = Shard(tmp_path / "one.npz")
    assert len(shard) == 3
    assert shard.follows.tolist() == [False, False, True]
    for before, after in zip(written, shard, strict=True):
        assert after.facts == before.facts
        assert np.abs(after.points - before.points).max() <= 1 / 32
        assert np.abs(after.landmarks - before.landmarks).max() <= 1 / 32
        for name in ("live", "warp", "truth"):
            assert np.abs(getattr(after, name).astype(int) - getattr(before, name)).mean() < 4
        for name in ("cover", "region", "hidden", "inner"):
            assert np.abs(getattr(after, name).astype(int) - getattr(before, name)).max() <= 4


def test_full_and_empty_masks_stay_full_and_empty(tmp_path: Path) -> None:
    sample = a_sample()
    sample.region[:] = 255
    sample.hidden[:] = 0
    write_shard(tmp_path / "one.npz", [sample])
    after = Shard(tmp_path / "one.npz")[0]
    assert (after.region == 255).all()
    assert not after.hidden.any()


def test_a_file_that_was_cut_is_found_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.npz"
    write_shard(path, [a_sample()])
    assert is_whole(path)
    path.write_bytes(path.read_bytes()[:-200])
    assert not is_whole(path)
    with pytest.raises(BadInput, match=r"one\.npz"):
        Shard(path)


def test_a_file_with_a_changed_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "one.npz"
    write_shard(path, [a_sample()])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert not is_whole(path)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write_shard(tmp_path / "one.npz", [a_sample()])
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_or_cut_is_rendered_again(tmp_path: Path) -> None:
    for shard in range(4):
        write_shard(shard_path(tmp_path, shard), [a_sample(shard)])
    shard_path(tmp_path, 1).unlink()
    cut = shard_path(tmp_path, 3)
    cut.write_bytes(cut.read_bytes()[:100])
    assert missing_shards(tmp_path, 5) == [1, 3, 4]


def test_a_finished_folder_needs_no_kit(tmp_path: Path) -> None:
    write_shard(shard_path(tmp_path, 0), [a_sample()])
    assert list(render_shards(an_order(tmp_path, shards=1), workers=1)) == []


def test_a_folder_of_another_seed_is_refused(tmp_path: Path) -> None:
    list(render_shards(an_order(tmp_path, shards=0), workers=1))
    with pytest.raises(BadInput, match="were made with"):
        list(render_shards(an_order(tmp_path, shards=0, seed=1), workers=1))


def test_identities_of_the_test_split_are_never_trained_on() -> None:
    assert not set(TRAIN) & set(TEST)
    assert len(TRAIN) + len(TEST) > 200
    splits = [split_of(shard) for shard in range(64)]
    assert splits.count(TEST) == 4
    assert splits[0] is TEST
    names = {shard_path(Path(), shard).name[:5] for shard in range(64) if split_of(shard) is TEST}
    assert names == {"test-"}


@given(st.integers(1, 10**6))
def test_the_files_hold_all_pairs_that_were_asked_for_and_not_a_file_more(pairs: int) -> None:
    assert (shards_for(pairs) - 1) * SHARD < pairs <= shards_for(pairs) * SHARD


def test_every_name_is_exported() -> None:
    assert all(hasattr(factory, name) for name in factory.__all__)


def skin(tone: tuple[int, int, int], seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(SIDE, SIDE, 1)) * 12
    return np.clip(np.array(tone) + noise, 0, 255).astype(np.uint8)


def test_the_tone_of_one_face_moves_to_another() -> None:
    dark, light, everywhere = skin((60, 80, 120), 1), skin((150, 170, 210), 2), np.full((SIDE, SIDE), 255, np.uint8)
    moved = move_tone(dark, measure_tone(dark, light, everywhere))
    assert np.abs(moved.reshape(-1, 3).mean(0) - light.reshape(-1, 3).mean(0)).max() < 3


def test_half_a_tone_lies_between() -> None:
    dark, light, everywhere = skin((60, 80, 120), 1), skin((150, 170, 210), 2), np.full((SIDE, SIDE), 255, np.uint8)
    tone = measure_tone(dark, light, everywhere)
    means = [float(move_tone(dark, tone, share).mean()) for share in (0.0, 0.5, 1.0)]
    assert means[0] == pytest.approx(float(dark.mean()), abs=1.5)
    assert means[0] + 20 < means[1] < means[2] - 20


def test_a_face_that_is_hidden_keeps_its_tone() -> None:
    dark, light = skin((60, 80, 120), 1), skin((150, 170, 210), 2)
    tone = measure_tone(dark, light, np.zeros((SIDE, SIDE), np.uint8))
    assert tone.gain.tolist() == [1, 1, 1]
    assert tone.offset.tolist() == [0, 0, 0]
