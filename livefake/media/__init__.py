"""Pictures in and out: sources, sinks, codecs, containers."""
