"""Signed provenance of files after C2PA (Technical Specification 2.2): sign what we made, read what anybody made.

Nothing here touches the network: no time stamp is fetched, no manifest that lies elsewhere, no revocation list.

A signature covers every byte of the media. The few bytes that the format itself leaves out, such as the padding and
the headers of the manifest, may change without anybody's noticing, and mean nothing.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Final

from livefake.clock import Wall, wall
from livefake.errors import BadMedia, LivefakeError
from livefake.trust.chain import Chain, brought_chain, own_chain, trusted_anchors
from livefake.trust.consent import Grant
from livefake.trust.manifest import actions_in, claim, payload_in
from livefake.trust.watermark import Payload

__all__ = ["KINDS", "OFFLINE", "Provenance", "Provenancer", "State", "read_provenance"]

KINDS: Final = {
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}
"""Files that we sign, by suffix."""

OFFLINE: Final[Mapping[str, Any]] = {
    "core": {"allowed_network_hosts": []},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
    # A thumbnail would be a second copy of the picture, and costs five times what the signature does.
    "builder": {"thumbnail": {"enabled": False}},
}
"""Settings of the C2PA library under which it never opens a connection: two locks on the same door."""

_HEAD: Final = 1 << 20
_LONGEST: Final = 120
_STRANGER: Final = "signingCredential.untrusted"
_TITLE: Final = "A livefake recording"


class State(StrEnum):
    """What the signature of a file is worth."""

    NONE = "none"
    """There is no manifest in it."""
    VALID = "valid"
    """Intact, and signed by somebody whom this installation knows."""
    UNTRUSTED = "untrusted"
    """Intact, but signed by somebody whom this installation does not know."""
    INVALID = "invalid"
    """Changed after it was signed, or the manifest is damaged."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the manifest of a file says; only as much worth as its state.

    Attributes:
        state: what the signature is worth.
        signer: the name in the signing certificate, empty where there is none.
        reason: one sentence for a person.
        session: 36-bit number of the session, where the manifest names our mark.
        actions: what was done, such as ``c2pa.created``.
        payload: what the mark should say, where the manifest names our mark.
    """

    state: State
    signer: str
    reason: str
    session: int | None
    actions: tuple[str, ...]
    payload: Payload | None = None


def read_provenance(path: Path, *, trusted: str) -> Provenance:
    """Read and check the manifest of a file; what kind of file it is, its content says and not its name.

    Args:
        path: the file. Whoever reads a stranger's file does so in a process that may fail.
        trusted: PEM certificates of those whom this installation knows, see ``chain.trusted_anchors``; may be empty.

    Raises:
        BadMedia: the file cannot be opened.
    """
    try:
        with path.open("rb") as stream:
            return _read(stream, trusted)
    except OSError as error:
        raise BadMedia(f"{path} cannot be read: {error.strerror}.") from error


class Provenancer:
    """Signs what this installation makes.

    The certificate is read anew each time, so that a renewed one counts at once and a bad one stops signing only.

    Args:
        data: the data folder, with the installation's own chain, which is made at the first use.
        certificate, key: PEM files of a chain that was brought instead; both or neither.
        time_of_day: the wall clock.
    """

    def __init__(
        self, data: Path, *, certificate: Path | None = None, key: Path | None = None, time_of_day: Wall = wall
    ) -> None:
        self._data = data
        self._certificate = certificate
        self._key = key
        self._time_of_day = time_of_day

    def chain(self) -> Chain:
        """The chain that signs now.

        Raises:
            LivefakeError: it cannot be made or read, is damaged, has expired, or only one half of it was named.
        """
        now = self._time_of_day()
        if self._certificate is None and self._key is None:
            return own_chain(self._data, now=now)
        if self._certificate is None or self._key is None:
            raise LivefakeError(
                "A signing certificate and its key belong together, and only one of them was named.",
                "Set both LIVEFAKE_C2PA_CERT and LIVEFAKE_C2PA_KEY, or neither.",
            )
        return brought_chain(self._certificate, self._key, now=now)

    @property
    def trusted(self) -> str:
        """PEM certificates of those whom this installation knows, itself among them."""
        own = ""
        with suppress(LivefakeError):
            own = self.chain().anchors
        others = trusted_anchors(self._data)
        return others if own in others else own + others

    def sign(
        self,
        source: Path,
        target: Path,
        *,
        session: int,
        payload: Payload,
        grant: Grant | None,
        title: str = _TITLE,
    ) -> None:
        """Write a signed copy of a file; it appears under its name when it is whole and on the disk.

        Args:
            source: an unsigned file, of one of ``KINDS``.
            target: where to, with the same suffix; may be the source itself. An existing file is replaced.
            session: 36-bit number of the session.
            payload: what the mark in its pictures says.
            grant: of the person whose face is in it; None for a fictional persona.
            title: what the file is, in words.

        Raises:
            BadMedia: the source cannot be read or is none of these kinds, or the target cannot be written.
            LivefakeError: the certificate cannot be used.
            ValueError: the mark is of another session.
        """
        says = self._claim(title, session, payload, grant)
        half = target.with_name(f".{target.stem}.signing{target.suffix}")
        try:
            with source.open("rb") as content, half.open("w+b") as signed:
                self._sign(content, signed, source.suffix, says)
                signed.flush()
                os.fsync(signed.fileno())
            half.replace(target)
            _settle(target.parent)
        except OSError as error:
            raise BadMedia(
                f"{target} cannot be written: {error.strerror}.", "Choose another place, or make room."
            ) from error
        finally:
            half.unlink(missing_ok=True)

    def sign_bytes(
        self,
        content: bytes,
        suffix: str,
        *,
        session: int,
        payload: Payload,
        grant: Grant | None,
        title: str = _TITLE,
    ) -> bytes:
        """A signed copy of a file in memory; see ``sign``.

        Args:
            content: the unsigned file.
            suffix: what kind it is, such as ``.jpg``.
            session, payload, grant, title: see ``sign``.

        Raises:
            BadMedia, LivefakeError, ValueError: see ``sign``.
        """
        signed = io.BytesIO()
        self._sign(io.BytesIO(content), signed, suffix, self._claim(title, session, payload, grant))
        return signed.getvalue()

    def _claim(self, title: str, session: int, payload: Payload, grant: Grant | None) -> dict[str, Any]:
        if payload.session != session:
            raise ValueError(f"the mark is of session {payload.session}, the file of session {session}")
        return claim(title, payload, grant, at=self._time_of_day())

    def _sign(self, content: IO[bytes], signed: IO[bytes], suffix: str, says: Mapping[str, Any]) -> None:
        kind = KINDS.get(suffix.lower())
        if kind is None:
            raise BadMedia(f"A signed file should be one of {', '.join(KINDS)}, got {suffix or 'no suffix'}.")
        chain = self.chain()
        c2pa = _library()
        try:
            signer = c2pa.Signer.from_info(
                c2pa.C2paSignerInfo(
                    alg=chain.algorithm, sign_cert=chain.certificates, private_key=chain.key, ta_url=None
                )
            )
            builder = c2pa.Builder(dict(says), context=_context(""))
            builder.sign(signer, kind, content, signed)
        except c2pa.C2paError as error:
            raise BadMedia(
                f"The file cannot be signed with {chain.source}: {_short(str(error))}.",
                "Make room on the disk, and check the certificate.",
            ) from error


def _read(stream: IO[bytes], trusted: str) -> Provenance:
    c2pa = _library()
    try:
        with c2pa.Reader(stream, context=_context(trusted)) as reader:
            report = json.loads(reader.json())
    except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.NotSupported):
        return _nothing("The file carries no manifest.")
    except (c2pa.C2paError, ValueError) as error:
        if str(error).startswith("Remote"):
            return _nothing("The manifest of this file lies on a server, and livefake fetches nothing.")
        stream.seek(0)
        if b"jumdc2pa" not in stream.read(_HEAD):
            return _nothing("The file carries no manifest that can be found, and is damaged.")
        reason = f"The manifest is damaged: {_short(str(error))}."
        return Provenance(State.INVALID, "", reason, None, ())
    # A damaged manifest may be named and not be there.
    manifest = report.get("manifests", {}).get(report.get("active_manifest"), {})
    named = manifest.get("signature_info") or {}
    signer = _short(str(named.get("common_name") or named.get("issuer") or "somebody without a name"))
    results = report.get("validation_results", {}).get("activeManifest", {})
    codes = [str(one.get("code", "")) for one in results.get("failure", ())]
    state, reason = _judge(str(report.get("validation_state")), codes, signer)
    payload = payload_in(manifest)
    session = None if payload is None else payload.session
    return Provenance(state, signer, reason, session, actions_in(manifest), payload)


def _judge(verdict: str, codes: Sequence[str], signer: str) -> tuple[State, str]:
    """State and sentence from what the library found."""
    if verdict == "Trusted":
        return State.VALID, f"Signed by {signer}, and unchanged since."
    if verdict == "Valid" and set(codes) <= {_STRANGER}:
        reason = f"Unchanged since it was signed, but this installation does not know who signed it: {signer}."
        return State.UNTRUSTED, reason
    if any(code.endswith("mismatch") for code in codes):
        return State.INVALID, "The file was changed after it was signed."
    if any("expired" in code or "outsideValidity" in code for code in codes):
        return State.INVALID, f"The certificate of {signer} does not hold at this time."
    faults = ", ".join(code for code in codes if code != _STRANGER)
    return State.INVALID, f"The manifest is not in order: {_short(faults) or 'the library gives no reason'}."


def _nothing(reason: str) -> Provenance:
    return Provenance(State.NONE, "", reason, None, ())


def _context(trusted: str) -> Any:
    c2pa = _library()
    settings: dict[str, Any] = dict(OFFLINE)
    if trusted:
        settings["trust"] = {"trust_anchors": trusted}
    return c2pa.Context(settings=c2pa.Settings.from_dict(settings))


def _library() -> Any:
    # A native library of 40 MB: a program that signs nothing does without.
    import c2pa

    return c2pa


def _short(text: str) -> str:
    """A stranger's words, fit for a line: printable, and not long."""
    clean = "".join(character for character in " ".join(text.split()) if character.isprintable())
    return clean[:_LONGEST].rstrip(". ")


def _settle(folder: Path) -> None:
    """Have the folder's new name survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
