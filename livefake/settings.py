"""Settings: read once from the environment and the command line, checked, then passed down as arguments.

Every field of ``Settings`` except ``expose`` can be set by an environment variable: ``LIVEFAKE_`` and the name in
capitals, such as ``LIVEFAKE_PORT=9000``. What the command line says counts more.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypedDict, Unpack

from livefake.errors import BadRequest
from livefake.media.ice import Ice, IceServer, read_ice_servers
from livefake.trust.look import WORDS, Corner, Look

__all__ = ["ENCODERS", "Overrides", "Settings", "is_loopback", "new_token", "read_settings"]

ENCODERS: Final = ("auto", "x264", "nvenc", "videotoolbox", "vaapi", "qsv")
"""What may encode."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{22,128}")
_HOST_NAME: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9._-]*[a-z0-9])?)(:[0-9]{1,5})?")


def new_token() -> str:
    """A fresh secret of 256 bits for the address that is printed at the start."""
    return secrets.token_urlsafe(32)


def is_loopback(host: str) -> bool:
    """Whether only programs on this computer reach ``host``: ``localhost`` or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _user_folder(environment: Mapping[str, str], variable: str, default: str) -> Path:
    """livefake's own folder in one of the user's (XDG Base Directory Specification: relative paths do not count)."""
    base = environment.get(variable, "")
    return (Path(base) if base.startswith("/") else Path.home() / default) / "livefake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the person who starts livefake can choose.

    >>> Settings(port=9000, cache=Path("cache"), data=Path("data")).host
    '127.0.0.1'

    Attributes:
        cache: folder for fetched and compiled models; may be emptied at any time.
        data: folder for what must last: the installation's key.
        host: name or address to listen on.
        port: TCP port, 0..65535; 0 takes a free one.
        expose: must be set to listen on anything but loopback without HTTPS.
        capacity: sessions at once, 1..64.
        token: the secret in the printed address; 22 to 128 letters, digits, ``-`` and ``_``. New at each start.
        latency_ms: how old a picture may be when it is shown, 20..2000 milliseconds after it arrived.
        bitrate: bits a second of each outgoing 1280 x 720 video, 100 000..20 000 000; smaller pictures get less.
        tls_cert: certificate chain for HTTPS, PEM; with ``tls_key``. Browsers give a page that another machine serves
            the camera over HTTPS only.
        tls_key: its private key, PEM, without a password.
        allowed_hosts: further names in the Host header, ``name`` (any port) or ``name:port``, for a reverse proxy.
        recordings: folder for recordings; None for ``recordings`` in the data folder.
        c2pa_cert, c2pa_key: PEM files that recordings and pictures are signed with, see
            ``livefake.trust.chain.brought_chain``; both or neither. None for the installation's own.
        refine: whether the swap network finishes what the mesh warp begins; without it a picture costs a fraction, and
            looks it.
        encoder: of H.264 streams, one of ``ENCODERS``: auto takes graphics hardware that passes its trial, or else the
            processor.
        ice_servers: STUN and TURN servers, see ``livefake.media.ice``; none where all browsers are near.
        turn_secret: shared with the TURN servers that name no user.
        relay_only: connect over a TURN server only.
        label_language: of the words in the picture, one of ``livefake.trust.label.WORDS``. There is no setting without.
        label_corner: where they stand: top-left, top-right, bottom-left or bottom-right.

    Raises:
        BadRequest: a value is out of range.
    """

    cache: Path
    data: Path
    host: str = "127.0.0.1"
    port: int = 8848
    expose: bool = False
    capacity: int = 2
    token: str = field(default_factory=new_token, repr=False)
    latency_ms: float = 120.0
    bitrate: int = 3_000_000
    tls_cert: Path | None = None
    tls_key: Path | None = None
    allowed_hosts: tuple[str, ...] = ()
    recordings: Path | None = None
    c2pa_cert: Path | None = None
    c2pa_key: Path | None = None
    refine: bool = True
    encoder: str = "auto"
    ice_servers: tuple[IceServer, ...] = ()
    turn_secret: str = field(default="", repr=False)
    relay_only: bool = False

    label_language: str = "en"
    label_corner: str = Corner.TOP_RIGHT.value

    @property
    def scheme(self) -> str:
        """``https`` where there is a certificate, else ``http``."""
        return "http" if self.tls_cert is None else "https"

    def __post_init__(self) -> None:
        _within("port", self.port, 0, 65_535)
        _within("capacity", self.capacity, 1, 64)
        _within("latency_ms", self.latency_ms, 20, 2000)
        _within("bitrate", self.bitrate, 100_000, 20_000_000)
        _one_of("encoder", self.encoder, ENCODERS)
        _one_of("label_language", self.label_language, sorted(WORDS))
        _one_of("label_corner", self.label_corner, [corner.value for corner in Corner])
        if not _TOKEN.fullmatch(self.token):
            raise BadRequest(
                "The token should be 22 to 128 letters, digits, '-' and '_', and is not.",
                "Leave LIVEFAKE_TOKEN unset to get a new one at each start.",
            )
        for name in self.allowed_hosts:
            if not _HOST_NAME.fullmatch(name):
                raise BadRequest(
                    f"An allowed host should be a name or name:port in small letters, and is {name!r}.",
                    "Write it as the browser sends it, such as live.example.org.",
                )
        # It says what does not fit together.
        Ice(servers=self.ice_servers, relay_only=self.relay_only, secret=self.turn_secret)
        if (self.c2pa_cert is None) != (self.c2pa_key is None):
            raise BadRequest(
                "A signing certificate and its key belong together, and only one of them was named.",
                "Set both LIVEFAKE_C2PA_CERT and LIVEFAKE_C2PA_KEY, or neither.",
            )
        if (self.tls_cert is None) != (self.tls_key is None):
            raise BadRequest(
                "HTTPS needs a certificate and its key, and only one of them was given.",
                "Give both: --tls-cert FILE --tls-key FILE.",
            )
        if not (self.expose or self.tls_cert or is_loopback(self.host)):
            raise BadRequest(
                f"Listening on {self.host} lets other machines reach the camera page, and unencrypted at that.",
                "Give --tls-cert and --tls-key, add --expose if you mean it, or leave --host out.",
            )

    @property
    def ice(self) -> Ice:
        """How connections are found."""
        return Ice(servers=self.ice_servers, relay_only=self.relay_only, secret=self.turn_secret)

    @property
    def look(self) -> Look:
        """How the label is written."""
        return Look(Corner(self.label_corner), self.label_language)


