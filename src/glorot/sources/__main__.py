# SPDX-License-Identifier: Apache-2.0
"""`python -m glorot.sources SOURCE`: reads one source and prints it as JSON (see `_apart`)."""

import json
import os
import sys

from glorot.sources import read
from glorot.sources._apart import as_json


def main(source: str) -> None:
    """Print what the source says, or {"error": why it is refused}; all else goes to stderr."""
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print, in C too, is no part of the answer
    try:
        answer = as_json(read(source))
    except (ValueError, TypeError, OSError, OverflowError, MemoryError, ImportError) as error:
        answer = {"error": str(error) or "not enough memory"}
    except KeyboardInterrupt:
        sys.exit(130)
    with open(out, "w", encoding="utf-8") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main(sys.argv[1])
