from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from livefake.compose.colour import MatchColour
from livefake.compose.tone import SkinTone
from livefake.engine import openvino
from livefake.errors import EngineError
from livefake.faces.geometry import INNER_MOUTH, OUTLINE
from livefake.frame import Box, Bytes, Face, Floats, Frame, Patch, Planes
from livefake.swap.finisher import Finisher
from livefake.swap.guide import CHANNELS, kept_alive, lay_over, net_planes
from livefake.swap.refine import OFF, Refine, without_specks

SIDE = 64
MOMENT = 3000
"""Of a 90 kHz clock: a thirtieth of a second."""


def network(folder: Path, *, change: float, mask: float, channels: int = CHANNELS) -> Finisher:
    """A real model of our contract: picture = guide + change, the mask is the same everywhere."""
    shape = [1, 1, SIDE, SIDE]
    nodes = [
        helper.make_node("Slice", ["planes", "zero", "three", "axis"], ["guide"]),
        helper.make_node("Add", ["guide", "change"], ["picture"]),
        helper.make_node("Slice", ["planes", "zero", "one", "axis"], ["plane"]),
        helper.make_node("Mul", ["plane", "nothing"], ["black"]),
        helper.make_node("Add", ["black", "mask"], ["grey"]),
        helper.make_node("Concat", ["picture", "grey"], ["made"], axis=1),
    ]
    numbers = [
        helper.make_tensor(name, TensorProto.INT64, [1], [value])
        for name, value in (("zero", 0), ("one", 1), ("three", 3), ("axis", 1))
    ]
    numbers += [
        helper.make_tensor(name, TensorProto.FLOAT, [1], [value])
        for name, value in (("change", change), ("nothing", 0.0), ("mask", mask))
    ]
    graph = helper.make_graph(
        nodes,
        "swap",
        [helper.make_tensor_value_info("planes", TensorProto.FLOAT, [1, channels, SIDE, SIDE])],
        [helper.make_tensor_value_info("made", TensorProto.FLOAT, [1, 4, *shape[2:]])],
        numbers,
    )
    path = folder / f"swap-{change}-{mask}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return Finisher(openvino.load(path))


def face() -> Face:
    """A mesh whose outline is a circle; all other points are in the middle, the mouth's a little below."""
    points = np.full((468, 3), 100, np.float32)
    turn = np.linspace(0, 2 * np.pi, len(OUTLINE), endpoint=False)
    points[OUTLINE, :2] = 100 + 50 * np.stack([np.sin(turn), -np.cos(turn)], 1)
    points[33, 0], points[263, 0] = 80, 120
    points[INNER_MOUTH, 1] = 120
    return Face(Box.around(points), points, 1.0, 1.0, 1, performer=True)


def moment(number: int) -> Frame:
    return Frame.from_bgr(np.full((200, 200, 3), 60, np.uint8), pts=number * MOMENT)


def with_patch(frame: Frame) -> Frame:
    """A frame with a grey disc to put back, a hole in its middle."""
    box = Box(40, 40, 160, 160)
    solid = np.asarray(cv2.circle(np.zeros((120, 120), np.uint8), (60, 60), 50, 255, -1), np.uint8)
    skin = np.asarray(cv2.circle(solid.copy(), (60, 80), 10, 0, -1), np.uint8)
    pixels = np.full((120, 120, 3), 140, np.uint8)
    frame.patches = (Patch(box, Planes.of_bgr(pixels), skin, face(), skin, solid),)
    return frame


def shown(patch: Patch, frame: Frame) -> Bytes:
    return lay_over(frame.roi(patch.box), patch.picture.bgr(), patch.mask)


def settled(stage: Refine) -> Patch:
    """The patch once the stage has faded in."""
    for number in range(30):
        frame = stage(with_patch(moment(number)))
    return frame.patches[0]


def test_the_change_is_laid_on_the_skin_and_on_eyes_and_mouth(tmp_path: Path) -> None:
    patch = settled(Refine({SIDE: network(tmp_path, change=40 / 255, mask=1.0)}))
    assert np.abs(patch.picture.bgr()[30, 60].astype(int) - 180).max() <= 2
    # In the hole the live picture shows, and is changed too.
    live = moment(0).roi(patch.box)[80, 60].astype(int)
    assert np.abs(patch.picture.bgr()[80, 60] - (live + 40)).max() <= 2
    assert patch.mask[80, 60] == 255


def test_the_mask_never_reaches_beyond_the_face_and_opens_for_what_is_in_front(tmp_path: Path) -> None:
    patch = settled(Refine({SIDE: network(tmp_path, change=0.0, mask=0.125)}))
    assert patch.mask[0, 0] == 0
    assert abs(int(patch.mask[30, 60]) - 64) <= 1


