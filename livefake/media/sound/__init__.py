"""The microphone's way through: untouched, in step with the picture."""
