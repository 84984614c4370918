from __future__ import annotations

import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from livefake.errors import LivefakeError
from livefake.trust.issuer import issuer_number


def test_the_key_is_made_once_and_only_its_user_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "share" / "livefake"
    before = os.umask(0)
    try:
        number = issuer_number(folder)
    finally:
        os.umask(before)
    key = folder / "issuer.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    content = key.read_bytes()
    assert issuer_number(folder) == number
    assert key.read_bytes() == content
    assert list(folder.iterdir()) == [key]


def test_the_number_is_the_beginning_of_the_public_keys_hash(tmp_path: Path) -> None:
    number = issuer_number(tmp_path)
    public = Ed25519PrivateKey.from_private_bytes((tmp_path / "issuer.key").read_bytes()).public_key()
    assert f"{number:06x}" == hashlib.sha256(public.public_bytes_raw()).hexdigest()[:6]


def test_the_number_of_a_known_key_never_changes(tmp_path: Path) -> None:
    # The first key pair of RFC 8032, section 7.1: what older installations wrote must keep its meaning.
    secret = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    (tmp_path / "issuer.key").write_bytes(bytes.fromhex(secret))
    assert f"{issuer_number(tmp_path):06x}" == hashlib.sha256(bytes.fromhex(public)).hexdigest()[:6]


def test_numbers_have_24_bits_and_differ_between_installations(tmp_path: Path) -> None:
    numbers = {issuer_number(tmp_path / str(index)) for index in range(40)}
    assert all(0 <= number < 1 << 24 for number in numbers)
    assert max(numbers) >= 1 << 20, "the upper bits are used"
    assert len(numbers) >= 39


def test_starts_at_the_same_time_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        numbers = set(pool.map(lambda _: issuer_number(tmp_path), range(64)))
    assert len(numbers) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["issuer.key"]


@pytest.mark.parametrize("content", [b"", b"too short", bytes(33)])
def test_a_damaged_key_is_told_and_kept(tmp_path: Path, content: bytes) -> None:
    key = tmp_path / "issuer.key"
    key.write_bytes(content)
    with pytest.raises(LivefakeError, match=r"issuer\.key cannot be used: .*32 bytes") as caught:
        issuer_number(tmp_path)
    assert caught.value.problem.count("\n") == 0
    assert "Move it away" in caught.value.remedy
    assert key.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "data"
    blocked.touch()
    with pytest.raises(LivefakeError, match="cannot be made") as caught:
        issuer_number(blocked)
    assert "LIVEFAKE_DATA" in caught.value.remedy
