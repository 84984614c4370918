"""The networks that every session needs, opened on a thread of their own while the rest of the program is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from livefake.engine.base import Engine
from livefake.engine.factory import SwapFiles, engines, open_swap_engine
from livefake.engine.gpu import find_gpu
from livefake.engine.weights import Weights
from livefake.swap.finisher import swap_shapes
from livefake.swap.guide import CHANNELS

__all__ = ["SIDES", "Networks", "open_swap"]

SIDES: Final = (256, 192, 128)
"""Of the swap network's crop, pixels: the first steps of quality."""


class Networks:
    """Detector, landmarks and the general swap network; whoever asks for one waits until it is open.

    OpenVINO lets other threads run while it compiles, and the imports of a service take as long.

    Args:
        weights: the model files, all of them there.
        cache: folder that may be written.
    """

    def __init__(self, weights: Weights, cache: Path) -> None:
        pool = ThreadPoolExecutor(1, "networks")

        def find(name: str, exact: bool) -> Engine:
            return engines(cache, exact=exact).load(weights.path(name))

        def swap(side: int) -> Engine:
            gpu = find_gpu()
            half = None if gpu is None else weights.path("refine")
            return open_swap(SwapFiles(half, weights.path("refine-int8")), side, cache)

        self._detector: Future[Engine] = pool.submit(find, "face-detector", exact=False)
        self._landmarks: Future[Engine] = pool.submit(find, "face-mesh", exact=True)
        self._swap = {side: pool.submit(partial(swap, side)) for side in SIDES}
        pool.shutdown(wait=False)

    @property
    def detector(self) -> Engine:
        """Finds faces.

        Raises:
            LivefakeError: it cannot be opened; so do the others.
        """
        return self._detector.result()

    @property
    def landmarks(self) -> Engine:
        """Reads the mesh of a face."""
        return self._landmarks.result()

    @property
    def swap(self) -> Mapping[int, Engine]:
        """The general swap network by the side of its crop."""
        return {side: opening.result() for side, opening in self._swap.items()}


def open_swap(files: SwapFiles, side: int, cache: Path) -> Engine:
    """A swap network for crops of one size.

    Args:
        files: the network.
        side: of the crop, pixels.
        cache: folder that may be written.

    Raises:
        EngineError: it cannot be opened.
    """
    shapes = {"planes": (1, CHANNELS, side, side)}
    own = swap_shapes(files.processor, side)
    return open_swap_engine(files, shapes=shapes, processor_shapes=own, cache=cache, gpu=find_gpu()).engine
