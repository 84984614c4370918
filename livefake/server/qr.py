"""QR codes of links (ISO/IEC 18004), made here: a link that is a secret goes to no service elsewhere."""

from __future__ import annotations

__all__ = ["qr_picture"]


def qr_picture(text: str) -> str:
    """A QR code as the address of an SVG picture (``data:``), black on white with the quiet zone that readers need.

    Args:
        text: of a link; a hundred characters give 37 modules a side.
    """
    import segno

    return segno.make(text, error="m", micro=False).svg_data_uri(scale=4, border=4, dark="#000", light="#fff")
