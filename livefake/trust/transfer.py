"""Everything in a book of grants goes into one file, and comes back from it."""

from __future__ import annotations

from pathlib import Path

from livefake.errors import ConsentError
from livefake.trust.grantfile import LARGEST, Bundle, parse_bundle, render_bundle
from livefake.trust.grants import GrantBook, write_text

__all__ = ["export_all", "take_all"]


def export_all(book: GrantBook, path: Path) -> Bundle:
    """Write every grant and every revocation to one file; templates stay here.

    Returns:
        What was written.

    Raises:
        ConsentError: a grant or a revocation is damaged.
        LivefakeError: the file cannot be written.
    """
    grants = tuple(book)
    revocations = tuple(one for grant in grants if (one := book.revocation(grant.id)) is not None)
    write_text(path, render_bundle(book.operator, grants, revocations))
    return Bundle(book.operator, grants, revocations)


def take_all(book: GrantBook, path: Path) -> Bundle:
    """Put what ``export_all`` or ``GrantBook.export`` wrote into a book; what was revoked here or there is revoked.

    Everything is checked before anything is written.

    Raises:
        ConsentError: a part is damaged, was given to another installation, or differs from a grant here.
        LivefakeError: it cannot be written.
    """
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise ConsentError(f"{path} should have {LARGEST} bytes at most, got {size}.")
        bundle = parse_bundle(path.read_text("utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConsentError(f"{path} should hold grants and cannot be read: {error}.") from error
    if bundle is None:
        return Bundle(book.operator, (book.take(path),), ())
    if bundle.operator != book.operator:
        raise ConsentError(
            f"The grants in {path} were given to another installation.",
            "Bring that installation's issuer.key into the data folder, or ask for new grants.",
        )
    here = set(book.ids())
    for grant in bundle.grants:
        if grant.id in here and book.find(grant.id) != grant:
            raise ConsentError(f"There is another grant with the id {grant.id} already.")
    # First: no grant is in the book for a moment as if it were not revoked.
    for revocation in bundle.revocations:
        book.end(revocation)
    for grant in bundle.grants:
        book.add(grant)
    return bundle
