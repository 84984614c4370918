"""The service: pages, sessions over HTTP, metrics."""
