"""The program that runs scripts inside the fork's Python: standard library only, Python 3.8."""
