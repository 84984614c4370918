from __future__ import annotations

import http.server
import json
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import c2pa
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livefake.errors import BadMedia, LivefakeError
from livefake.trust.chain import own_chain, trusted_anchors
from livefake.trust.manifest import actions_in, claim, payload_in, receipt
from livefake.trust.provenance import OFFLINE, Provenancer, State, read_provenance
from livefake.trust.watermark import Payload
from tests.grantkit import signed

NOW = 1_800_000_000.0
MARK = Payload(version=1, issuer=0x123456, session=77)


def picture(path: Path) -> Path:
    noise = np.random.default_rng(1).integers(0, 255, (64, 96, 3), np.uint8)
    assert cv2.imwrite(str(path), noise)
    return path


def clip(path: Path, flags: str = "+faststart") -> Path:
    with av.open(str(path), "w", format="mp4", options={"movflags": flags}) as container:
        video = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        for index in range(20):
            noise = np.random.default_rng(index).integers(0, 255, (96, 96), np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(noise, format="yuv420p")))
        container.mux(video.encode(None))
    return path


@pytest.fixture
def provenancer(tmp_path: Path) -> Provenancer:
    return Provenancer(tmp_path / "data")


def sign(provenancer: Provenancer, source: Path, target: Path, **changes: Any) -> Path:
    provenancer.sign(source, target, **{"session": 77, "payload": MARK, "grant": None, **changes})
    return target


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.mp4", "fragments.mp4"])
def test_what_was_signed_here_is_valid_here_and_a_strangers_elsewhere(
    name: str, provenancer: Provenancer, tmp_path: Path
) -> None:
    flags = "frag_keyframe+empty_moov+default_base_moof" if "frag" in name else "+faststart"
    source = clip(tmp_path / name, flags) if name.endswith("mp4") else picture(tmp_path / name)
    content = source.read_bytes()
    target = sign(provenancer, source, tmp_path / f"signed-{name}")
    assert source.read_bytes() == content
    found = read_provenance(target, trusted=provenancer.trusted)
    assert found.state is State.VALID
    assert found.signer in found.reason
    assert (found.session, found.payload) == (77, MARK)
    assert found.actions == ("c2pa.created", "c2pa.watermarked.bound")
    for trusted in ("", Provenancer(tmp_path / "other").trusted):
        stranger = read_provenance(target, trusted=trusted)
        assert stranger.state is State.UNTRUSTED
        assert "does not know" in stranger.reason
    if name.endswith("mp4"):
        with av.open(str(target)) as container:
            assert len(list(container.decode(video=0))) == 20
    else:
        before, after = (np.asarray(cv2.imread(str(path))) for path in (source, target))
        assert np.array_equal(before, after)


def test_a_root_that_somebody_put_there_is_known(provenancer: Provenancer, tmp_path: Path) -> None:
    target = sign(provenancer, picture(tmp_path / "a.jpg"), tmp_path / "b.jpg")
    folder = tmp_path / "other" / "provenance" / "trusted"
    folder.mkdir(parents=True)
    (folder / "damaged.pem").write_text("-----BEGIN CERTIFICATE-----\nnot one\n")
    assert trusted_anchors(tmp_path / "other") == ""
    (folder / "friend.pem").write_bytes((tmp_path / "data" / "provenance" / "root.pem").read_bytes())
    assert read_provenance(target, trusted=Provenancer(tmp_path / "other").trusted).state is State.VALID


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, dict[str, tuple[bytes, int, int]]]:
    """Signed files, and where in each of them the media lies."""
    folder = tmp_path_factory.mktemp("media")
    provenancer = Provenancer(folder / "data")
    files = {}
    for name, source, marker in (("a.jpg", picture, b"\xff\xda"), ("a.mp4", clip, b"mdat")):
        content = sign(provenancer, source(folder / name), folder / f"signed-{name}").read_bytes()
        files[name] = (content, content.rindex(marker) + 4, len(content) - 1)
    return folder, provenancer.trusted, files


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_changed_bit_of_the_media_is_noticed(
    data: st.DataObject, media: tuple[Path, str, dict[str, tuple[bytes, int, int]]], tmp_path: Path
) -> None:
    _, trusted, files = media
    name = data.draw(st.sampled_from(sorted(files)))
    content, first, last = files[name]
    changed = bytearray(content)
    changed[data.draw(st.integers(first, last))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / name
    path.write_bytes(changed)
    found = read_provenance(path, trusted=trusted)
    assert found.state is State.INVALID
    assert "changed after it was signed" in found.reason


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_told_and_never_breaks_the_reader(
    data: st.DataObject, media: tuple[Path, str, dict[str, tuple[bytes, int, int]]], tmp_path: Path
) -> None:
    _, trusted, files = media
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name][0])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / name
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    found = read_provenance(path, trusted=trusted)
    assert found.reason.endswith(".")
    assert found.reason.isprintable()


