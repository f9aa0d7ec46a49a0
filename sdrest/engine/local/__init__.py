"""Runs scripts on this machine: a pool of runner processes, their output, why they failed."""
