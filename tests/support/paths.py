"""Where the tests find their data and stand-ins."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
FAKES = ROOT / "tests" / "fakes"
