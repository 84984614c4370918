"""The stages that find faces: ``Fit``, ``Detect``, ``ReadLandmarks``, ``Follow``. One set of them a session."""

from __future__ import annotations

from dataclasses import replace

from livefake.faces.detect import Detector
from livefake.faces.landmarks import LandmarkNet
from livefake.faces.performer import Performer
from livefake.faces.track import Tracks
from livefake.frame import Drop, Face, Frame

__all__ = ["Detect", "Fit", "Follow", "ReadLandmarks"]


class Fit:
    """Makes a picture smaller for a machine that cannot keep up with all of it; everything after works on that.

    What is known about the faces is carried over, so that nobody is lost when the size changes.

    Args:
        tracks, performer: shared with the other stages.

    Attributes:
        lines: the most that the shorter side of a picture may have, 0 for any number; may be set from another thread.
        source_lines: how many the shorter side of the newest picture had; 0 before the first.
    """

    name = "fit"
    vital = True

    def __init__(self, tracks: Tracks, performer: Performer) -> None:
        self._tracks = tracks
        self._performer = performer
        self._came: tuple[int, int] | None = None
        self._size: tuple[int, int] | None = None
        self.lines = 0
        self.source_lines = 0

    def __call__(self, frame: Frame) -> Frame:
        """The frame itself where it is small enough."""
        self.source_lines = min(frame.width, frame.height)
        came, lines = (frame.width, frame.height), self.lines
        share = min(1.0, lines / min(came)) if lines else 1.0
        size = came if share == 1.0 else (round(came[0] * share / 2) * 2, round(came[1] * share / 2) * 2)
        if self._came == came and self._size not in (None, size):
            # Only what changed here: a camera that changes its size may show another part of the room.
            width, height = self._size
            self._tracks.rescale(size[0] / width, size[1] / height)
            self._performer.rescale(size[0] / width, size[1] / height)
        self._came, self._size = came, size
        if size == came:
            return frame
        # All else stays, above all under whose grant it is shown and what has been checked.
        return replace(frame, i420=frame.shrunk(size).i420)


class Detect:
    """Looks over the whole picture: at the start, after a loss, and every n-th frame.

    Args:
        detector: finds faces in a frame.
        tracks: shared with the other two stages.
        interval: frames from one detection to the next while everybody is being followed.

    Attributes:
        interval: may be set between two frames.
        searching: whether every frame is looked over.
    """

    name = "detect"
    vital = True

    def __init__(self, detector: Detector, tracks: Tracks, *, interval: int = 8) -> None:
        self._detector = detector
        self._tracks = tracks
        self._wait = 0
        self.interval = interval
        self.searching = True

    def __call__(self, frame: Frame) -> Frame:
        if self._wait <= 0 or self.searching:
            self._tracks.offer(self._detector(frame))
            self._wait = self.interval
        self._wait -= 1
        return frame


class ReadLandmarks:
    """Reads the mesh of every face that is followed, each in its own crop.

    Args:
        net: the landmark network.
        tracks: shared with the other two stages.
    """

    name = "landmarks"
    vital = True

    def __init__(self, net: LandmarkNet, tracks: Tracks) -> None:
        self._net = net
        self._tracks = tracks

    def __call__(self, frame: Frame) -> Frame:
        size, at = (frame.width, frame.height), frame.instant
        for track in self._tracks:
            self._tracks.update(track, self._net(frame, track.crop), size, at)
        self._tracks.merge()
        return frame


class Follow:
    """Names the performer and hands the faces on with the frame.

    Args:
        tracks: shared with the other two stages.
        performer: remembers whose face is replaced.
        detect: told to search in every frame while the performer is lost.
    """

    name = "track"
    vital = True

    def __init__(self, tracks: Tracks, performer: Performer, detect: Detect) -> None:
        self._tracks = tracks
        self._performer = performer
        self._detect = detect

    def __call__(self, frame: Frame) -> Frame:
        """Set ``frame.faces``.

        Raises:
            Drop: the performer is not in the picture.
        """
        seen = [(track, track.points) for track in self._tracks if track.points is not None]
        chosen = self._performer.choose([(track.number, track.box) for track, _ in seen], frame.instant)
        self._detect.searching = chosen is None
        frame.faces = tuple(
            Face(track.box, points, track.score, track.presence, track.number, track.number == chosen)
            for track, points in seen
        )
        if chosen is None:
            raise Drop("performer left" if self._performer.needs_resume(frame.instant) else "no face")
        return frame
