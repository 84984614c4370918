from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livefake.clock import monotonic
from livefake.errors import BadInput
from livefake.training.personal.parcel import NOTE, open_parcel, write_parcel
from tests.personalkit import PACK, some_takes

LIMITS = {"a.bin": 100, "b.bin": 100}


def a_parcel(path: Path, **files: bytes) -> Path:
    write_parcel(path, {"kind": "test"}, {f"{name}.bin": content for name, content in files.items()})
    return path


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    other = path.with_name("changed.zip")
    with zipfile.ZipFile(other, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return other


def test_a_parcel_comes_out_as_it_went_in(tmp_path: Path) -> None:
    path = a_parcel(tmp_path / "one.zip", a=b"1", b=b"22")
    note, files = open_parcel(path, LIMITS)
    assert note["kind"] == "test"
    assert files == {"a.bin": b"1", "b.bin": b"22"}
    assert path.read_bytes() == a_parcel(tmp_path / "two.zip", a=b"1", b=b"22").read_bytes()


@pytest.mark.parametrize("name", ["../evil.py", "/etc/passwd", "c.bin", "a.bin/", "..\\evil.py"])
def test_a_name_that_is_not_expected_is_refused(tmp_path: Path, name: str) -> None:
    path = rewritten(a_parcel(tmp_path / "one.zip", a=b"1"), lambda files: files.update({name: b"x"}))
    with pytest.raises(BadInput, match="it holds"):
        open_parcel(path, LIMITS)


def test_a_changed_missing_or_huge_file_is_refused(tmp_path: Path) -> None:
    path = a_parcel(tmp_path / "one.zip", a=b"1", b=b"2")
    for change, words in (
        (lambda files: files.update({"a.bin": b"x"}), "changed"),
        (lambda files: files.pop("b.bin"), "changed"),
        (lambda files: files.pop(NOTE), "once"),
        (lambda files: files.update({"a.bin": bytes(101)}), "100 bytes at most"),
        (lambda files: files.update({NOTE: b"[]"}), "schema"),
        (lambda files: files.update({NOTE: b"{"}), "cannot be taken"),
    ):
        with pytest.raises(BadInput, match=words):
            open_parcel(rewritten(path, change), LIMITS)


def test_what_unpacks_to_more_than_it_may_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NOTE, "{}")
        archive.writestr("a.bin", bytes(50_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(BadInput, match="at most"):
        open_parcel(path, LIMITS)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nothing", b"not a zip"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "one.zip"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="cannot be taken"):
        open_parcel(path, LIMITS)
    with pytest.raises(BadInput, match="cannot be taken"):
        open_parcel(tmp_path / "missing.zip", LIMITS)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A job and its result, on small networks."""
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'livefake[train]'")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from livefake.training.losses import Shares
    from livefake.training.nets import Widths
    from livefake.training.personal.job import Job
    from livefake.training.personal.jobs import GrantNote, pack_job, run_job
    from livefake.training.trainer import Trainer

    folder = tmp_path_factory.mktemp("job")
    pack = folder / "anna"
    pack.mkdir()
    for name in ("face.png", "landmarks.npy"):
        shutil.copy(PACK / name, pack / name)
    start = folder / "general.pt"
    Trainer(Widths(8, 8, 8, 8, 8), Shares(), peak=1e-3, seed=0, device="cpu").save(start)
    job = Job(
        takes=some_takes(folder / "takes"), pack=pack, start=start, folder=folder, minutes=60, batch=4, steps=30,
        side=64, peak=5e-3,
    )  # fmt: skip
    archive, result = folder / "job.zip", folder / "result.zip"
    pack_job(job, archive, grant=GrantNote("0123456789abcdef", "ab" * 32))
    run_job(archive, result, work=folder / "work", threads=1, device="cpu", clock=monotonic, tell=lambda _: None)
    return archive, result


def test_a_job_carries_no_template_no_names_and_of_the_grant_its_id_and_hash(
    done: tuple[Path, Path], tmp_path: Path
) -> None:
    from livefake.training.footage.takes import Takes

    with zipfile.ZipFile(done[0]) as archive:
        assert sorted(archive.namelist()) == ["face.png", "landmarks.npy", NOTE, "start.pt", "takes.npz"]
        archive.extract("takes.npz", tmp_path)
        note = json.loads(archive.read(NOTE))
    takes = Takes(tmp_path)
    assert not takes.embeddings.any()
    assert {take.file for take in takes} == {"footage-0"}
    assert note["grant"] == {"id": "0123456789abcdef", "sha256": "ab" * 32}
    assert not any(str(Path.home()) in str(value) or "/" in str(value) for value in note["job"].values())


def test_pictures_of_the_turned_head_travel_too(done: tuple[Path, Path], tmp_path: Path) -> None:
    from livefake.swap.persona import view_files
    from livefake.training.personal.job import Job
    from livefake.training.personal.jobs import pack_job

    folder = done[0].parent
    pack = Path(shutil.copytree(folder / "anna", tmp_path / "anna", ignore=shutil.ignore_patterns("refine*")))
    for name, source in zip(view_files("left"), ("face.png", "landmarks.npy"), strict=True):
        shutil.copy(pack / source, pack / name)
    job = Job(folder / "takes", pack, folder / "general.pt", tmp_path, 1)
    plain = pack_job(replace(job, pack=folder / "anna"), tmp_path / "plain.zip")
    assert pack_job(job, tmp_path / "job.zip") != plain
    with zipfile.ZipFile(tmp_path / "job.zip") as archive:
        assert set(view_files("left")) < set(archive.namelist())


def test_a_result_is_checked_and_its_network_is_made_anew(done: tuple[Path, Path], tmp_path: Path) -> None:
    from livefake.engine import onnx
    from livefake.training.personal.jobs import take_result

    archive, result = done
    taken = take_result(result, archive, tmp_path / "in")
    assert taken.kept, taken.words
    assert taken.network == tmp_path / "in" / "refine.onnx"
    assert (tmp_path / "in" / "sheet.jpg").exists()
    tuned, general = taken.scores["tuned"]["error"], taken.scores["general"]["error"]
    assert tuned is not None
    assert general is not None
    assert tuned < general
    planes = {"planes": np.full((1, 14, 64, 64), 0.3, np.float32)}
    with zipfile.ZipFile(result) as sent:
        sent.extract("refine.onnx", tmp_path)
    one, other = (onnx.load(path).run(planes)["made"] for path in (taken.network, tmp_path / "refine.onnx"))
    assert np.abs(one - other).max() < 0.01


def repacked(result: Path, path: Path, change: Callable[[dict[str, Any], dict[str, bytes]], None]) -> Path:
    """A result whose hashes are right and whose content is not."""
    note, files = open_parcel(result, {"refine.onnx": 10**9, "sheet.jpg": 10**9})
    change(note, files)
    write_parcel(path, note, files)
    return path


def test_a_result_that_is_not_what_it_says_is_refused(done: tuple[Path, Path], tmp_path: Path) -> None:
    import onnx

    from livefake.training.personal.jobs import take_result

    archive, result = done

    def broken(note: dict[str, Any], files: dict[str, bytes]) -> None:
        model = onnx.load_from_string(files["refine.onnx"])
        bias = next(item for item in model.graph.initializer if item.name == "deep.0.0.bias")
        bias.CopyFrom(onnx.numpy_helper.from_array(np.full(8, np.nan, np.float16), bias.name))
        files["refine.onnx"] = model.SerializeToString()

    for number, (change, words) in enumerate(
        (
            (lambda note, _: note.update(job="0" * 64), "answers another"),
            (lambda note, _: note.update(kept=False), "should hold a network"),
            (lambda note, _: note["scores"]["tuned"].update(error=float("nan")), "is no number"),
            (lambda note, _: note.update(scores={}), "scores"),
            (lambda _, files: files.update({"refine.onnx": b"\x08\x01"}), "swap network"),
            (broken, "finite"),
        )
    ):
        with pytest.raises(BadInput, match=words):
            take_result(repacked(result, tmp_path / f"{number}.zip", change), archive, tmp_path / "in")
    assert not (tmp_path / "in" / "refine.onnx").exists()


def test_the_commands_refuse_what_may_be_a_person_without_a_grant(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from livefake.cli.train_job import app
    from livefake.errors import ConsentError

    shutil.copytree(PACK, tmp_path / "anna", ignore=shutil.ignore_patterns("persona.toml"))
    words = ["pack", str(tmp_path / "job.zip"), "--takes", str(tmp_path), "--persona", str(tmp_path / "anna")]
    found = CliRunner().invoke(app, [*words, "--start", str(tmp_path / "start.pt")])
    assert isinstance(found.exception, ConsentError)
    assert "grant" in str(found.exception)
    assert not (tmp_path / "job.zip").exists()
