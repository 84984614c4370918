from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from livefake.errors import LivefakeError
from livefake.trust.chain import brought_chain
from livefake.trust.provenance import Provenancer, State, read_provenance
from livefake.trust.watermark import Payload

NOW = datetime.datetime.now(datetime.UTC)
MARK = Payload(version=1, issuer=0x123456, session=77)


@dataclass
class Authority:
    """Certifies keys, as somebody outside would."""

    name: str
    key: Any
    certificate: x509.Certificate

    @classmethod
    def new(cls, name: str) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(name, key, certify(name, key.public_key(), name, key, usage=None))

    def certify(self, name: str, public: Any, **changes: Any) -> x509.Certificate:
        return certify(name, public, self.name, self.key, **changes)


def certify(
    name: str,
    public: Any,
    issuer: str,
    key: Any,
    *,
    usage: ObjectIdentifier | None = ExtendedKeyUsageOID.EMAIL_PROTECTION,
    since: datetime.datetime = NOW - datetime.timedelta(days=2),
    days: int = 30,
) -> x509.Certificate:
    root = usage is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=root, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(not root, False, False, False, False, root, root, False, False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, text)]
    )


def write(folder: Path, key: Any, *certificates: x509.Certificate, password: bytes | None = None) -> tuple[Path, Path]:
    secret = serialization.BestAvailableEncryption(password) if password is not None else serialization.NoEncryption()
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)
    )
    chain = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)
    (folder / "cert.pem").write_bytes(chain)
    return folder / "cert.pem", folder / "key.pem"


KEYS: dict[str, Callable[[], Any]] = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ps256": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize("with_root", [False, True])
def test_a_brought_chain_signs(algorithm: str, with_root: bool, tmp_path: Path) -> None:
    root, middle, key = Authority.new("Root"), Authority.new("Middle"), KEYS[algorithm]()
    middle.certificate = root.certify("Middle", middle.key.public_key(), usage=None)
    leaf = middle.certify("Studio Example", key.public_key())
    certificates = [leaf, middle.certificate, root.certificate][: 3 if with_root else 2]
    certificate, secret = write(tmp_path, key, *certificates)
    chain = brought_chain(certificate, secret, now=NOW.timestamp())
    assert (chain.algorithm, chain.signer) == (algorithm, "Studio Example")
    provenancer = Provenancer(tmp_path / "data", certificate=certificate, key=secret)
    picture = tmp_path / "a.jpg"
    assert cv2.imwrite(str(picture), np.full((64, 64, 3), 90, np.uint8))
    provenancer.sign(picture, picture, session=77, payload=MARK, grant=None)
    found = read_provenance(picture, trusted=provenancer.trusted)
    assert found.state is State.VALID
    assert found.signer == "Studio Example"
    assert read_provenance(picture, trusted=Provenancer(tmp_path / "other").trusted).state is State.UNTRUSTED


def test_what_an_earlier_chain_of_ours_signed_stays_known(tmp_path: Path) -> None:
    picture = tmp_path / "a.jpg"
    assert cv2.imwrite(str(picture), np.full((64, 64, 3), 90, np.uint8))
    Provenancer(tmp_path / "data").sign(picture, picture, session=77, payload=MARK, grant=None)
    root, key = Authority.new("Root"), KEYS["es256"]()
    files = write(tmp_path, key, root.certify("Studio", key.public_key()), root.certificate)
    later = Provenancer(tmp_path / "data", certificate=files[0], key=files[1])
    assert read_provenance(picture, trusted=later.trusted).state is State.VALID


def bad_chains(folder: Path) -> dict[str, tuple[Path, Path]]:
    root, stranger, key, other = Authority.new("Root"), Authority.new("Root"), KEYS["es256"](), KEYS["es256"]()
    weak = rsa.generate_private_key(65537, 1024)
    leaf = root.certify("Studio", key.public_key())
    server = root.certify("Studio", key.public_key(), usage=ExtendedKeyUsageOID.SERVER_AUTH)
    old = root.certify("Studio", key.public_key(), since=NOW - datetime.timedelta(days=40))
    early = root.certify("Studio", key.public_key(), since=NOW + datetime.timedelta(days=5))
    cases: dict[str, tuple[Any, ...]] = {
        "the key does not belong": (other, leaf, root.certificate),
        "should be two certificates or more": (key, leaf),
        "certified by the next": (key, leaf, stranger.certificate),
        "not for e-mail protection": (key, server, root.certificate),
        "RSA of 2048 bits": (weak, root.certify("Studio", weak.public_key()), root.certificate),
        "expired on": (key, old, root.certificate),
        "does not hold before": (key, early, root.certificate),
    }
    found = {}
    for number, (match, (private, *certificates)) in enumerate(cases.items()):
        place = folder / str(number)
        place.mkdir()
        found[match] = write(place, private, *certificates)
    place = folder / "secret"
    place.mkdir()
    found["Password was not given"] = write(place, key, leaf, root.certificate, password=b"secret")
    return found


def test_a_brought_chain_that_does_not_fit_is_one_sentence(tmp_path: Path) -> None:
    for match, files in bad_chains(tmp_path).items():
        with pytest.raises(LivefakeError, match=match) as caught:
            brought_chain(*files, now=NOW.timestamp())
        assert str(files[0]) in caught.value.problem
        assert "\n" not in caught.value.problem
        assert caught.value.remedy
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    with pytest.raises(LivefakeError, match="cannot be used"):
        brought_chain(text, text, now=NOW.timestamp())
    with pytest.raises(LivefakeError, match=r"nothing\.pem cannot be read"):
        brought_chain(tmp_path / "nothing.pem", text, now=NOW.timestamp())


def test_certificate_and_key_come_together(tmp_path: Path) -> None:
    for half in (
        Provenancer(tmp_path, certificate=tmp_path / "cert.pem"),
        Provenancer(tmp_path, key=tmp_path / "key.pem"),
    ):
        with pytest.raises(LivefakeError, match="belong together"):
            half.chain()
        assert half.trusted == ""
