"""Sends what happens to jobs to the clients that listen."""
