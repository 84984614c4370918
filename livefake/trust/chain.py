"""The certificates that recordings and pictures are signed with: this installation's own, or one that was brought.

Our own chain is a root and a signing certificate below it (ECDSA P-256 with SHA-256, extended key usage e-mail
protection, as the C2PA certificate profile wants it). Nobody vouches for the root, so whoever is to believe it must get
it from here: ``DATA/provenance/root.pem``. The root's private key is thrown away as soon as it has signed once, so
that nothing else can ever appear under it.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from livefake.errors import LivefakeError
from livefake.trust.durable import write_durably
from livefake.trust.issuer import issuer_number
from livefake.trust.keys import secret_file

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["Chain", "brought_chain", "own_chain", "trusted_anchors"]

_YEARS: Final = 20
"""How long our own certificates hold: there is no time stamp, so what they signed counts no longer than they do."""

_MARGIN: Final = datetime.timedelta(days=1)
"""A clock that was a little fast at the first start must not make the certificate one of the future."""

_AWAY: Final = "Move it away to get a new one; what was signed before then counts as a stranger's."
_USAGES: Final = frozenset({"1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1"})
"""Extended key usages that C2PA takes: e-mail protection, document signing, C2PA claim signing."""

_CURVES: Final = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True, slots=True)
class Chain:
    """What a signature is made with.

    Attributes:
        certificates: PEM, the signing certificate first, each certified by the next; without the root.
        key: the private key of the first, PEM (PKCS 8, not encrypted).
        algorithm: as C2PA calls it: es256, es384, es512, ed25519 or ps256.
        anchors: PEM, the certificates above it, by which its signatures are recognised here.
        signer: the name in the signing certificate.
        since, until: seconds since 1970 UTC between which it holds.
        source: the file it came from.
    """

    certificates: bytes
    key: bytes = field(repr=False)
    algorithm: str
    anchors: str
    signer: str
    since: float
    until: float
    source: Path

    def check(self, now: float) -> None:
        """Check that the certificate holds at an instant.

        Args:
            now: seconds since 1970 UTC.

        Raises:
            LivefakeError: it does not hold yet, or no longer.
        """
        # Written so that NaN fails too.
        if not now >= self.since:
            problem = f"does not hold before {_day(self.since)}, and the clock says {_day(now)}"
            raise LivefakeError(f"The signing certificate {self.source} {problem}.", "Set the clock of this computer.")
        if not now < self.until:
            problem = f"expired on {_day(self.until)}, and the clock says {_day(now)}"
            raise LivefakeError(f"The signing certificate {self.source} {problem}.", f"Renew it. {_AWAY}")


def own_chain(data: Path, *, now: float) -> Chain:
    """This installation's own chain, made at the first use.

    Args:
        data: the data folder; ``provenance/signer.pem`` in it holds key and certificates and is readable by its user
            only, ``provenance/root.pem`` is for others to trust.
        now: seconds since 1970 UTC.

    Raises:
        LivefakeError: it cannot be made or read, is damaged, has expired or does not hold yet.
    """
    path = data / "provenance" / "signer.pem"
    issuer = issuer_number(data)
    content = secret_file(path, lambda: _make(issuer, now), "installation's signing key")
    try:
        chain = _read(content, content, path)
    except (ValueError, TypeError) as error:
        raise LivefakeError(f"The signing key {path} is damaged: {_reason(error)}.", _AWAY) from error
    chain.check(now)
    root = path.with_name("root.pem")
    anchors = chain.anchors.encode("ascii")
    try:
        if not root.exists() or root.read_bytes() != anchors:
            write_durably(root, anchors)
            # Nothing in it is secret.
            root.chmod(0o644)
    except OSError as error:
        raise LivefakeError(f"{root} cannot be written: {error.strerror}.", "Make room for it.") from error
    return chain


def brought_chain(certificate: Path, key: Path, *, now: float) -> Chain:
    """A chain that a certificate authority gave to whoever runs this installation.

    Args:
        certificate: PEM, the signing certificate first, then those above it, one at least.
        key: its private key, PEM, not encrypted.
        now: seconds since 1970 UTC.

    Raises:
        LivefakeError: a file cannot be read, the two do not belong together, the certificate is not one that C2PA
            takes, has expired or does not hold yet.
    """
    try:
        chain = _read(certificate.read_bytes(), key.read_bytes(), certificate)
    except OSError as error:
        raise LivefakeError(
            f"{error.filename} cannot be read: {error.strerror}.", "Correct LIVEFAKE_C2PA_CERT and LIVEFAKE_C2PA_KEY."
        ) from error
    except (ValueError, TypeError) as error:
        raise LivefakeError(
            f"The signing certificate {certificate} with the key {key} cannot be used: {_reason(error)}.",
            "Correct LIVEFAKE_C2PA_CERT and LIVEFAKE_C2PA_KEY, or unset both to sign with the installation's own.",
        ) from error
    chain.check(now)
    return chain


def trusted_anchors(data: Path) -> str:
    """The certificates whose signatures are recognised here: our own root, and those that somebody put there.

    Args:
        data: the data folder: ``provenance/root.pem`` and ``provenance/trusted/*.pem``. Files that cannot be read as
            certificates are left out, because one of them must not make all others strangers.

    Returns:
        PEM, empty when there is none.
    """
    from cryptography import x509

    folder = data / "provenance"
    found: list[str] = []
    for path in (folder / "root.pem", *sorted((folder / "trusted").glob("*.pem"))):
        try:
            found += map(_pem, x509.load_pem_x509_certificates(path.read_bytes()))
        except (OSError, ValueError):
            continue
    return "".join(found)


def _make(issuer: int, now: float) -> bytes:
    """Key, signing certificate and root as one PEM text, so that no start sees one without the others."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(role: str) -> x509.Name:
        parts = (
            (NameOID.ORGANIZATION_NAME, "livefake"),
            (NameOID.COMMON_NAME, f"livefake {issuer:06x} {role}".strip()),
        )
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])

    moment = datetime.datetime.fromtimestamp(int(now), datetime.UTC)
    since, until = moment - _MARGIN, moment + datetime.timedelta(days=_YEARS * 365.25)
    above, below = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def certify(role: str, public: ec.EllipticCurvePublicKey, *, root: bool) -> Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(role))
            .issuer_name(name("root"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=root, path_length=0 if root else None), critical=True)
            .add_extension(_key_usage(root=root), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), critical=False)
        )
        if not root:
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(usage, critical=False)
        return builder.sign(above, hashes.SHA256())

    key = below.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    leaf, top = certify("", below.public_key(), root=False), certify("root", above.public_key(), root=True)
    return key + _pem(leaf).encode() + _pem(top).encode()


def _key_usage(*, root: bool) -> Any:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=root,
        crl_sign=root,
        encipher_only=False,
        decipher_only=False,
    )


def _read(certificates: bytes, key: bytes, source: Path) -> Chain:
    """The chain in two PEM texts.

    Raises:
        ValueError, TypeError: they are not what they should be, with the reason.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.x509.oid import NameOID

    found = x509.load_pem_x509_certificates(certificates)
    private = serialization.load_pem_private_key(key, password=None)
    leaf, above = found[0], found[1:]
    if private.public_key() != leaf.public_key():
        raise ValueError("the key does not belong to the first certificate")
    if not above:
        raise ValueError("there should be two certificates or more, its own and those above it, and there is one")
    for one, issuer in zip(found, above, strict=False):
        try:
            one.verify_directly_issued_by(issuer)
        except Exception as error:
            raise ValueError("each certificate should be certified by the next, and one is not") from error
    _check_usage(leaf)
    names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Chain(
        certificates="".join(_pem(one) for one in found if one.subject != one.issuer).encode("ascii"),
        key=private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        algorithm=_algorithm(private),
        anchors="".join(map(_pem, above)),
        signer=str(names[0].value) if names else leaf.subject.rfc4514_string(),
        since=max(one.not_valid_before_utc.timestamp() for one in found),
        until=min(one.not_valid_after_utc.timestamp() for one in found),
        source=source,
    )


def _check_usage(leaf: Certificate) -> None:
    from cryptography import x509

    try:
        usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        usages = x509.ExtendedKeyUsage([])
    if not any(usage.dotted_string in _USAGES for usage in usages):
        raise ValueError("the first certificate is not for e-mail protection, document or claim signing")


def _algorithm(private: object) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in _CURVES:
        return _CURVES[private.curve.name]
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= 2048:
        return "ps256"
    raise ValueError("the key should be P-256, P-384, P-521, Ed25519 or RSA of 2048 bits or more")


def _pem(certificate: Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def _reason(error: Exception) -> str:
    """The first line of what the library says, as a part of a sentence."""
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__).rstrip(".")


def _day(at: float) -> str:
    try:
        return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return repr(at)
