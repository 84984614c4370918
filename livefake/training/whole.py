"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["write_arrays"]


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an .npz archive; whoever opens it under its name finds all of it, also after a power cut.

    Args:
        path: where to; its folder is made when it is not there, an existing file is replaced.
        arrays: what it holds, by name.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as half:
        try:
            np.savez(half, allow_pickle=False, **arrays)
            half.flush()
            os.fsync(half.fileno())
        except BaseException:
            os.unlink(half.name)
            raise
    os.replace(half.name, path)
