"""Trying personas on and comparing whose faces come out with the grants, once for each persona and set of grants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.errors import BadPersona, ConsentError, EngineError
from livefake.faces.detect import Detector
from livefake.faces.identity import Describer, IdentityNet
from livefake.faces.landmarks import LandmarkNet
from livefake.frame import Bytes, Frame
from livefake.swap.base import Swapper
from livefake.swap.finisher import Finisher
from livefake.swap.persona import SIDES, PersonaCard, view_files
from livefake.trust.grants import GrantBook
from livefake.trust.probe import Verdict, judge
from livefake.trust.rehearsal import Rehearsal, Sight, Wearing
from livefake.trust.shipped import is_shipped
from livefake.trust.verdicts import VerdictStore

__all__ = ["Describe", "Here", "Prober"]

Dress = Callable[[], tuple[Swapper, Finisher | None]]
"""Opens what wears a persona; called only when it has to be tried on."""

Describe = Callable[[], AbstractContextManager[Describer]]
"""Opens what describes faces; raises EngineError where nothing can."""

_REMEMBERED: Final = 64


class Here:
    """Describes faces in this process, which stands still meanwhile; for programs that do nothing else."""

    def __init__(self) -> None:
        self._net: IdentityNet | None = None
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self) -> Iterator[Describer]:
        """The network, opened at the first use and kept; for one thread at a time."""
        with self._lock:
            self._net = self._net or IdentityNet()
            yield self._net


class Prober:
    """Says whether a persona may be worn by whose face it shows.

    Any thread may ask; one persona is tried on by one thread at a time.

    Args:
        book: gives the grants; None where there are none, and so nobody to compare with.
        cache: folder that may be written.
        networks: a detector and a landmark network.
        performers: pictures of fictional performers, for a persona.
        describe: opens what describes faces.
    """

    def __init__(
        self,
        book: Callable[[], GrantBook | None],
        cache: Path,
        *,
        networks: Callable[[], tuple[Detector, LandmarkNet]],
        performers: Callable[[PersonaCard], Sequence[Frame]],
        describe: Describe,
    ) -> None:
        self._book = book
        self._cache = cache
        self._networks = networks
        self._performers = performers
        self._describe = describe
        self._sights: dict[str, Sight] = {}
        self._lock = threading.Lock()
        self._looking: dict[str, threading.Lock] = {}

    def check(self, card: PersonaCard, dress: Dress) -> Verdict | None:
        """Compare the faces that come out of a persona with every grant that was not revoked.

        Args:
            card: of the persona; its files are those it names.
            dress: opens what wears it.

        Returns:
            The verdict; None for a persona that comes with livefake where nothing can be compared.

        Raises:
            ConsentError: it must not be worn: see ``livefake.trust.probe.judge``; or nobody can tell.
            BadPersona: a picture of it cannot be read.
        """
        known = is_shipped(card)
        book = self._book()
        faces = {} if book is None else book.faces()
        if known and not faces:
            return None
        if book is None:
            raise ConsentError(f"{card.title} cannot be compared with any grant: there is no book of grants here.")
        store = VerdictStore(self._cache, book.key)
        digests = {id: digest for id, (_, digest) in faces.items()}
        if (verdict := store.find(card.content, card.grant, digests)) is not None:
            return verdict
        with self._alone(card):
            sight = self._sight(card, dress, store if known else None)
        if sight is None:
            return None
        templates = {id: template for id, (template, _) in faces.items()}
        verdict = judge(
            card.title,
            grant=card.grant,
            embeddings=sight.embeddings,
            pictures=sight.pictures,
            templates=templates,
        )
        store.keep(verdict, card.content, digests)
        return verdict

    def remember(self, cards: Sequence[PersonaCard]) -> None:
        """Forget the faces of every persona but these: somebody's may be among those that are gone."""
        contents = {card.content for card in cards}
        with self._lock:
            for content in self._sights.keys() - contents:
                del self._sights[content]

    def look(self, card: PersonaCard, dress: Dress) -> Sight:
        """What comes out of a persona that was brought, whoever that is; arguments as for ``check``.

        Raises:
            ConsentError: nobody can tell.
        """
        with self._alone(card):
            sight = self._sight(card, dress, None)
        if sight is None:
            raise ConsentError(f"Nobody can tell whose face {card.title} is.")
        return sight

    @contextmanager
    def _alone(self, card: PersonaCard) -> Iterator[None]:
        """Whoever wants the same persona waits, and then finds what came out; another one is not held up by it."""
        with self._lock:
            lock = self._looking.setdefault(card.content, threading.Lock())
        with lock:
            yield

    def _sight(self, card: PersonaCard, dress: Dress, store: VerdictStore | None) -> Sight | None:
        """What comes out; ``store`` is that of a persona that comes with livefake, None for any other."""
        sight = self._sights.get(card.content)
        if sight is None and store is not None:
            sight = store.find_faces(card.content)
        if sight is None:
            with ExitStack() as stack:
                try:
                    identity = stack.enter_context(self._describe())
                except EngineError as error:
                    if store is not None:
                        return None
                    raise ConsentError(
                        f"{card.title} is worn only after the face that comes out was compared with the grants. "
                        f"{error.problem}",
                        error.remedy,
                    ) from error
                sight = self._tried_on(card, dress, identity)
            if store is not None:
                store.keep_faces(sight, card.content)
        # Numbers of a face stay in memory, and not of more faces than a person switches between.
        with self._lock:
            if len(self._sights) >= _REMEMBERED:
                self._sights.pop(next(iter(self._sights)))
            self._sights[card.content] = sight
        return sight

    def _tried_on(self, card: PersonaCard, dress: Dress, identity: Describer) -> Sight:
        detector, landmarks = self._networks()
        try:
            swapper, finisher = dress()
            wearing = Wearing(detector, landmarks, swapper, finisher)
            look = Rehearsal(detector, landmarks, identity)
            return look(wearing, self._performers(card), _pictures(card))
        except EngineError as error:
            raise ConsentError(
                f"{card.title} cannot be tried on, so nobody can tell whose face it is. {error.problem}", error.remedy
            ) from error


def _pictures(card: PersonaCard) -> list[Bytes]:
    names = ["face.png", *(view_files(side)[0] for side in SIDES)]
    found = []
    for name in names:
        if name not in card.files:
            continue
        picture = cv2.imread(str(card.folder / name), cv2.IMREAD_COLOR)
        if picture is None:
            raise BadPersona(f"{name} of {card.id} should be a picture and cannot be read.")
        found.append(np.asarray(picture, np.uint8))
    return found
