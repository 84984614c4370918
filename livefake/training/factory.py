"""Many processes that render shards, and a folder of them that can be continued at any time."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Final

from livefake.errors import BadInput, LivefakeError
from livefake.training.answer import Answer
from livefake.training.samples import is_whole, write_shard
from livefake.training.synth import SHARD, TEST, Workshop, make_shard, split_of

__all__ = ["Order", "missing_shards", "render_shards", "shard_path", "shards_for"]

_PLAN: Final = "plan.json"


@dataclass(frozen=True, slots=True)
class Order:
    """A set of samples.

    Attributes:
        kit: folder of the head kit.
        weights: file of the landmark network.
        mesh: file of the mesh's triangles.
        folder: where the shards go.
        shards: how many.
        size: side of the crops, pixels.
        seed: of everything that is random.
        answer: which right answer the samples give.
    """

    kit: Path
    weights: Path
    mesh: Path
    folder: Path
    shards: int
    size: int
    seed: int
    answer: Answer = Answer.SHAPE


def shards_for(pairs: int) -> int:
    """How many shards hold so many pairs."""
    return -(-pairs // SHARD)


def shard_path(folder: Path, shard: int) -> Path:
    """Where a shard lies; its name says which split it belongs to."""
    return folder / f"{'test' if split_of(shard) is TEST else 'train'}-{shard:05d}.npz"


def missing_shards(folder: Path, shards: int) -> list[int]:
    """The shards that are not there or were cut, in order."""
    return [shard for shard in range(shards) if not is_whole(shard_path(folder, shard))]


def render_shards(order: Order, *, workers: int) -> Iterator[int]:
    """Render what is missing.

    Args:
        order: what to render.
        workers: processes.

    Yields:
        The number of each shard as it is finished.

    Raises:
        BadInput: the folder holds shards that were made with another seed or size, or the kit cannot be read.
        LivefakeError: a process was ended from outside.
        OSError: a file cannot be written.
    """
    _claim(order)
    waiting = iter(missing_shards(order.folder, order.shards))
    # Spawned, not forked: the inference engine has threads that do not survive a fork.
    context = multiprocessing.get_context("spawn")
    # Closed when this is interrupted or, in whatever way, this process ends; then every worker ends.
    leash, held = context.Pipe(duplex=False)
    with leash, held, ProcessPoolExecutor(workers, context, _on_leash, (leash,)) as pool:
        running: dict[Future[None], int] = {}
        try:
            while True:
                # Two in hand for each worker: none waits, and Ctrl-C has little to wait for.
                while len(running) < 2 * workers and (shard := next(waiting, None)) is not None:
                    running[pool.submit(_render, order, shard)] = shard
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    future.result()
                    yield running.pop(future)
        except BrokenProcessPool as error:
            raise LivefakeError(
                "A rendering process was ended from outside, most often for lack of memory.",
                "Start again with fewer --workers; finished files stay.",
            ) from error
        except BaseException:
            held.close()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _claim(order: Order) -> None:
    """Write down how a folder is made, or compare with what is written there."""
    plan: dict[str, int | str] = {"size": order.size, "seed": order.seed, "shard": SHARD}
    if order.answer is not Answer.SHAPE:
        plan["answer"] = order.answer.value
    path = order.folder / _PLAN
    order.folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(plan) + "\n", "utf-8")
        os.replace(part, path)
        return
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", "Choose another folder with --out.") from error
    if found != plan:
        raise BadInput(
            f"The samples in {order.folder} were made with {found}, and {plan} was asked for.",
            "Choose another folder with --out, or the same seed and size.",
        )


@cache
def _workshop(order: Order) -> Workshop:
    """What a worker process keeps between shards: opened once, at its first one."""
    import cv2

    from livefake.engine import openvino
    from livefake.faces.landmarks import LandmarkNet
    from livefake.swap.mesh import read_triangles
    from livefake.training.headkit import read_headkit

    # One process a core: threads inside would only get in each other's way.
    cv2.setNumThreads(1)
    return Workshop(
        kit=read_headkit(order.kit),
        landmarks=LandmarkNet(openvino.load(order.weights, exact=True)),
        triangles=read_triangles(order.mesh),
        size=order.size,
        seed=order.seed,
        answer=order.answer,
    )


def _on_leash(leash: Connection) -> None:
    """Prepare a worker: it ends at once, its half-written file removed, when the other end of the leash is closed."""
    # Ctrl-C reaches every process of a terminal; the one that hands out the work decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)

    def watch() -> None:
        leash.poll(None)
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=watch, daemon=True).start()


def _leave(*_: object) -> None:
    raise SystemExit


def _render(order: Order, shard: int) -> None:
    try:
        write_shard(shard_path(order.folder, shard), make_shard(_workshop(order), shard))
    except SystemExit:
        # The pool would answer with it and wait for more work.
        os._exit(0)
