"""The ways out of a session, each one kind of ``livefake.outputs.Output``."""
