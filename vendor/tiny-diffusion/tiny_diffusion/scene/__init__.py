"""Drawings: what the bank's members look like."""
