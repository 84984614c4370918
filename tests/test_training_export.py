"""The trained network as files: exact in float, near in float16 and int8, refused when it is not."""

from __future__ import annotations

import logging
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

from livefake.engine import onnx as onnx_engine
from livefake.engine import openvino
from livefake.engine.base import Loader
from livefake.engine.weights import Weights
from livefake.errors import BadInput, EngineError
from livefake.frame import Floats
from livefake.swap.finisher import Finisher, swap_shapes
from livefake.training.factory import shard_path
from livefake.training.samples import write_shard
from tests.test_training_samples import SIDE, a_sample

pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'livefake[export]'")

import onnx
import torch
from onnx import TensorProto, numpy_helper
from torch import nn

from livefake.training.bundle import Export, export
from livefake.training.crops import answers, compare, read_crops
from livefake.training.export import INPUT, OPERATORS, OUTPUT, check_graph, read_trained, to_onnx
from livefake.training.folding import for_processors, to_folded
from livefake.training.half import halved
from livefake.training.losses import Shares
from livefake.training.nets import RefineNet, Widths
from livefake.training.personal.weights import read_network
from livefake.training.quantise import float_layers, quantise
from livefake.training.ranges import check_ranges, largest_value
from livefake.training.trainer import Trainer

SMALL = Widths(8, 8, 8, 8)
FACTS = {"licence": "CC0-1.0", "training_steps": "7"}


