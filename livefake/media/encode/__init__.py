"""Encoding once for many: sealed pictures in, encoded ones out to any number of takers."""
