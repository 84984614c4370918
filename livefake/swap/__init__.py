"""Replacing a face: personas and swappers."""
