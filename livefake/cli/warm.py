"""``livefake warm``: do once, ahead of time, what would make the first start slow."""

from __future__ import annotations

from rich.console import Console

from livefake.cli.tools import open_studio, settings

__all__ = ["warm"]


def warm() -> None:
    """Compile the inner loops and the networks into their caches, so that the service starts at once."""
    from livefake import overlay
    from livefake.compose import light
    from livefake.faces import kernel
    from livefake.swap import finish, folded, raster
    from livefake.trust.watermark import embed, viterbi

    console = Console(stderr=True)
    studio = open_studio(console, settings())
    # Compiled code is cached when its module is imported; the modules are named here to say what there is.
    compiled = [module.__name__ for module in (overlay, kernel, light, raster, finish, folded, embed, viterbi)]
    console.print(f"Ready: {studio.engine}; compiled {', '.join(compiled)}.")
