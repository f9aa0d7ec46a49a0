"""`sdrest cluster`: what a cluster of several machines needs."""
