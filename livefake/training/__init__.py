"""Making the weights of the swap model: rendered people, the network, its losses and its training."""
