from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livefake.errors import BadInput

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'livefake[train]'")
onnx = pytest.importorskip("onnx", reason="onnx is not installed")

from livefake.swap.guide import CHANNELS  # noqa: E402
from livefake.training.losses import Shares  # noqa: E402
from livefake.training.nets import RefineNet, Widths  # noqa: E402
from livefake.training.personal.weights import read_network, widths_of  # noqa: E402
from livefake.training.trainer import Trainer  # noqa: E402

SMALL = Widths(8, 12, 16, 20, 8)
EARLIER = Widths(8, 12, 16, 20, 8, stem=12, last=3)


def a_network(seed: int = 0, widths: Widths = SMALL) -> RefineNet:
    torch.manual_seed(seed)
    net: RefineNet = RefineNet(widths).eval()
    for values in net.parameters():
        torch.nn.init.normal_(values, std=0.1)
    return net


def an_onnx(path: Path, arrays: dict[str, Any]) -> Path:
    """A file that holds these weights; the graph itself does not matter to the reader."""
    items = [onnx.numpy_helper.from_array(values, name) for name, values in arrays.items()]
    graph = onnx.helper.make_graph([], "net", [], [], items)
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    return path


def arrays_of(net: RefineNet, kind: Any = np.float32) -> dict[str, Any]:
    return {name: values.numpy().astype(kind) for name, values in net.state_dict().items()}


def folded(weight: Any, before: int, after: int, block: int) -> Any:
    """What the exporter makes of a convolution behind an unshuffle: a wide kernel over all planes of the input."""
    outward, inward, high, wide = weight.shape
    parts = weight.reshape(outward, inward // block**2, block, block, high, wide).transpose(0, 1, 4, 2, 5, 3)
    whole = parts.reshape(outward, inward // block**2, high * block, wide * block)
    return np.pad(whole, ((0, 0), (before, after), (0, 0), (0, 0)))


def same(one: RefineNet, other: RefineNet, *, within: float = 0.0) -> bool:
    planes = torch.rand(1, CHANNELS, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return bool((one(planes) - other(planes)).abs().max() <= within)


def test_a_checkpoint_gives_its_average(tmp_path: Path) -> None:
    trainer = Trainer(SMALL, Shares(), peak=1e-3, seed=0, device="cpu")
    net = a_network()
    trainer.average.load_state_dict(net.state_dict())
    trainer.save(tmp_path / "checkpoint.pt")
    assert same(read_network(tmp_path / "checkpoint.pt"), net)


def test_an_onnx_file_gives_its_weights_and_its_widths(tmp_path: Path) -> None:
    net = a_network()
    assert same(read_network(an_onnx(tmp_path / "net.onnx", arrays_of(net))), net)


@pytest.mark.parametrize(("widths", "block"), [(SMALL, 2), (EARLIER, 4)])
def test_what_the_exporter_folded_is_unfolded(widths: Widths, block: int, tmp_path: Path) -> None:
    net = a_network(widths=widths)
    arrays = arrays_of(net)
    arrays["stem.1.0.weight"] = folded(arrays["stem.1.0.weight"], 0, 3, block)
    arrays["edge.1.0.weight"] = folded(arrays["edge.1.0.weight"], 10, 0, block)
    read = read_network(an_onnx(tmp_path / "net.onnx", arrays))
    assert same(read, net)
    assert widths_of(read) == widths


def test_a_network_from_before_the_folds_has_none(tmp_path: Path) -> None:
    net = a_network(widths=EARLIER)
    arrays = {name: values for name, values in arrays_of(net).items() if not name.startswith("fold")}
    read = read_network(an_onnx(tmp_path / "net.onnx", arrays))
    for values in (net.fold.weight, net.fold.bias):
        values.data.zero_()
    assert same(read, net)


def test_weights_stored_as_float16_are_near(tmp_path: Path) -> None:
    net = a_network()
    assert same(read_network(an_onnx(tmp_path / "net.onnx", arrays_of(net, np.float16))), net, within=0.01)


def test_a_cast_behind_stored_weights_gives_them_their_name(tmp_path: Path) -> None:
    net = a_network()
    stored = {f"{name}_stored": values for name, values in arrays_of(net, np.float16).items()}
    items = [onnx.numpy_helper.from_array(values, name) for name, values in stored.items()]
    casts = [onnx.helper.make_node("Cast", [name], [name.removesuffix("_stored")], to=1) for name in stored]
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx.helper.make_model(onnx.helper.make_graph(casts, "net", [], [], items)).SerializeToString())
    assert same(read_network(path), net, within=0.01)


@pytest.mark.parametrize("name", ["net.onnx", "checkpoint.pt"])
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x08\x01not a network")
    with pytest.raises(BadInput, match="should hold a swap network"):
        read_network(tmp_path / name)
    with pytest.raises(BadInput, match="cannot be read"):
        read_network(tmp_path / "missing" / name)


def test_a_network_of_another_kind_is_refused(tmp_path: Path) -> None:
    arrays = arrays_of(a_network())
    arrays["deep.1.0.weight"] = arrays["deep.1.0.weight"][:, :3]
    with pytest.raises(BadInput, match=r"deep\.1\.0\.weight should be"):
        read_network(an_onnx(tmp_path / "net.onnx", arrays))
    with pytest.raises(BadInput, match="no float weights"):
        read_network(an_onnx(tmp_path / "other.onnx", {"x": np.zeros(3, np.int8)}))


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    arrays = arrays_of(a_network())
    arrays["deep.0.0.bias"][0] = np.nan
    with pytest.raises(BadInput, match="finite"):
        read_network(an_onnx(tmp_path / "net.onnx", arrays))