def test_files_without_a_manifest_have_none(tmp_path: Path) -> None:
    for path in (picture(tmp_path / "a.jpg"), clip(tmp_path / "a.mp4")):
        assert read_provenance(path, trusted="").state is State.NONE
    for content in (b"", b"nonsense" * 100):
        (tmp_path / "a.bin").write_bytes(content)
        assert read_provenance(tmp_path / "a.bin", trusted="").state is State.NONE
    with pytest.raises(BadMedia, match="cannot be read"):
        read_provenance(tmp_path / "nothing.mp4", trusted="")


def test_a_persons_consent_is_named_by_its_fingerprint_only(provenancer: Provenancer, tmp_path: Path) -> None:
    grant = signed(subject="Zoë Example")
    target = sign(provenancer, picture(tmp_path / "a.jpg"), tmp_path / "b.jpg", grant=grant)
    content = target.read_bytes()
    assert receipt(grant).encode() in content
    assert "Zoë".encode() not in content
    assert grant.id.encode() not in content
    assert receipt(grant) != receipt(replace(grant, revocation="cd" * 16))
    plain = sign(provenancer, tmp_path / "a.jpg", tmp_path / "c.jpg").read_bytes()
    assert b"org.livefake.consent" not in plain


def test_signing_in_place_and_over_another_file(provenancer: Provenancer, tmp_path: Path) -> None:
    path, other = picture(tmp_path / "a.jpg"), tmp_path / "b.jpg"
    other.write_text("old")
    sign(provenancer, path, other)
    sign(provenancer, path, path)
    for one in (path, other):
        assert read_provenance(one, trusted=provenancer.trusted).state is State.VALID
    assert {one.name for one in tmp_path.iterdir()} == {"a.jpg", "b.jpg", "data"}


def test_what_cannot_be_signed_leaves_nothing_behind(provenancer: Provenancer, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"this is no film" * 50)
    (tmp_path / "a.txt").write_text("text")
    for source, target, match in (
        ("bad.mp4", "b.mp4", "cannot be signed"),
        ("none.mp4", "b.mp4", "No such file"),
        ("a.txt", "b.txt", r"should be one of .*\.mp4"),
    ):
        with pytest.raises(BadMedia, match=match):
            sign(provenancer, tmp_path / source, tmp_path / target)
    with pytest.raises(BadMedia, match="cannot be written"):
        sign(provenancer, picture(tmp_path / "a.jpg"), tmp_path / "no folder" / "b.jpg")
    with pytest.raises(ValueError, match="session 77"):
        sign(provenancer, tmp_path / "a.jpg", tmp_path / "b.jpg", session=78)
    assert {one.name for one in tmp_path.iterdir()} == {"bad.mp4", "a.txt", "a.jpg", "data"}


