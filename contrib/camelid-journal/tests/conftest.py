"""The journal as if it were installed; contrib is not a part of the workspace."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
