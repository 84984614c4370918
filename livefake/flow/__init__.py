"""One frame through its stages: budget, mailbox, timings, quality."""