def test_a_full_disk_is_told(provenancer: Provenancer, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    source = picture(tmp_path / "a.jpg")
    (tmp_path / ".full.signing.jpg").symlink_to("/dev/full")
    with pytest.raises(BadMedia, match="cannot be"):
        sign(provenancer, source, tmp_path / "full.jpg")
    assert not (tmp_path / "full.jpg").exists()


class _Listener(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.hits.append(self.path)  # type: ignore[attr-defined]
        self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


@pytest.fixture
def elsewhere() -> Iterator[http.server.HTTPServer]:
    server = http.server.HTTPServer(("127.0.0.1", 0), _Listener)
    server.hits = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_manifest_that_lies_elsewhere_is_not_fetched(
    elsewhere: http.server.HTTPServer, provenancer: Provenancer, tmp_path: Path
) -> None:
    chain, path = provenancer.chain(), tmp_path / "remote.jpg"
    context = c2pa.Context(settings=c2pa.Settings.from_dict(dict(OFFLINE)))
    builder = c2pa.Builder(claim("a test", MARK, None, at=NOW), context=context)
    builder.set_no_embed()
    builder.set_remote_url(f"http://127.0.0.1:{elsewhere.server_port}/manifest.c2pa")
    info = c2pa.C2paSignerInfo(chain.algorithm, chain.certificates, chain.key, None)
    with picture(tmp_path / "a.jpg").open("rb") as source, path.open("w+b") as target:
        builder.sign(c2pa.Signer.from_info(info), "image/jpeg", source, target)
    found = read_provenance(path, trusted=provenancer.trusted)
    assert found.state is State.NONE
    assert "fetches nothing" in found.reason
    hits: list[str] = elsewhere.hits  # type: ignore[attr-defined]
    assert hits == []
    # The same file under the library's own settings: the test would notice a fetch.
    eager = c2pa.Context(settings=c2pa.Settings.from_dict({"verify": {"remote_manifest_fetch": True}}))
    with path.open("rb") as stream, pytest.raises(c2pa.C2paError):
        c2pa.Reader(stream, context=eager)
    assert hits == ["/manifest.c2pa"]


def _objects(part: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["assertions", "label", "data", "actions", "action", "blocks", "value", "alg"])
    return st.dictionaries(names, part | st.sampled_from(["c2pa.actions.v2", "c2pa.soft-binding"]))


@given(st.recursive(st.none() | st.integers() | st.text(), lambda part: st.lists(part) | _objects(part), max_leaves=6))
def test_a_strangers_manifest_may_hold_anything(value: Any) -> None:
    manifest = value if isinstance(value, dict) else {"assertions": value}
    assert payload_in(manifest) is None
    assert isinstance(actions_in(manifest), tuple)


@given(st.integers(0, 15), st.integers(0, 2**24 - 1), st.integers(0, 2**36 - 1))
def test_the_soft_binding_says_what_the_mark_says(version: int, issuer: int, session: int) -> None:
    payload = Payload(version, issuer, session)
    manifest = json.loads(json.dumps(claim("a test", payload, None, at=NOW)))
    assert payload_in(manifest) == payload


def test_the_signing_key_is_its_users_alone(provenancer: Provenancer, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        first = provenancer.chain()
    finally:
        os.umask(before)
    folder = tmp_path / "data" / "provenance"
    assert stat.S_IMODE((folder / "signer.pem").stat().st_mode) == 0o600
    assert "PRIVATE" not in (folder / "root.pem").read_text()
    assert "PRIVATE" not in repr(first)
    assert provenancer.chain() == first
    assert provenancer.trusted == first.anchors


def test_the_installations_number_is_in_its_name(provenancer: Provenancer, tmp_path: Path) -> None:
    from livefake.trust.issuer import issuer_number

    assert f"{issuer_number(tmp_path / 'data'):06x}" in provenancer.chain().signer


def test_a_certificate_holds_for_its_time(tmp_path: Path) -> None:
    own_chain(tmp_path, now=NOW)
    own_chain(tmp_path, now=NOW - 3600)
    for now, match in (
        (NOW - 3 * 86_400, "does not hold before"),
        (NOW + 21 * 365 * 86_400, "expired on 2047"),
        (float("nan"), "does not hold before"),
    ):
        with pytest.raises(LivefakeError, match=match):
            own_chain(tmp_path, now=now)


def test_a_damaged_own_chain_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "provenance" / "signer.pem"
    own_chain(tmp_path, now=NOW)
    content = path.read_text()
    for damaged in ("", "text", content[:400], content.replace("A", "B"), content[: content.rindex("-----BEGIN")]):
        path.write_text(damaged)
        with pytest.raises(LivefakeError, match="is damaged: ") as caught:
            own_chain(tmp_path, now=NOW)
        assert "\n" not in caught.value.problem
        assert "Move it away" in caught.value.remedy
    path.unlink()
    assert own_chain(tmp_path, now=NOW).signer


def test_a_manifest_that_is_named_and_is_not_there_is_damaged(
    media: tuple[Path, str, dict[str, tuple[bytes, int, int]]], tmp_path: Path
) -> None:
    _, trusted, files = media
    content, path = files["a.mp4"][0], tmp_path / "a.mp4"
    # CBOR: the name of a field one letter too long, so that the assertion cannot be read.
    path.write_bytes(content.replace(b"calgsorg.livefake.mark", b"balgsorg.livefake.mark"))
    found = read_provenance(path, trusted=trusted)
    assert found.state is State.INVALID
    assert found.session is None
