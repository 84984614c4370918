"""How good a swap is: measures that no training uses as they are here."""
