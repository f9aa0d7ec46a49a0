"""Run tasks on other machines: the executor of the front, and the workers."""
