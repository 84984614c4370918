"""What several commands share: the studio with its weights, and printing JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from livefake.errors import LivefakeError
from livefake.settings import Settings, read_settings

if TYPE_CHECKING:
    from livefake.engine.weights import Weights
    from livefake.media.recordings import Recordings
    from livefake.networks import Networks
    from livefake.studio import Studio
    from livefake.trust.erase import Revoker
    from livefake.trust.grants import GrantBook
    from livefake.trust.prober import Describe
    from livefake.trust.provenance import Provenancer

__all__ = [
    "open_networks",
    "open_provenancer",
    "open_recordings",
    "open_revoker",
    "open_studio",
    "open_weights",
    "packs_folder",
    "settings",
    "write_json",
]


def settings() -> Settings:
    """The settings that count for commands that serve nothing: the folders, from the environment.

    Raises:
        BadRequest: a variable cannot be read, or a value is out of range.
    """
    return read_settings(os.environ)


def open_weights(chosen: Settings) -> Weights:
    """The manifest's files in the cache folder.

    Raises:
        WeightsError: the manifest cannot be read.
    """
    from livefake.engine.weights import Weights
    from livefake.resources import models_folder

    return Weights(models_folder() / "manifest.toml", chosen.cache / "weights")


def packs_folder(chosen: Settings) -> Path:
    """Where this installation's own personas lie; the folder need not be there."""
    return chosen.data / "personas"


def open_provenancer(chosen: Settings) -> Provenancer:
    """What signs files, with the certificate that was chosen; it is read when something is signed."""
    from livefake.trust.provenance import Provenancer

    return Provenancer(chosen.data, certificate=chosen.c2pa_cert, key=chosen.c2pa_key)


def open_recordings(chosen: Settings) -> Recordings:
    """The folder of recordings; it need not be there.

    Raises:
        LivefakeError: the installation's key cannot be made or read.
    """
    from livefake.media.recordings import Recordings
    from livefake.trust.grants import GrantBook

    folder = chosen.recordings or chosen.data / "recordings"
    return Recordings(folder, open_provenancer(chosen), GrantBook(chosen.data))


def open_revoker(chosen: Settings, book: GrantBook) -> Revoker:
    """What takes grants back, on the command line and in the service."""
    from livefake.trust.erase import Revoker

    return Revoker(book, chosen.data)


def open_networks(chosen: Settings) -> Networks | None:
    """Begin to open the networks while everything else is imported; None where the weights have to be fetched first."""
    from livefake.networks import Networks

    weights = open_weights(chosen)
    return None if weights.missing() else Networks(weights, chosen.cache)


def open_studio(
    console: Console, chosen: Settings, describe: Describe | None = None, networks: Networks | None = None
) -> Studio:
    """Load what every swap needs, fetching the weights first when they are not there.

    Args:
        console: told what is being done.
        chosen: names the folders.
        describe: opens what tells people apart, see ``Studio``.
        networks: see ``open_networks``.

    Raises:
        LivefakeError: something is missing or damaged and cannot be fetched.
    """
    from livefake.resources import models_folder
    from livefake.studio import Studio
    from livefake.trust.grants import GrantBook
    from livefake.trust.issuer import issuer_number

    weights = open_weights(chosen)
    if networks is None and weights.missing():
        weights.fetch(console.print)
    with console.status("Loading the models"):
        studio = Studio(
            models_folder(),
            weights,
            chosen.cache,
            issuer=issuer_number(chosen.data),
            packs=packs_folder(chosen),
            grants=GrantBook(chosen.data),
            describe=describe,
            networks=networks,
        )
        studio.warm_up()
    return studio


def write_json(value: object, path: Path | None) -> None:
    """Print a value as JSON, or write it to a file.

    Raises:
        LivefakeError: the file cannot be written.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if path is None or str(path) == "-":
        print(text)
        return
    try:
        path.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise LivefakeError(f"{path} cannot be written: {error.strerror}.", "Choose another place.") from error
