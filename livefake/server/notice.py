"""The notice a performer reads and agrees to before the camera is used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from livefake.errors import ConsentError

__all__ = ["NOTICE", "Notice"]


@dataclass(frozen=True, slots=True)
class Notice:
    """A text to agree to. Its ``id`` changes with every word, so that a yes counts only for what was read."""

    title: str
    paragraphs: tuple[str, ...]
    tick: str

    @property
    def id(self) -> str:
        """The first 16 hexadecimal digits of SHA-256 over title, paragraphs and tick, joined by line feeds (UTF-8)."""
        text = "\n".join((self.title, *self.paragraphs, self.tick))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def check(self, read: str, accepted: bool) -> None:
        """Let a session pass only with a yes to exactly this text.

        Args:
            read: the id of the notice that the performer was shown.
            accepted: whether the tick was set.

        Raises:
            ConsentError: no yes, or a yes to another text.
        """
        if not accepted:
            raise ConsentError(
                "A session needs your agreement to the notice, and it was not given.",
                "Read the notice and set the tick before you start.",
            )
        if read != self.id:
            raise ConsentError(
                "The agreement is for another version of the notice than the one that counts now.",
                "Reload the page, read the notice and agree again.",
            )


NOTICE: Final = Notice(
    title="What happens to your picture",
    paragraphs=(
        "Your camera picture goes to the livefake service that printed this page's address, and nowhere else. "
        "livefake finds your face in it and replaces it with the persona you chose.",
        "Your voice goes along only if you choose a microphone. It is neither changed nor marked: whoever watches "
        "hears you as you are, also while a card is shown, until you mute it or stop.",
        "Every picture that leaves the service carries a visible label and an invisible mark that say it was made by "
        "livefake. Neither can be turned off. When your face cannot be replaced, viewers see the last finished "
        "picture for a moment and then a card, never your camera picture.",
        "Nothing is sent to anybody else, and neither picture nor sound is stored unless you press Record or Snapshot: "
        "those keep the finished picture, and a recording your voice too where it goes along, but never your camera's "
        "picture, on the machine where livefake runs or where this page is open. What always stays is a line in this "
        "installation's ledger for every ten seconds: the session's number, times and counts, the grant of a real "
        "person whose face you wear, this agreement, and fingerprints of the finished pictures, which cannot be turned "
        "back into pictures. It lets somebody tell later whether a picture was really shown here.",
        "The viewer link shows the finished picture to whoever has it, for as long as the session runs. "
        "Give it only to programs and people that should see you.",
        "Other people in the picture are blurred unless you choose otherwise. If you do, ask them first.",
        "Do not use livefake to pass as someone in an identity check, or to make anyone believe that you are another "
        "real person.",
    ),
    tick="This is my own face, and I agree that livefake replaces it as described.",
)
"""The notice in force."""
