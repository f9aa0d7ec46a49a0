"""Reads requests: bodies, uploads, and who may make them."""
