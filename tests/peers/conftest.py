import sys
from pathlib import Path

# What surrounds the launch blueprint in its own tests surrounds it here too.
sys.path.append(str(Path(__file__).parents[1] / "launch"))
