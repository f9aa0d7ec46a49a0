"""Turns requests of each kind of client into calls of the job service, and results into answers."""
