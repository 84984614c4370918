"""The invisible mark: a luma pattern that says which session made a picture and survives re-encoding.

Embedding is in ``embed``, reading in ``detect``; both stand on ``carrier`` (where the bits live) and ``code``
(what the bits mean). The carrier is public, so that anybody can look for the mark. It is a label, not a
seal: whoever averages enough frames can estimate the pattern, remove it, or paste it elsewhere.
"""

from __future__ import annotations

from livefake.trust.watermark.code import Payload

__all__ = ["Payload"]
