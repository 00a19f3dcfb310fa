"""`python tests/golden`: see the package's first lines."""

import sys
from pathlib import Path

# Run as a folder, this has its own folder first on the path, where the package cannot be imported from.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from golden.command import main  # type: ignore[import-not-found]  # noqa: E402

sys.exit(main())
