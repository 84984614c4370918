"""Counts the blocks of memory that numpy takes for arrays, OpenCV's results among them, stage by stage.

``tracemalloc`` knows what is held, not what was taken and given back at once; a copy of a whole picture that lives for
a millisecond shows only here. numpy lets a program put its own allocator in place (NEP 49); this one counts and hands
on to the C library. Not seen is what C++ libraries and compiled numba code take for themselves.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from numpy._core import multiarray

from livefake.clock import Nanos
from livefake.flow.outcome import Outcome

__all__ = ["Heap", "StageHeap"]

_SET_HANDLER: Final = 304
"""Place of ``PyDataMem_SetHandler`` in numpy's table of C functions, part of its stable interface since 1.22."""

_MALLOC: Final = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_CALLOC: Final = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
_REALLOC: Final = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_FREE: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class _Allocator(ctypes.Structure):
    _fields_ = (
        ("ctx", ctypes.c_void_p),
        ("malloc", _MALLOC),
        ("calloc", _CALLOC),
        ("realloc", _REALLOC),
        ("free", _FREE),
    )


class _Handler(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("allocator", _Allocator))


@dataclass(frozen=True, slots=True)
class StageHeap:
    """What one stage takes for arrays in a frame, mean over the frames.

    Attributes:
        blocks: how many.
        bytes: of all of them; whatever is copied anew lies in one of them.
        planes: blocks as large as a luma plane of the picture, or larger.
    """

    blocks: float
    bytes: float
    planes: float


class _Counter:
    """The allocator in numpy's form, and what it has counted.

    Arrays remember who made them and are given back there, some of them when the program ends. So there is one of it,
    and what C code points to is never freed.
    """

    def __init__(self) -> None:
        self.sizes: list[int] = []
        libc = ctypes.CDLL(None)
        for name, kind in (("malloc", _MALLOC), ("calloc", _CALLOC), ("realloc", _REALLOC), ("free", _FREE)):
            function = getattr(libc, name)
            # numpy's have a context in front, and ``free`` is told the size too.
            function.argtypes = (ctypes.c_void_p,) if name == "free" else kind._argtypes_[1:]
            function.restype = kind._restype_
        note = self._note
        functions = (
            _MALLOC(lambda _, size: note(size, libc.malloc(size))),
            _CALLOC(lambda _, count, size: note(count * size, libc.calloc(count, size))),
            _REALLOC(lambda _, place, size: note(size, libc.realloc(place, size))),
            _FREE(lambda _, place, size: libc.free(place)),
        )
        handler = _Handler(b"livefake", 1, _Allocator(None, *functions))
        for kept in (*functions, handler):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
        self.capsule = _new_capsule(ctypes.addressof(handler), b"mem_handler", None)

    def _note(self, size: int, place: int) -> int:
        self.sizes.append(size)
        return place


_counter: Final = cache(_Counter)


class Heap:
    """Observer of a pipeline that tells by stage what was taken while it counts."""

    def __init__(self) -> None:
        self._stages: dict[str, list[int]] = {}
        self._frames = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count from here to the end of the block, on this thread."""
        self._stages, self._frames = {}, 0
        before = _set_handler(_counter().capsule)
        try:
            yield
        finally:
            _set_handler(before)

    def begin(self) -> None:
        """A frame begins; what was taken to make it belongs to no stage."""
        _counter().sizes.clear()

    def stage(self, name: str, wall: Nanos, cpu: Nanos) -> None:
        """A stage has run; see ``Observer``."""
        self._stages.setdefault(name, []).extend(_counter().sizes)
        _counter().sizes.clear()

    def frame(self, outcome: Outcome, wall: Nanos, cpu: Nanos) -> None:
        """A frame is through; see ``Observer``."""
        self._frames += 1

    def report(self, plane: int) -> Mapping[str, StageHeap]:
        """What each stage took.

        Args:
            plane: bytes of a luma plane.
        """
        frames = max(1, self._frames)
        return {
            name: StageHeap(
                round(len(sizes) / frames, 2),
                round(sum(sizes) / frames, 1),
                round(sum(size >= plane for size in sizes) / frames, 3),
            )
            for name, sizes in self._stages.items()
        }


def _table() -> Any:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    table = get(multiarray._ARRAY_API, None)
    return ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))


_new_capsule: Final = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype, _new_capsule.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_set_handler: Final = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(_table()[_SET_HANDLER])