class Overrides(TypedDict, total=False):
    """What the command line gives; None stands for 'not said'."""

    host: str | None
    port: int | None
    expose: bool | None
    capacity: int | None
    latency_ms: float | None
    bitrate: int | None
    cache: Path | None
    data: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    allowed_hosts: tuple[str, ...] | None
    ice_servers: tuple[IceServer, ...] | None
    relay_only: bool | None


def read_settings(environment: Mapping[str, str], **overrides: Unpack[Overrides]) -> Settings:
    """Settings from ``LIVEFAKE_*`` variables, with what the command line says on top.

    Raises:
        BadRequest: a variable cannot be read, or a value is out of range.
    """
    chosen: dict[str, Any] = {
        "cache": _user_folder(environment, "XDG_CACHE_HOME", ".cache"),
        "data": _user_folder(environment, "XDG_DATA_HOME", ".local/share"),
    }
    for name, (read, expected) in _VARIABLES.items():
        variable = f"LIVEFAKE_{name.upper()}"
        text = environment.get(variable, "").strip()
        if not text:
            continue
        try:
            chosen[name] = read(text)
        except ValueError as error:
            raise BadRequest(
                f"{variable} should be {expected}, and is {text!r}.", "Correct the variable or unset it."
            ) from error
    chosen.update({name: value for name, value in overrides.items() if value is not None})
    return Settings(**chosen)


def _yes_or_no(text: str) -> bool:
    answers = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if text.lower() not in answers:
        raise ValueError(text)
    return answers[text.lower()]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())


def _one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise BadRequest(f"The setting {name} should be one of {', '.join(known)}, and is {value!r}.")


def _within(name: str, value: float, low: int, high: int) -> None:
    # Written so that NaN fails too.
    if not low <= value <= high:
        raise BadRequest(f"The setting {name} should lie between {low} and {high}, and is {value}.")


_VARIABLES: Final[Mapping[str, tuple[Callable[[str], object], str]]] = {
    "host": (str, "a name or an address"),
    "port": (int, "a whole number"),
    "capacity": (int, "a whole number"),
    "token": (str, "a text"),
    "latency_ms": (float, "a number"),
    "bitrate": (int, "a whole number"),
    "cache": (Path, "a folder"),
    "data": (Path, "a folder"),
    "tls_cert": (Path, "a file"),
    "tls_key": (Path, "a file"),
    "refine": (_yes_or_no, "yes or no"),
    "encoder": (str.lower, "an encoder"),
    "label_language": (str.lower, "a language"),
    "label_corner": (str.lower, "a corner"),
    "allowed_hosts": (_names, "names with commas between them"),
    "recordings": (Path, "a folder"),
    "c2pa_cert": (Path, "a file"),
    "c2pa_key": (Path, "a file"),
    # Reads what may hold a secret, and says by itself what does not fit.
    "ice_servers": (read_ice_servers, "a list of servers"),
    "turn_secret": (str, "a text"),
    "relay_only": (_yes_or_no, "yes or no"),
}
