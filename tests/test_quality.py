from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from livefake.clock import FakeClock, Nanos, milliseconds, monotonic, nanos
from livefake.compose.others import Others
from livefake.faces.performer import Performer
from livefake.faces.smooth import OneEuro, scaled
from livefake.faces.stages import Fit
from livefake.faces.track import Track, Tracks
from livefake.flow.budget import Budget
from livefake.flow.ladder import Ladder, Step
from livefake.flow.pipeline import Pipeline
from livefake.flow.quality import Quality
from livefake.frame import Box, Floats, Frame
from livefake.rig import Rig
from livefake.studio import Studio
from livefake.trust.seal import REQUIRED, Seal
from tests.album import ScriptedStage, a_face, grey_frame
from tests.footage import footage

FRAME = nanos(33.3)


class Line:
    """A pipeline whose network takes as long as its step says, on a machine that is as slow as it is told to be."""

    def __init__(self) -> None:
        self.clock, self.slow = FakeClock(), 1.0
        self.step, self.missed, self.shown = Step(0), 0, 0
        self.budget = Budget(interval=FRAME)
        network = ScriptedStage("refine", vital=False, act=lambda frame: self.spend(self.step.side / 40))
        networks: dict[int, Nanos] = {256: nanos(6.4), 128: nanos(3.2)}
        self.quality = Quality(
            Ladder(networks),
            self.budget,
            network,
            apply=self.take,
            lines=lambda: 720,
            missed=self.miss,
            clock=self.clock,
        )
        stages = [ScriptedStage("vital", act=lambda frame: self.spend(8)), network, ScriptedStage("last", act=finish)]
        self.pipeline = Pipeline(
            stages, Seal(1), self.budget, clock=self.clock, cpu_clock=self.clock, observers=(self.quality,)
        )

    def spend(self, cost: float) -> None:
        self.clock.advance(cost * self.slow)

    def take(self, step: Step) -> None:
        self.step = step

    def miss(self) -> None:
        self.missed += 1

    def run(self, seconds: float) -> None:
        """Frames as a camera brings them; those that come while one is worked on are lost."""
        end, number = self.clock() + nanos(seconds * 1000), self.clock() // FRAME
        while self.clock() < end:
            came, number = number, max(number + 1, self.clock() // FRAME)
            self.clock.advance(milliseconds(max(0, number * FRAME - self.clock())))
            for each in range(came + 1, number + 1):
                self.budget.arrive(each * FRAME)
            if self.quality.takes():
                self.shown += self.pipeline(grey_frame(arrived=self.clock())) is not None


def finish(frame: Frame) -> None:
    frame.faces = (a_face(),)
    frame.done |= REQUIRED


def test_a_machine_that_gets_slower_gives_up_the_network_and_shows_nearly_every_frame() -> None:
    line = Line()
    line.run(2)
    assert line.step == Step(256)
    line.slow, before = 3.2, line.shown
    line.run(3)
    assert line.step.side == 0
    assert line.shown - before > 70
    line.slow = 1.0
    line.run(40)
    assert line.step == Step(256)


def test_a_stage_that_had_to_be_left_out_is_fallen_for_and_comes_back() -> None:
    """Its cost is not learned while it does not run: without care it would stay out for ever."""
    line = Line()
    line.run(2)
    line.slow = 4.0
    line.run(4)
    line.slow = 1.0
    line.run(60)
    assert line.step == Step(256)
    missed = line.missed
    line.run(2)
    assert line.missed == missed


def test_at_the_last_step_every_second_frame_is_worked_on() -> None:
    line = Line()
    line.slow = 5.5
    line.run(5)
    assert line.step.every == 2
    before, skipped = line.shown, line.quality.skipped
    line.run(3)
    assert line.shown - before == pytest.approx(45, abs=3)
    assert line.quality.skipped - skipped == pytest.approx(45, abs=3)


def test_another_network_is_taken_between_two_frames() -> None:
    line = Line()
    line.run(2)
    line.quality.change({})
    assert line.step == Step(256)
    line.quality.takes()
    assert line.step == Step(0)


def points() -> Floats:
    return np.random.default_rng(0).uniform(100, 300, (468, 3)).astype(np.float32)


def test_points_keep_their_place_in_a_picture_of_another_size() -> None:
    """The corner of a picture lies half a pixel before its first pixel's middle."""
    corners = np.array([[-0.5, -0.5, 0], [1279.5, 719.5, 10]], np.float32)
    assert np.allclose(scaled(corners, 0.5, 0.5), [[-0.5, -0.5, 0], [639.5, 359.5, 5]])
    assert np.allclose(scaled(scaled(points(), 0.75, 0.75), 4 / 3, 4 / 3), points(), atol=1e-3)


def test_a_track_looks_at_the_same_crop_of_a_smaller_picture() -> None:
    tracks = Tracks()
    crop = np.array([[0.4, 0.1, -30], [-0.1, 0.4, 12]], np.float32)
    tracks._tracks.append(Track(1, crop, 0.9, Box(100, 100, 200, 240), points=points(), smooth=OneEuro()))
    [track] = tracks
    before = crop @ [250.0, 180.0, 1.0]
    tracks.rescale(0.5, 0.5)
    [x, y] = scaled(np.array([[250, 180]], np.float32), 0.5, 0.5)[0]
    assert np.allclose(track.crop @ [x, y, 1.0], before, atol=1e-3)
    assert track.box == Box(50, 50, 100, 120)


def test_a_smaller_picture_is_shown_under_the_same_grant_and_checks_as_before() -> None:
    stage, frame = Fit(Tracks(), Performer()), grey_frame(width=640, height=480)
    stage.lines = 360
    frame.done.update({"consent", "record"})
    frame.grant, frame.taken = "a grant", 7
    smaller = stage(frame)
    assert (smaller.width, smaller.height) == (480, 360)
    assert smaller.done == {"consent", "record"}
    assert (smaller.grant, smaller.taken, smaller.instant) == ("a grant", 7, frame.instant)


def test_a_picture_is_made_smaller_and_its_time_stays() -> None:
    stage = Fit(Tracks(), Performer())
    frame = Frame(np.full((1080, 1280), 77, np.uint8), 1234, 99, Fraction(1, 1000))
    assert stage(frame) is frame
    stage.lines = 540
    small = stage(frame)
    assert (small.width, small.height, small.pts, small.arrived) == (960, 540, 1234, 99)
    assert small.time_base == Fraction(1, 1000)
    assert (small.y == 77).all()
    upright = stage(Frame(np.full((1920, 720), 77, np.uint8), 0, 0))
    assert (upright.width, upright.height) == (540, 960)
    little = Frame(np.full((540, 640), 77, np.uint8), 0, 0)
    assert stage(little) is little


def unhurried(studio: Studio) -> Rig:
    """A rig for which no frame is ever late."""
    return studio.rig(
        "mara",
        session=1,
        others=Others.BLUR,
        budget=Budget(learning=False, interval=10**12, patience=1e6, ceiling=10**18),
        clock=monotonic,
        cpu_clock=monotonic,
    )


@pytest.mark.models
def test_every_step_shows_the_face_and_no_frame_is_lost_between_two(studio: Studio) -> None:
    rig = unhurried(studio)
    steps = (Step(128), Step(0, 16), Step(0, 16, 540), Step(0, 16, 360), Step(0), Step(0, 16, 360), Step(192))
    sizes, boxes = [], []
    for number, frame in enumerate(footage(4 * len(steps))):
        if number % 4 == 0:
            rig._take_step(steps[number // 4])
        sealed = rig(frame)
        assert sealed is not None
        picture = sealed.frame
        sizes.append((picture.width, picture.height))
        [face] = picture.faces
        assert face.track == 1
        boxes.append(face.box.height / picture.height)
    assert set(sizes[8:12]) == {(960, 540)}
    assert set(sizes[12:16]) == {(640, 360)}
    assert sizes[0] == sizes[-1] == (1280, 720)
    assert np.abs(np.diff(boxes)).max() < 0.03
    rig._take_step(Step(0, 16, 360, 2))
    assert rig.quality == "mesh warp alone"


@pytest.mark.models
def test_the_size_stays_while_a_film_is_made_of_it(studio: Studio) -> None:
    rig = unhurried(studio)
    filming = True
    rig.keep_size_while(lambda: filming)
    sizes = []
    for number, frame in enumerate(footage(8)):
        if number % 4 == 0:
            rig._take_step(Step(0, 16, 360))
        sealed = rig(frame)
        assert sealed is not None
        sizes.append(sealed.frame.height)
        filming = number < 3
    assert sizes[:4] == [sizes[0]] * 4
    assert sizes[0] > 360
    assert sizes[4:] == [360] * 4
