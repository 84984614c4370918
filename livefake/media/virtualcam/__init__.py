"""A camera that other programs on this computer can choose, showing a session's sealed pictures."""
