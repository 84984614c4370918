"""Fine-tuning on a rented machine without a network connection: one archive out, one archive back.

Out go the takes without their embeddings and file names, the pack's pictures and landmarks, the general network's
weights, and of the grant its id and hash. What comes back is not believed: only numbers are taken from the network
in it, and the file that is run is made from them here.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from livefake.clock import Clock
from livefake.errors import BadInput
from livefake.swap.guide import CHANNELS
from livefake.swap.persona import SIDES, view_files
from livefake.training.footage.takes import EMBEDDING, Takes, write_takes
from livefake.training.personal.finetune import finetune
from livefake.training.personal.job import NETWORK, SHEET, Job, Progress
from livefake.training.personal.parcel import open_parcel, write_parcel
from livefake.training.personal.store import write_network
from livefake.training.personal.weights import read_network, widths_of

__all__ = ["GrantNote", "Taken", "pack_job", "run_job", "take_result"]

_MB: Final = 1_000_000
_PICTURES: Final = ("face.png", "landmarks.npy")
_TURNED: Final = tuple(name for side in SIDES for name in view_files(side))
"""Pictures of the turned head, which a pack may have."""
_SENT: Final = {"takes.npz": 2000 * _MB, "face.png": 32 * _MB, "landmarks.npy": _MB, "start.pt": 200 * _MB}
_OUT: Final = _SENT | dict.fromkeys(_TURNED, 32 * _MB)
_BACK: Final = {NETWORK: 200 * _MB, SHEET: 32 * _MB}
_KEPT: Final = ("minutes", "batch", "seed", "steps", "side", "peak", "save_every", "show_every")
"""Settings of a job that travel; folders, threads and device are the other machine's."""
_TRIAL_SIDE: Final = 64


