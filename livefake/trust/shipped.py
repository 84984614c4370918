"""The personas that come with livefake, by their files: nobody's face, and known to be.

A folder beside them that says the same of itself is not on this list, whatever its checksums say.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from livefake.swap.persona import Kind, PersonaCard

__all__ = ["SHIPPED", "is_shipped"]

# fmt: off
SHIPPED: Final[Mapping[str, str]] = MappingProxyType({
    "amparo": "c4f02e0e599d79d9fabecf2a8a1c7384afd67f9f476e27eba0fea5257cd7e2b5",
    "edgar": "606d16a7c06cc597cdd92ab3f938c0e4be8d249ede46b7e02a9cf74305e8692c",
    "inger": "970737c795fc4f7898934ca401512ef7b4fa4fc341194ad555f3fe05ee6b972b",
    "kofi": "31528d7eb55f0c5fd797259bf5897d338d74ac76d0dae2a12eea824ede5ca27f",
    "mara": "af1ca72d7f00810a2e5031edc4e7592db2c2e6829c70c579bbd9f07ef6872952",
    "nils": "643cee72d1137499e9b4f4a35d416a0a008f914e7d735eb2bbcfa33022bddf26",
    "ravi": "9a29124433417fa67556f194a0824598ba4dfcf1561d06f35f875b5f963b83cd",
    "zola": "b6aed92c36420a8ccbc7f7917dc8846f6df1d4a8edae3d3392755e3ba5b897b7",
})
"""``PersonaCard.content`` of each, by id."""
# fmt: on


def is_shipped(card: PersonaCard) -> bool:
    """Whether a persona is one that comes with livefake, its checksums included; the files are checked elsewhere."""
    return card.kind is Kind.FICTIONAL and SHIPPED.get(card.id) == card.content
