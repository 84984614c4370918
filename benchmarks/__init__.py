"""Measurements that anyone can repeat."""

import os

# Read when numpy is loaded; see ``livefake.cli.main``.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
