"""Which checkpoints there are, what they are by their content, and what is wrong with them."""
