"""From a file to its report: real clips with real marks, the ledger, grants and signatures of an installation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from livefake.clock import monotonic
from livefake.errors import BadMedia, LivefakeError
from livefake.examiner import Examiner
from livefake.trust.grants import GrantBook
from livefake.trust.issuer import issuer_number
from livefake.trust.issuers import IssuerBook
from livefake.trust.provenance import Provenancer
from livefake.trust.verifier import NOT_REAL, Question, Report
from livefake.trust.watermark.code import Payload
from livefake.trust.watermark.embed import Embedder
from tests.clipkit import note_session, pictures, write_clip
from tests.grantkit import DURING, enter

NUMBER = 0x1_2345_6789
FRAMES = 90


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that had a session, and what is left of it."""
    data = tmp_path_factory.mktemp("home")
    marked = pictures(FRAMES, payload(data))
    note_session(data, NUMBER, marked, at=DURING)
    write_clip(data / "marked.mp4", marked)
    cv2.imwrite(str(data / "marked.jpg"), marked[0])
    return data


def payload(data: Path, session: int = NUMBER) -> Payload:
    return Payload(1, issuer_number(data), session)


def verdicts(report: Report) -> dict[str, str]:
    return {str(answer.question): str(answer.verdict) for answer in report.answers}


def examine(data: Path, file: Path, **options: Any) -> Report:
    return Examiner(data, clock=monotonic).examine(file, **options)


def test_a_clip_of_this_installation_is_recognised(home: Path) -> None:
    steps: list[tuple[str, float]] = []
    report = examine(home, home / "marked.mp4", progress=lambda what, share: steps.append((what, share)))
    assert verdicts(report) == dict.fromkeys(["mark", "issuer", "session", "fingerprint", "grant"], "yes") | {
        "c2pa": "no"
    }
    document = report.document()
    assert document["mark"]["payload"] == payload(home).pack().hex()
    assert document["mark"]["places"] == {"looked_at": 3, "marked": 3}
    assert document["mark"]["frames"] < 90, "each place was read no further than its mark"
    assert document["fingerprint"]["distance"] <= 6
    shares = [share for what, share in steps if what == "Looking for the mark"]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1


def test_a_still_of_it_is_recognised(home: Path) -> None:
    report = examine(home, home / "marked.jpg")
    assert report.document()["mark"]["session"] == NUMBER
    assert verdicts(report)["fingerprint"] == "yes"


def test_another_installation_finds_the_mark_and_knows_its_issuer_by_the_address_book(
    home: Path, tmp_path: Path
) -> None:
    report = examine(tmp_path, home / "marked.jpg")
    assert verdicts(report) | {"c2pa": ""} == {
        "mark": "yes",
        "issuer": "no",
        "session": "unknown",
        "fingerprint": "unknown",
        "grant": "unknown",
        "c2pa": "",
    }
    IssuerBook(tmp_path).add(issuer_number(home), "Studio North")
    assert examine(tmp_path, home / "marked.jpg").document()["mark"]["issuer"]["name"] == "Studio North"


def test_an_unmarked_clip_is_never_called_real(home: Path, tmp_path: Path) -> None:
    steps: list[str] = []
    clip = write_clip(tmp_path / "plain.mp4", pictures(45))
    report = examine(home, clip, progress=lambda what, share: steps.append(what))
    assert report.summary == NOT_REAL
    assert verdicts(report)["mark"] == "no"
    assert any("scaled, cut or turned" in step for step in steps), "it was searched for too"


def test_a_clip_that_was_cut_is_found_by_the_search(home: Path, tmp_path: Path) -> None:
    cut = [np.ascontiguousarray(luma[20:668, 90:1242]) for luma in pictures(40, payload(home))]
    report = examine(home, write_clip(tmp_path / "cut.mp4", cut))
    assert report.document()["mark"]["session"] == NUMBER
    assert report.document()["mark"]["scale"] == pytest.approx(720 / 648, rel=0.005)
    assert verdicts(report)["fingerprint"] in {"yes", "unknown"}


