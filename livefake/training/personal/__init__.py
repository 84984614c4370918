"""A consented person's takes to a network of their own: fine-tuning, its plan, its jobs and what it hands out."""