@dataclass(frozen=True, slots=True)
class GrantNote:
    """Which grant the work is done under; nothing that could be used as one.

    Attributes:
        id: of the grant.
        sha256: of what was signed.
    """

    id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A result that was checked.

    Attributes:
        kept: whether there is a network that is better than the general one.
        network: where it was written; None if there is none.
        scores: by network and name, as the other machine says.
        words: which network it kept and why, as it says.
    """

    kept: bool
    network: Path | None
    scores: Mapping[str, Mapping[str, float | None]]
    words: str


def pack_job(job: Job, archive: Path, *, grant: GrantNote | None = None) -> str:
    """Write the archive that goes out.

    Args:
        job: what is to be done; its folder, pairs, threads and device stay here.
        archive: where to, ``.zip``.
        grant: of the person; None for somebody who does not exist.

    Returns:
        The job's number, which its result must name: a SHA-256.

    Raises:
        BadInput: takes, pack or network cannot be used, or the archive cannot be written.
    """
    net = read_network(job.start)
    weights = io.BytesIO()
    torch.save({"widths": asdict(widths_of(net)), "average": net.state_dict()}, weights)
    try:
        turned = [name for name in _TURNED if (job.pack / name).exists()]
        files = {name: (job.pack / name).read_bytes() for name in (*_PICTURES, *turned)}
    except OSError as error:
        raise BadInput(f"The pack {job.pack} cannot be read: {error}.") from error
    files |= {"takes.npz": _nameless(job.takes), "start.pt": weights.getvalue()}
    note = {
        "kind": "job",
        "job": {name: getattr(job, name) for name in _KEPT},
        "grant": None if grant is None else asdict(grant),
    }
    write_parcel(archive, note, files)
    return _number(*open_parcel(archive, _OUT))


def run_job(
    archive: Path,
    result: Path,
    *,
    work: Path,
    threads: int,
    device: str,
    clock: Clock,
    tell: Callable[[Progress], None],
) -> Taken:
    """Do a job on this machine, or go on with it, and write the archive that goes back.

    Args:
        archive: as ``pack_job`` writes it.
        result: where to, ``.zip``.
        work: folder for checkpoints and previews; the same one goes on with a job that was stopped.
        threads, device: of this machine.
        clock: monotonic.
        tell: called after every step.

    Raises:
        BadInput: the archive cannot be taken, or the work folder holds another job.
    """
    note, files = _opened(archive)
    number = _number(note, files)
    try:
        settings = {name: note["job"][name] for name in _KEPT}
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in settings.values()):
            raise ValueError("a setting is no number")
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"The job in {archive} cannot be done: {error}.", "Pack it again.") from error
    places = {"takes.npz": "takes/takes.npz", "start.pt": "start.pt"}
    for name, content in files.items():
        path = work / places.get(name, f"pack/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    job = Job(
        takes=work / "takes",
        pack=work / "pack",
        start=work / "start.pt",
        folder=work / "run",
        threads=threads,
        device=device,
        **settings,
    )
    done = finetune(job, clock=clock, tell=tell)
    back = {SHEET: (job.folder / SHEET).read_bytes()}
    if done.network is not None:
        back[NETWORK] = done.network.read_bytes()
    scores = {name: asdict(one) for name, one in done.scores.items()}
    write_parcel(
        result, {"kind": "result", "job": number, "kept": done.kept, "scores": scores, "words": done.words}, back
    )
    return Taken(done.kept, done.network, scores, done.words)


def take_result(result: Path, archive: Path, folder: Path) -> Taken:
    """Check what came back and write its network and preview into a folder.

    Args:
        result: as ``run_job`` writes it.
        archive: the job that it answers, as it went out.
        folder: for ``refine.onnx``, made anew from the weights, and ``sheet.jpg``.

    Raises:
        BadInput: the result is damaged, too large, of another job, of another network, or no number in places.
        EngineError: the network made from it does not run as it should.
    """
    note, files = open_parcel(result, _BACK)
    job, sent = _opened(archive)
    if note.get("kind") != "result" or note.get("job") != _number(job, sent):
        raise BadInput(f"{result} should answer the job in {archive}, it answers another.", "Fetch the right one.")
    kept, words = note.get("kept"), str(note.get("words", ""))[:500]
    scores = _scores(note.get("scores"), result)
    if not isinstance(kept, bool) or kept != (NETWORK in files):
        raise BadInput(f"{result} should hold a network if it says that one is kept, and none otherwise.")
    folder.mkdir(parents=True, exist_ok=True)
    network = folder / NETWORK if kept else None
    if network is not None:
        _rebuild(files[NETWORK], sent["start.pt"], network, note["job"])
    if SHEET in files:
        (folder / SHEET).write_bytes(files[SHEET])
    return Taken(kept, network, scores, words)


def _opened(archive: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    note, files = open_parcel(archive, _OUT)
    if note.get("kind") != "job" or not _SENT.keys() <= files.keys():
        raise BadInput(f"{archive} should be a job with {', '.join(_SENT)}.", "Run: livefake train job pack")
    return note, files


def _number(note: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    """What tells one job from another: its note, which names the hash of every file."""
    return hashlib.sha256(json.dumps([note, sorted(files)], sort_keys=True).encode()).hexdigest()


def _nameless(folder: Path) -> bytes:
    """The takes without what tells whose face it is, and without the names of the user's files."""
    takes = Takes(folder)
    names: dict[str, str] = {}
    bare = []
    for take in takes:
        name = names.setdefault(take.file, f"footage-{len(names)}")
        bare.append(replace(take, file=name, embedding=np.zeros(EMBEDDING, np.float32)))
    with tempfile.TemporaryDirectory(prefix="livefake-") as place:
        write_takes(Path(place), bare)
        return (Path(place) / "takes.npz").read_bytes()


def _scores(found: object, result: Path) -> dict[str, dict[str, float | None]]:
    try:
        if not isinstance(found, dict) or not {"general", "tuned"} <= found.keys() or len(found) > 8:
            raise ValueError("scores of both networks are missing")
        return {
            str(name): {str(key): None if value is None else _finite(value) for key, value in one.items()}
            for name, one in found.items()
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise BadInput(f"The scores in {result} cannot be used: {error}.") from error


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _rebuild(content: bytes, start: bytes, network: Path, number: str) -> None:
    """Write a network from the weights in a file that is not trusted: its graph is never run."""
    with tempfile.TemporaryDirectory(prefix="livefake-") as place:
        arrived, sent = Path(place) / NETWORK, Path(place) / "start.pt"
        arrived.write_bytes(content)
        sent.write_bytes(start)
        net, general = read_network(arrived), read_network(sent)
    if widths_of(net) != widths_of(general):
        raise BadInput(f"The network that came back should be of {widths_of(general)}, it is of {widths_of(net)}.")
    random = np.random.default_rng(0)
    planes = random.integers(0, 256, (2, CHANNELS, _TRIAL_SIDE, _TRIAL_SIDE), np.uint8)
    facts = {"title": "livefake swap network, fine-tuned on a consented person's footage elsewhere", "job": number}
    write_network(net, network, facts, planes)