def test_a_mirrored_clip_still_fits_its_record(home: Path, tmp_path: Path) -> None:
    mirrored = [np.ascontiguousarray(luma[:, ::-1]) for luma in pictures(30, payload(home))]
    report = examine(home, write_clip(tmp_path / "mirrored.mp4", mirrored))
    assert report.document()["mark"]["mirrored"] is True
    assert verdicts(report)["fingerprint"] == "yes"


def test_a_mark_on_another_picture_does_not_fit(home: Path, tmp_path: Path) -> None:
    other = np.asarray(cv2.resize(pictures(1)[0][100:460, 300:940][::-1], (1280, 720)), np.uint8)
    Embedder(payload(home)).mark(other)
    cv2.imwrite(str(tmp_path / "pasted.png"), other)
    report = examine(home, tmp_path / "pasted.png")
    assert verdicts(report)["mark"] == verdicts(report)["session"] == "yes"
    assert verdicts(report)["fingerprint"] == "alarm"


def test_a_session_that_the_ledger_does_not_know_is_told(home: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "made-up.png"), pictures(1, payload(home, 4711))[0])
    assert verdicts(examine(home, tmp_path / "made-up.png"))["session"] == "alarm"


def test_a_persons_grant_is_looked_up(tmp_path: Path) -> None:
    book = GrantBook(tmp_path)
    grant = enter(book)
    marked = pictures(1, payload(tmp_path))
    note_session(tmp_path, NUMBER, marked, at=DURING, grant=grant.id)
    file = tmp_path / "worn.png"
    cv2.imwrite(str(file), marked[0])
    report = examine(tmp_path, file)
    assert report.document()["grant"] == {"needed": True, "valid_then": True}
    assert grant.id not in str(report.document())
    book.revoke(grant.id, now=DURING - 1)
    assert examine(tmp_path, file).document()["grant"] == {"needed": True, "valid_then": False}
    (tmp_path / "grants" / f"{grant.id}.revoked.json").write_text("damaged")
    assert examine(tmp_path, file).document()["grant"] == {"needed": True, "valid_then": False}


def test_a_changed_ledger_is_not_relied_upon(home: Path, tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    (tmp_path / "issuer.key").write_bytes((home / "issuer.key").read_bytes())
    text = (home / "ledger" / "ledger.jsonl").read_text().replace('"fictional"', '"functional"')
    (tmp_path / "ledger" / "ledger.jsonl").write_text(text)
    report = examine(tmp_path, home / "marked.jpg")
    assert verdicts(report)["session"] == "alarm"
    [sentence] = [answer.sentence for answer in report.answers if answer.question is Question.SESSION]
    assert "cannot be relied upon" in sentence


def test_a_signature_is_an_answer_of_its_own(home: Path, tmp_path: Path) -> None:
    signed = tmp_path / "signed.mp4"
    Provenancer(home).sign(home / "marked.mp4", signed, session=NUMBER, payload=payload(home), grant=None)
    assert verdicts(examine(home, signed))["c2pa"] == "yes"
    assert verdicts(examine(tmp_path, signed))["c2pa"] == "unknown"
    content = bytearray(signed.read_bytes())
    content[-3000] ^= 1
    changed = tmp_path / "changed.mp4"
    changed.write_bytes(content)
    report = examine(home, changed)
    assert report.document()["c2pa"]["state"] == "invalid"
    assert verdicts(report)["mark"] == "yes", "one changed byte is nothing to the mark"


def test_what_is_no_picture_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("Dear reader")
    with pytest.raises(BadMedia, match="upload should be JPEG"):
        examine(home, tmp_path / "text.jpg", name="upload")
    cv2.imwrite(str(tmp_path / "strip.png"), np.zeros((20, 400), np.uint8))
    with pytest.raises(BadMedia, match="times as long as wide"):
        examine(home, tmp_path / "strip.png")


def test_a_damaged_address_book_is_told(tmp_path: Path, home: Path) -> None:
    (tmp_path / "issuers.json").write_text("[]")
    with pytest.raises(LivefakeError, match="names by issuer's number"):
        examine(tmp_path, home / "marked.jpg")
