"""The journal as if it were installed; where it is, it writes down what the tests do."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
