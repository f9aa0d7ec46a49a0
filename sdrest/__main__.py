"""`python -m sdrest` and the console script `sdrest`."""

import sys

from sdrest.cli import main

if __name__ == "__main__":
    sys.exit(main())
