"""``python -m livefake``."""

from __future__ import annotations

from livefake.cli.main import main

main()
