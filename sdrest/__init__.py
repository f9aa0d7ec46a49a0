"""A REST server that turns prompts and images into pictures with Stable Diffusion."""

__version__ = "0.1.0"
