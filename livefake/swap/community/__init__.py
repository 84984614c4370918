"""Models that a user brings, by their contract."""
