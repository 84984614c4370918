"""Where a session's pictures go beside performer and viewers, and that whoever's face is worn granted each place."""

from __future__ import annotations

from livefake.trust.consent import Output
from livefake.trust.gate import ConsentGate

__all__ = ["Audience"]


class Audience:
    """The further outputs of one session; the same may be there several times."""

    def __init__(self) -> None:
        self._outputs: list[Output] = []

    def allow(self, gate: ConsentGate | None, output: Output) -> None:
        """Pictures go there too from now on.

        Args:
            gate: of the face that is worn; None for a fictional one.
            output: the place.

        Raises:
            ConsentError: the grant does not cover it; nothing has changed.
        """
        if gate is not None:
            gate.check(output)
            gate.also(output)
        self._outputs.append(output)

    def disallow(self, gate: ConsentGate | None, output: Output) -> None:
        """One of those that took pictures there has ended."""
        self._outputs.remove(output)
        if gate is not None and output not in self._outputs:
            gate.no_longer(output)

    def wear(self, gate: ConsentGate | None) -> None:
        """Another face comes: its grant must cover every place there is now.

        Raises:
            ConsentError: it does not.
        """
        if gate is not None:
            for output in tuple(self._outputs):
                gate.check(output)
                gate.also(output)
