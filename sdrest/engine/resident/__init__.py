"""What makes a host last: models that stay, traces of scripts that go, interrupts. See `host.py`.

These files run inside the host, in the repository's Python. They need Python 3.8 and its standard
library, nothing else of sdrest.
"""
