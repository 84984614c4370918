"""The notice a person reads and agrees to before their face is checked and a grant is signed."""

from __future__ import annotations

from typing import Final

from livefake.server.notice import Notice

__all__ = ["ENROL_NOTICE", "notice_text"]

ENROL_NOTICE: Final = Notice(
    title="Before you agree",
    paragraphs=(
        "You decide whether this livefake installation may use your face. If you sign, it may learn to draw your face "
        "and let somebody appear with it, only where you allow it below, and only until the day that stands there. "
        "Every picture carries a visible label and an invisible mark that say it was made by AI.",
        "First comes a short check that you are here yourself: your camera and your microphone go to this "
        "installation, and you are asked for a few movements and to read a number aloud. Pictures and sound of the "
        "check are not kept.",
        "Kept are the grant that you sign (your name, times, what you allowed, how the check went, a hash of the "
        "sound), and 128 numbers that describe your face, encrypted, to recognise it. If you do not sign, nothing is "
        "kept.",
        "If a persona is trained from footage of you, its pictures and its network are kept beside it.",
        "You can take it back at any time, without a reason, at a link that only you get. Running pictures with your "
        "face stop within five seconds, and the numbers, the pictures and the network are deleted. The signed grant "
        "stays as proof that you had agreed until then. What others have recorded is not called back by this.",
        "Nobody can sign for you: do this alone, for your own face, and only if you are of age.",
    ),
    tick="This is my own face, and I agree that it is checked and described as written here.",
)
"""The notice in force."""


def notice_text(notice: Notice) -> str:
    """All of a notice as one text, whose SHA-256 the grant carries; ``Notice.id`` is the beginning of it."""
    return "\n".join((notice.title, *notice.paragraphs, notice.tick))
