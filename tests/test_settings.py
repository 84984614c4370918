from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from livefake.cli.serve import listen, read_certificate
from livefake.errors import BadRequest, Busy
from livefake.settings import Settings, is_loopback, new_token, read_settings


def settings(host: str = "127.0.0.1", port: int = 8848, *, expose: bool = False, token: str = "a" * 22) -> Settings:
    return Settings(cache=Path("cache"), data=Path("data"), host=host, port=port, expose=expose, token=token)


def test_defaults_stay_on_this_computer() -> None:
    read = read_settings({})
    assert (read.host, read.port, read.expose) == ("127.0.0.1", 8848, False)
    assert read.token != read_settings({}).token


def test_the_token_has_256_bits_and_is_not_in_the_repr() -> None:
    token = new_token()
    assert len(token) == 43
    assert token not in repr(settings(token=token))


def test_every_variable_is_read() -> None:
    read = read_settings(
        {
            "LIVEFAKE_HOST": "localhost",
            "LIVEFAKE_PORT": "9000",
            "LIVEFAKE_CAPACITY": "3",
            "LIVEFAKE_TOKEN": "a" * 22,
            "LIVEFAKE_LATENCY_MS": "99.5",
            "LIVEFAKE_BITRATE": "1000000",
            "LIVEFAKE_CACHE": "/var/cache/faces",
            "LIVEFAKE_DATA": "/var/lib/faces",
            "LIVEFAKE_ALLOWED_HOSTS": "Live.example.org, studio.local:8443",
        }
    )
    assert read == Settings(
        host="localhost",
        port=9000,
        capacity=3,
        token="a" * 22,
        latency_ms=99.5,
        bitrate=1_000_000,
        cache=Path("/var/cache/faces"),
        data=Path("/var/lib/faces"),
        allowed_hosts=("live.example.org", "studio.local:8443"),
    )


def test_the_command_line_counts_more_and_what_it_leaves_out_does_not() -> None:
    read = read_settings({"LIVEFAKE_PORT": "9000", "LIVEFAKE_CAPACITY": "3"}, port=9001, capacity=None)
    assert (read.port, read.capacity) == (9001, 3)


def test_the_folders_follow_xdg() -> None:
    assert read_settings({"XDG_DATA_HOME": "/y"}).data == Path("/y/livefake")
    assert read_settings({"XDG_CACHE_HOME": "/x"}).cache == Path("/x/livefake")
    assert read_settings({"XDG_CACHE_HOME": "relative"}).cache == Path.home() / ".cache" / "livefake"


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("LIVEFAKE_PORT", "http", "LIVEFAKE_PORT should be a whole number, and is 'http'"),
        ("LIVEFAKE_PORT", "65536", "port should lie between 0 and 65535, and is 65536"),
        ("LIVEFAKE_CAPACITY", "0", "capacity should lie between 1 and 64"),
        ("LIVEFAKE_LATENCY_MS", "nan", "latency_ms should lie between 20 and 2000, and is nan"),
        ("LIVEFAKE_BITRATE", "5", "bitrate should lie between"),
        ("LIVEFAKE_ALLOWED_HOSTS", "http://x", "allowed host should be a name or name:port"),
        ("LIVEFAKE_HOST", "0.0.0.0", "lets other machines reach the camera page"),
    ],
)
def test_a_bad_value_is_told_in_one_sentence(variable: str, text: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says) as caught:
        read_settings({variable: text})
    assert caught.value.problem.endswith(".")


def test_a_bad_token_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadRequest) as caught:
        read_settings({"LIVEFAKE_TOKEN": "too-short"})
    assert "too-short" not in str(caught.value)


def test_listening_wider_needs_the_flag() -> None:
    assert settings("0.0.0.0", expose=True).host == "0.0.0.0"
    with pytest.raises(BadRequest, match="unencrypted at that") as caught:
        settings("192.168.1.5")
    assert "--expose" in caught.value.remedy


def test_https_needs_both_files_and_then_no_flag(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    read = read_settings({"LIVEFAKE_TLS_CERT": str(cert), "LIVEFAKE_TLS_KEY": str(key), "LIVEFAKE_HOST": "192.168.1.5"})
    assert read.scheme == "https"
    assert settings().scheme == "http"
    for variable in ("LIVEFAKE_TLS_CERT", "LIVEFAKE_TLS_KEY"):
        with pytest.raises(BadRequest, match="only one of them was given"):
            read_settings({variable: str(cert)})


def test_a_certificate_is_read_with_its_own_key_only(tmp_path: Path) -> None:
    (one, other), chosen = (pem_pair(tmp_path, name) for name in ("one", "other")), settings()
    assert read_certificate(chosen) is None
    assert read_certificate(replace(chosen, tls_cert=one[0], tls_key=one[1])) is not None
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        generate_private_key(SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        )
    )
    for cert, key in ((one[0], other[1]), (one[0], locked), (one[0], tmp_path / "missing"), (one[1], one[1])):
        with pytest.raises(BadRequest, match="should be a certificate and its key") as caught:
            read_certificate(replace(chosen, tls_cert=cert, tls_key=key))
        assert caught.value.remedy


def pem_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    key = generate_private_key(SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    cert, secret = folder / f"{name}.pem", folder / f"{name}.key"
    cert.write_bytes(certificate.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return cert, secret


@given(st.ip_addresses())
def test_loopback_is_what_ipaddress_calls_so(address: object) -> None:
    assert is_loopback(str(address)) == getattr(address, "is_loopback", None)


def test_names_other_than_localhost_are_not_loopback() -> None:
    assert is_loopback("localhost")
    assert not is_loopback("localhost.example.org")


def test_listen_takes_a_free_port_and_holds_it() -> None:
    with listen(settings(port=0)) as listener:
        port = listener.getsockname()[1]
        assert port > 0
        with pytest.raises(Busy, match=f"Another program uses port {port} on 127.0.0.1"):
            listen(settings(port=port))
        with socket.create_connection(("127.0.0.1", port)):
            pass


def test_listen_refuses_an_address_of_another_machine() -> None:
    # 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
    with pytest.raises(BadRequest, match=r"cannot listen on port 0 on 192\.0\.2\.1"):
        listen(settings("192.0.2.1", 0, expose=True))
