"""Running models: weights, and the engines that run them."""
