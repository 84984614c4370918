"""Putting a replacement back into the picture."""
