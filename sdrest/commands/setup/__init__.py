"""`sdrest setup`: everything that the real Stable Diffusion needs, step by step."""