def lively(net: RefineNet) -> RefineNet:
    """A network whose every layer matters: fresh ones begin as the guide and a flat mask."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d):
                fan = layer.weight[0].numel()
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * (1.5 / fan) ** 0.5)
                layer.bias.copy_(torch.randn(layer.bias.shape, generator=generator) * 0.1)
    net.eval().requires_grad_(False)
    return net


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    for shard in (0, 1):
        write_shard(shard_path(folder, shard), [a_sample(shard * 100 + number) for number in range(6)])
    return folder


@pytest.fixture(scope="module")
def crops(pairs: Path) -> list[Floats]:
    return read_crops(pairs, "test", 3)


@pytest.fixture(scope="module")
def net() -> RefineNet:
    return lively(RefineNet(SMALL))


@pytest.fixture(scope="module")
def model(net: RefineNet, crops: list[Floats]) -> onnx.ModelProto:
    return to_onnx(net, crops[0].shape[1], facts=FACTS)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    trainer = Trainer(SMALL, Shares(), peak=1e-3, seed=0, device="cpu")
    trainer.average.load_state_dict(lively(RefineNet(SMALL)).state_dict())
    trainer.clock.step = 7
    trainer.save(tmp_path / "checkpoint.pt")
    return tmp_path / "checkpoint.pt"


def torch_answer(net: RefineNet, planes: Floats) -> Floats:
    made: Floats = net(torch.from_numpy(planes)).numpy()
    return made


def keep(model: onnx.ModelProto, path: Path) -> Path:
    onnx.save(model, str(path))
    return path


# The graph


def test_the_graph_is_of_plain_operators_with_free_batch_and_side(model: onnx.ModelProto) -> None:
    assert {node.op_type for node in model.graph.node} <= OPERATORS
    assert [item.version for item in model.opset_import] == [17]
    [given], [made] = model.graph.input, model.graph.output
    shapes = [[side.dim_param or side.dim_value for side in port.type.tensor_type.shape.dim] for port in (given, made)]
    assert (given.name, made.name) == (INPUT, OUTPUT)
    assert (shapes[0][0], shapes[0][2:]) == ("N", ["S", "S"])
    assert shapes[1] == ["N", 4, "S", "S"]
    assert {item.key: item.value for item in model.metadata_props} == FACTS


@pytest.mark.parametrize("load", [openvino.load, onnx_engine.load])
@pytest.mark.parametrize("side", [SIDE, 96])
def test_the_form_for_processors_gives_the_same_picture(
    net: RefineNet, pairs: Path, tmp_path: Path, load: Loader, side: int
) -> None:
    path = keep(for_processors(net, 14, facts=FACTS), tmp_path / "folded.onnx")
    crops = read_crops(pairs, "test", 2, side=side)
    levels = [np.asarray(np.rint(crop * 255) / 255, np.float32) for crop in crops]
    found = compare(answers(load(path)), lambda planes: torch_answer(net, planes), levels)
    assert found.most < 1e-4
    assert found.most_mask < 1e-3
    finisher = Finisher(load(path, shapes=swap_shapes(path, side)))
    made = finisher(np.rint(levels[0][0] * 255).astype(np.uint8))
    assert np.abs(made - torch_answer(net, levels[0])[0])[:3].max() < 1e-4


def test_a_network_of_an_earlier_version_keeps_the_plain_form(tmp_path: Path) -> None:
    early = lively(RefineNet(Widths(8, 8, 8, 8, stem=12, last=3)))
    model = for_processors(early, 14, facts=FACTS)
    assert [port.name for port in model.graph.input] == [INPUT]
    with pytest.raises(BadInput, match="8 pixels wide"):
        to_folded(early, facts=FACTS)
    path = keep(model, tmp_path / "plain.onnx")
    assert swap_shapes(path, 64) == {INPUT: (1, 14, 64, 64)}


def test_the_unshuffle_and_the_choice_of_planes_are_folded(model: onnx.ModelProto) -> None:
    slices = [node for node in model.graph.node if node.op_type == "Slice"]
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    fed = {name for node in convolutions for name in node.input}
    assert not any(node.output[0] in fed for node in slices)
    assert any(INPUT in node.input for node in convolutions)


@pytest.mark.parametrize("load", [openvino.load, onnx_engine.load], ids=["openvino", "onnxruntime"])
@pytest.mark.parametrize("size", [(1, SIDE), (2, 32), (1, 96)])
def test_engines_give_what_torch_gives_at_any_size(
    load: Loader, size: tuple[int, int], net: RefineNet, model: onnx.ModelProto, tmp_path: Path
) -> None:
    (batch, side), channels = size, model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    planes = np.random.default_rng(side).random((batch, channels, side, side), np.float32)
    path = keep(model, tmp_path / "refine.onnx")
    expected = torch_answer(net, planes)
    for shapes in (None, {INPUT: planes.shape}):
        made = load(path, shapes=shapes).run({INPUT: planes})[OUTPUT]
        assert np.abs(made - expected).max() < 1e-4
    assert np.ptp(expected[:, 3]) > 0.1, "the network does something"


def test_the_share_of_the_change_on_skin_is_in_the_file(crops: list[Floats], tmp_path: Path) -> None:
    half = lively(RefineNet(SMALL))
    half.share.fill_(0.5)
    path = keep(to_onnx(half, crops[0].shape[1], facts=FACTS), tmp_path / "half.onnx")
    assert float(read_network(path).share) == 0.5
    assert compare(answers(onnx_engine.load(path)), lambda planes: torch_answer(half, planes), crops).most_mask < 1e-3


def test_a_static_graph_has_numbers_for_sides(net: RefineNet, crops: list[Floats], tmp_path: Path) -> None:
    channels = crops[0].shape[1]
    engine = onnx_engine.load(keep(to_onnx(net, channels, side=SIDE, facts=FACTS), tmp_path / "static.onnx"))
    assert engine.inputs == {INPUT: (1, channels, SIDE, SIDE)}
    assert engine.outputs == {OUTPUT: (1, 4, SIDE, SIDE)}
    assert compare(answers(engine), lambda planes: torch_answer(net, planes), crops).most_mask < 1e-3


def test_what_does_not_fit_the_network_is_told(net: RefineNet, crops: list[Floats]) -> None:
    channels = crops[0].shape[1]
    with pytest.raises(BadInput, match="multiple of 32 pixels, got 100"):
        to_onnx(net, channels, side=100, facts=FACTS)
    with pytest.raises(BadInput, match=f"should take {channels - 8} planes"):
        to_onnx(net, channels - 8, facts=FACTS)


def test_other_operators_are_refused(model: onnx.ModelProto) -> None:
    odd = onnx.ModelProto()
    odd.CopyFrom(model)
    odd.graph.node[0].op_type = "Einsum"
    with pytest.raises(EngineError, match="plain operators, it has Einsum"):
        check_graph(odd)
    broken = onnx.ModelProto()
    broken.CopyFrom(model)
    broken.graph.node[0].input[1] = "nothing"
    with pytest.raises(EngineError, match="not valid ONNX"):
        check_graph(broken)


# Float16


def test_float16_is_half_the_size_and_the_same_picture(
    net: RefineNet, model: onnx.ModelProto, crops: list[Floats], tmp_path: Path
) -> None:
    half = halved(model)
    weights = [item for item in half.graph.initializer if len(item.dims) == 4]
    assert {item.data_type for item in weights} == {TensorProto.FLOAT16}
    for port in (*half.graph.input, *half.graph.output):
        assert port.type.tensor_type.elem_type == TensorProto.FLOAT
    path = keep(half, tmp_path / "half.onnx")
    for load in (openvino.load, onnx_engine.load):
        found = compare(answers(load(path)), lambda planes: torch_answer(net, planes), crops)
        assert found.picture > 60
        assert found.mask > 60


def test_weights_beyond_float16_are_refused(model: onnx.ModelProto) -> None:
    loud = onnx.ModelProto()
    loud.CopyFrom(model)
    item = next(item for item in loud.graph.initializer if len(item.dims) == 4)
    item.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(item) * np.float32(1e6), item.name))
    with pytest.raises(EngineError, match="should lie within 65504"):
        halved(loud)


def test_numbers_inside_that_come_near_the_end_of_float16_are_refused(
    net: RefineNet, model: onnx.ModelProto, crops: list[Floats]
) -> None:
    name, value = largest_value(model, crops)
    assert 0 < value < 1000
    assert check_ranges(model, crops) == value
    loud = onnx.ModelProto()
    loud.CopyFrom(model)
    arrays = {item.name: item for item in loud.graph.initializer}
    conv = next(node for node in loud.graph.node if node.output[0] == name)
    for place in conv.input[1:]:
        values = numpy_helper.to_array(arrays[place]) * np.float32(10_000 / value)
        arrays[place].CopyFrom(numpy_helper.from_array(values, place))
    with pytest.raises(EngineError, match="should stay below 8188 for float16"):
        check_ranges(loud, crops)


# Int8


def test_int8_is_near_and_leaves_the_end_in_float(
    model: onnx.ModelProto, crops: list[Floats], pairs: Path, tmp_path: Path
) -> None:
    level = logging.getLogger().level
    made = quantise(model, read_crops(pairs, "train", 4), crops, least=25)
    assert logging.getLogger().level == level
    assert made.difference.picture >= 25
    makers = {name: node.op_type for node in made.model.graph.node for name in node.output}
    named = {node.name: node for node in made.model.graph.node}
    last, behind = float_layers(model.graph)
    assert set(last) <= set(made.floats)
    for name in last:
        assert makers.get(named[name].input[1]) != "DequantizeLinear"
    quantised = [
        node for node in made.model.graph.node if node.op_type == "Conv" and makers.get(node.input[1]) is not None
    ]
    assert {node.name for node in quantised}.isdisjoint(made.floats)
    assert len(quantised) >= 10
    # The picture is put together in float: no rounded number comes after the last convolutions.
    assert not any(
        user.op_type == "QuantizeLinear" for name in behind for user in made.model.graph.node
        if named[name].output[0] in user.input
    )  # fmt: skip
    path = keep(made.model, tmp_path / "int8.onnx")
    plain = answers(onnx_engine.load(keep(model, tmp_path / "plain.onnx")))
    shapes = {INPUT: crops[0].shape}
    for load in (openvino.load, onnx_engine.load):
        assert compare(answers(load(path, shapes=shapes)), plain, crops).picture >= 24


def test_layers_go_back_to_float_until_the_picture_is_near_enough(
    model: onnx.ModelProto, crops: list[Floats], pairs: Path
) -> None:
    calibration = read_crops(pairs, "train", 4)
    least = quantise(model, calibration, crops, least=10)
    more = quantise(model, calibration, crops, least=least.difference.picture + 0.01)
    assert len(more.floats) > len(least.floats)
    assert set(more.floats) > set(least.floats)
    assert more.difference.picture > least.difference.picture


def test_int8_that_is_too_far_off_is_refused_with_the_figure(
    model: onnx.ModelProto, crops: list[Floats], pairs: Path
) -> None:
    with pytest.raises(EngineError, match=r"to 150\.0 dB on crops of the test split, it does to \d+\.\d dB"):
        quantise(model, read_crops(pairs, "train", 2), crops[:1], least=150)


# Crops


def test_crops_are_network_inputs_of_the_split_that_was_asked_for(pairs: Path) -> None:
    train, test = (read_crops(pairs, split, 3) for split in ("train", "test"))
    assert len(train) == len(test) == 3
    for crop in train:
        assert crop.dtype == np.float32
        assert 0 <= crop.min() < crop.max() <= 1
        assert not any(np.array_equal(crop, other) for other in test)
    assert len(read_crops(pairs, "test", 99)) == 6
    assert read_crops(pairs, "test", 1, side=32)[0].shape[2:] == (32, 32)
    with pytest.raises(BadInput, match="no nothing samples"):
        read_crops(pairs, "nothing", 1)


# Checkpoint and files


def test_the_averaged_network_is_taken_out_of_a_checkpoint(checkpoint: Path, net: RefineNet) -> None:
    trained = read_trained(checkpoint)
    assert trained.step == 7
    assert len(trained.sha256) == 64
    for one, other in zip(trained.net.parameters(), net.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("content", [None, b"", b"not a checkpoint", b"PK\x03\x04 half a checkpoint"])
def test_what_is_no_checkpoint_is_refused_in_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "checkpoint.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match="should hold a swap network") as caught:
        read_trained(path)
    assert "\n" not in caught.value.problem


def test_the_files_are_made_checked_and_described(checkpoint: Path, pairs: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    out = tmp_path / "models" / "weights"
    order = Export(checkpoint, pairs, out, sides=(32,), calibration=4, held_out=3, least=25)
    rows = export(order, cpu_clock=time.process_time_ns, tell=lines.append)
    assert [row.path.name for row in rows] == [
        "refine-float32.onnx", "refine.onnx", "refine-32.onnx", "refine-int8.onnx",
    ]  # fmt: skip
    assert len(lines) == 6
    for row in rows:
        assert row.size == row.path.stat().st_size
        assert (row.cost.keys() == {"openvino", "onnxruntime"}) == (row.path.name != "refine-32.onnx")
    assert rows[0].psnr > rows[1].psnr > rows[3].psnr
    # What is written for the manifest is what the manifest takes.
    (out / "weights.toml").rename(tmp_path / "models" / "manifest.toml")
    document = tomllib.loads((tmp_path / "models" / "manifest.toml").read_text())
    assert document["weights"].keys() == {"refine", "refine-int8"}
    weights = Weights(tmp_path / "models" / "manifest.toml", tmp_path / "cache")
    assert weights.path("refine") == out / "refine.onnx"
    assert weights.path("refine-int8") == out / "refine-int8.onnx"
    for entry in weights.entries:
        engine = openvino.load(weights.path(entry.name))
        assert engine.inputs == entry.inputs
        assert engine.outputs == entry.outputs
    stored = {item.key: item.value for item in onnx.load(str(out / "refine-int8.onnx")).metadata_props}
    assert stored["licence"] == "CC0-1.0"
    assert stored["training_steps"] == "7"
    assert len(stored["checkpoint_sha256"]) == 64


def test_a_missed_gate_writes_no_int8_file(checkpoint: Path, pairs: Path, tmp_path: Path) -> None:
    order = Export(checkpoint, pairs, tmp_path / "out", calibration=2, held_out=1, least=200)
    with pytest.raises(EngineError, match=r"should agree with the float one to 200\.0 dB"):
        export(order, cpu_clock=time.process_time_ns, tell=lambda line: None)
    assert not (tmp_path / "out" / "refine-int8.onnx").exists()
    assert not (tmp_path / "out" / "weights.toml").exists()


def test_a_folder_that_cannot_be_written_is_told(checkpoint: Path, pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("where the folder should be")
    order = Export(checkpoint, pairs, tmp_path / "file" / "out", held_out=1)
    with pytest.raises(BadInput, match="cannot be written"):
        export(order, cpu_clock=time.process_time_ns, tell=lambda line: None)


def test_the_command_prints_a_table_and_says_that_nothing_was_built_for_a_gpu(
    checkpoint: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from livefake.cli.main import main
    from livefake.engine import gpu

    monkeypatch.setattr(gpu, "find_gpu", lambda: None)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LIVEFAKE_DATA", str(tmp_path / "data"))
    words = ["export", "--checkpoint", str(checkpoint), "--data", str(pairs), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["livefake", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    for name in ("refine-float32.onnx", "refine.onnx", "refine-int8.onnx"):
        assert name in said.out
    assert "No TensorRT engine was built" in said.err