def test_specks_in_the_mask_are_filled_and_large_things_stay() -> None:
    mask = np.ones((256, 256), np.float32)
    mask[40:50, 40:50] = 0.1
    cover = np.full((256, 256), 255, np.uint8)
    assert without_specks(mask, cover).min() == 1
    mask[100:200, :60] = 0
    # A frame of glasses is thin and long.
    mask[60:64, :230] = 0
    found = without_specks(mask, cover)
    assert found[45, 45] == 1
    assert found[150, 40] == 0
    assert found[62, 120] == 0
    # What lies beyond the warp is nobody's business.
    assert without_specks(mask, np.zeros_like(cover)) is mask


def test_what_does_not_come_from_beyond_the_face_is_not_in_front_of_it() -> None:
    mask = np.ones((256, 256), np.float32)
    cover = np.zeros((256, 256), np.uint8)
    cover[30:230, 40:220] = 255
    nose, fringe = (slice(110, 160), slice(110, 150)), (slice(20, 70), slice(60, 190))
    mask[nose] = mask[fringe] = 0
    found = without_specks(mask, cover)
    assert found[nose].min() == 1
    assert found[fringe].max() == 0


def test_it_fades_in_from_what_the_mesh_warp_shows(tmp_path: Path) -> None:
    stage = Refine({SIDE: network(tmp_path, change=40 / 255, mask=1.0)})
    before = shown(with_patch(moment(0)).patches[0], moment(0)).astype(int)
    levels = []
    for number in range(15):
        frame = stage(with_patch(moment(number)))
        picture = shown(frame.patches[0], frame).astype(int)
        levels.append(int(np.abs(picture - before).max()))
    assert levels[0] <= 4
    assert levels == sorted(levels)
    assert max(np.diff(levels)) <= 8
    assert levels[-1] >= 38


def test_off_fades_out_and_then_leaves_the_patch_alone(tmp_path: Path) -> None:
    stage = Refine({SIDE: network(tmp_path, change=40 / 255, mask=1.0)})
    settled(stage)
    stage.rung = OFF
    strengths = []
    for number in range(30, 50):
        frame = with_patch(moment(number))
        patch = frame.patches[0]
        stage(frame)
        strengths.append(stage.strength)
    assert 0.5 < strengths[0] < 1
    assert strengths[-1] == 0
    assert frame.patches[0] is patch


def test_a_restart_shows_the_mesh_warp_first(tmp_path: Path) -> None:
    stage = Refine({SIDE: network(tmp_path, change=40 / 255, mask=1.0)})
    settled(stage)
    stage.restart()
    stage(with_patch(moment(31)))
    assert stage.strength < 0.1


def test_other_faces_are_left_to_the_mesh_warp(tmp_path: Path) -> None:
    stage = Refine({SIDE: network(tmp_path, change=40 / 255, mask=1.0)})
    settled(stage)
    frame = with_patch(moment(31))
    other = replace(frame.patches[0], face=replace(frame.patches[0].face, performer=False))
    frame.patches = (other,)
    assert stage(frame).patches[0] is other


def test_a_network_of_another_contract_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="takes \\(1, 14, S, S\\)"):
        network(tmp_path, change=0.0, mask=1.0, channels=11)


def test_the_finisher_gives_the_network_levels_from_0_to_1(tmp_path: Path) -> None:
    class Recorder:
        device = "recorder"
        inputs: Mapping[str, tuple[int, ...]] = {"planes": (1, CHANNELS, SIDE, SIDE)}
        outputs: Mapping[str, tuple[int, ...]] = {"made": (1, 4, SIDE, SIDE)}

        def run(self, feeds: Mapping[str, Floats]) -> Mapping[str, Floats]:
            self.seen = feeds["planes"].copy()
            return {"made": self.seen[:, :4]}

        def sibling(self) -> Recorder:
            return self

    engine = Recorder()
    live = np.full((SIDE, SIDE, 3), 255, np.uint8)
    keep = kept_alive(face().points * np.float32(SIDE / 200), SIDE)
    Finisher(engine)(net_planes(live, live, keep, keep))
    assert (engine.seen.min(), engine.seen.max()) == (0, 1)


def test_the_tone_slider_moves_the_skin_back_to_the_personas_colours() -> None:
    own = np.full((120, 120, 3), (40, 90, 150), np.uint8)
    own += np.random.default_rng(0).integers(0, 20, own.shape, np.uint8)

    def worn(share: float) -> Bytes:
        frame = with_patch(moment(0))
        frame.patches = (replace(frame.patches[0], picture=Planes.of_bgr(own)),)
        return SkinTone(share)(MatchColour(shading=0.0)(frame)).patches[0].picture.bgr()

    skin = np.s_[20:40, 50:70]
    mine, half, theirs = (worn(share)[skin].mean((0, 1)) for share in (0.0, 0.5, 1.0))
    assert np.abs(theirs - own[skin].mean((0, 1))).max() < 4
    assert np.abs(mine - moment(0).bgr()[100, 100]).max() < 4
    assert np.abs(half - (mine + theirs) / 2).max() < 4
    # The mouth is the performer's at any tone.
    assert np.array_equal(worn(0.0)[78:82, 58:62], worn(1.0)[78:82, 58:62])
