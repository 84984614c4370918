from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'livefake[train]'")

from livefake.training.batches import Example  # noqa: E402
from livefake.training.folds import fit_folds  # noqa: E402
from livefake.training.maskfit import fit_mask  # noqa: E402
from livefake.training.narrow import most_telling, narrow  # noqa: E402
from livefake.training.nets import RefineNet, Widths  # noqa: E402

WIDTHS = Widths(6, 6, 6, 6, 6)


def a_network(widths: Widths, seed: int = 0) -> RefineNet:
    """A network whose every layer matters."""
    torch.manual_seed(seed)
    net: RefineNet = RefineNet(widths)
    for values in net.parameters():
        fan = values[0].numel() if values.ndim == 4 else 64
        torch.nn.init.normal_(values, std=(2 / fan) ** 0.5)
    net.eval().requires_grad_(False)
    return net


def crops(count: int, seed: int = 0) -> Any:
    return torch.rand(count, 14, 64, 64, generator=torch.Generator().manual_seed(seed))


def test_the_most_telling_columns_leave_out_what_others_say() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, 100))
    columns = np.stack([0.1 * first, first, first + 1e-6 * second, 3 * second], 1)
    chosen = most_telling(columns.T @ columns, 2)
    assert 3 in chosen
    assert set(chosen) & {1, 2}


def test_as_many_channels_as_before_do_what_was_done_before() -> None:
    wide, slim = a_network(WIDTHS), a_network(WIDTHS, seed=1)
    narrow(wide, slim, crops(48))
    with torch.no_grad():
        planes = crops(2, seed=1)
        away = (wide(planes) - slim(planes)).abs()
    assert float(away.mean()) < 0.002


def test_channels_that_say_nothing_new_are_not_missed() -> None:
    """Every channel twice, at half its weight: half of the channels can do the same."""
    net = a_network(WIDTHS)
    torch.nn.init.zeros_(net.fold.weight)
    wide = RefineNet(Widths(12, 12, 12, 12, 12)).eval()
    with torch.no_grad():
        for (name, large), small in zip(wide.state_dict().items(), net.state_dict().values(), strict=True):
            doubled = small.repeat_interleave(large.shape[0] // small.shape[0], 0)
            if name == "fold.weight":
                large.zero_()
                continue
            if name.endswith("weight"):
                repeats = large.shape[1] // small.shape[1]
                doubled = doubled.repeat_interleave(repeats, 1) / repeats
            large.copy_(doubled)
    slim = a_network(WIDTHS, seed=1)
    narrow(wide, slim, crops(48))
    with torch.no_grad():
        planes = crops(2, seed=1)
        assert float((wide(planes) - net(planes)).abs().max()) < 1e-4
        assert float((slim(planes) - net(planes)).abs().mean()) < 0.002


def test_an_earlier_form_of_the_network_is_imitated_by_the_present_one() -> None:
    wide, slim = a_network(Widths(8, 8, 8, 8, 8, stem=12, last=3)), a_network(Widths(8, 8, 8, 8, 8))
    before = float((wide(crops(2, seed=1)) - slim(crops(2, seed=1))).abs().mean())
    narrow(wide, slim, crops(48))
    after = float((wide(crops(2, seed=1)) - slim(crops(2, seed=1))).abs().mean())
    assert after < 0.7 * before


def test_folds_are_found_from_the_truth() -> None:
    """A truth that is darker where the guide is bright: the network is to know it where the skin is seen."""
    net = RefineNet(WIDTHS)
    random = np.random.default_rng(0)
    planes = np.repeat(np.repeat(random.integers(60, 200, (24, 14, 8, 8), np.uint8), 8, 2), 8, 3)
    planes[:, 9] = 0
    guide = planes[:, :3].astype(np.float32)
    truth = np.clip(guide - 0.15 * (guide - 128), 0, 255).astype(np.uint8)
    visible = np.full((24, 1, 64, 64), 255, np.uint8)
    fit_folds(net, Example(planes, truth, visible, visible, np.zeros(24, np.int64)))
    wanted, given = (torch.from_numpy(levels[:2]).float() / 255 for levels in (truth, planes))
    with torch.no_grad():
        made = net(given)[:, :3]
    # Neighbouring cells run into each other, so not all of it can be reached.
    assert float((made - wanted).abs().mean()) < 0.6 * float((given[:, :3] - wanted).abs().mean())


def test_the_mask_is_taught_alone() -> None:
    """What is bright is in front of the face: the mask learns it, and the picture stays as it is."""
    net = a_network(WIDTHS).requires_grad_(True)
    random = np.random.default_rng(0)
    bright = np.repeat(np.repeat(random.integers(0, 2, (16, 1, 4, 4), np.uint8), 16, 2), 16, 3)
    planes = np.full((16, 14, 64, 64), 100, np.uint8)
    planes[:, 10] = 255
    planes[:, 11:] += 120 * bright
    seen = 255 * (1 - bright)
    batch = Example(planes, np.zeros((16, 3, 64, 64), np.uint8), seen, seen, np.zeros(16, np.int64))
    given, wanted = (torch.from_numpy(levels).float() / 255 for levels in (planes, batch.mask))
    with torch.no_grad():
        before = net(given)
        fit_mask(net, batch, steps=60)
        after = net(given)
    assert torch.equal(before[:, :3], after[:, :3])
    assert float((after[:, 3:] - wanted).abs().mean()) < 0.75 * float((before[:, 3:] - wanted).abs().mean())


def test_a_share_of_the_change_on_skin_is_a_share_of_it() -> None:
    net = a_network(WIDTHS)
    planes = 0.4 + 0.2 * crops(1)
    planes[:, 9] = 0
    with torch.no_grad():
        net.head[0].weight.mul_(0.1)
        net.fold.weight.mul_(0.1)
        whole = net(planes)[:, :3] - planes[:, :3]
        net.share.fill_(0.5)
        half = net(planes)[:, :3] - planes[:, :3]
    assert float(whole.abs().mean()) > 0.005
    assert torch.allclose(half, whole / 2, atol=1e-5)
