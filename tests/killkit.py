"""Children that write grants, revocations and ledger entries as fast as they can, and are killed at random.

A program of its own: one thread, everything imported before the first fork, so that a child starts in a millisecond.

    python -m tests.killkit FOLDER ROUNDS SEED
"""

from __future__ import annotations

import json
import os
import random
import secrets
import select
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from livefake.errors import LivefakeError
from livefake.trust.grants import GrantBook
from livefake.trust.ledger import Ledger
from livefake.trust.records import Segment, segment_fields
from tests.grantkit import START, enter

CHILDREN = 2
LONGEST = 0.15
"""Seconds that a round lasts at most."""


def work(data: Path, pipe: int) -> None:
    """Write until killed; each line on the pipe says what is done, and is written after it is."""
    book = GrantBook(data)
    ledger = Ledger(data, book.key)
    count = 0
    while True:
        count += 1
        segment = Segment(START, START + 10, (count,), 300, 0, None)
        entry = ledger.append("segment", segment_fields(secrets.randbits(36), segment))
        tell(pipe, "entry", str(entry.number), entry.digest)
        grant = enter(book, count)
        tell(pipe, "grant", grant.id, grant.template)
        if count % 2:
            book.revoke(grant.id, now=START)
            tell(pipe, "revoked", grant.id, grant.template)


def tell(pipe: int, *words: str) -> None:
    """One line, which is short enough to arrive whole or not at all."""
    os.write(pipe, " ".join(words).encode() + b"\n")


def spawn(data: Path, pipe: int) -> int:
    child = os.fork()
    if not child:
        try:
            work(data, pipe)
        except (LivefakeError, OSError) as error:
            tell(pipe, "failed", str(error).replace("\n", " "))
        finally:
            os._exit(1)
    return child


def main(data: Path, rounds: int, seed: int) -> None:
    """Print what the children said, as a JSON list of lists of words."""
    chance = random.Random(seed)
    with TemporaryDirectory() as scratch:
        # Now everything is imported.
        book = GrantBook(Path(scratch))
        book.revoke(enter(book).id, now=START)
    reader, writer = os.pipe()
    said = b""
    for _ in range(rounds):
        children = [spawn(data, writer) for _ in range(CHILDREN)]
        end = time.monotonic() + chance.uniform(0.001, LONGEST)
        while (left := end - time.monotonic()) > 0:
            if select.select([reader], [], [], left)[0]:
                said += os.read(reader, 65_536)
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)
    while select.select([reader], [], [], 0)[0]:
        said += os.read(reader, 65_536)
    print(json.dumps([line.split(" ", 2) for line in said.decode().splitlines()]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
