"""livefake: real-time face swap on your own machine, never without a grant and never unmarked."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
