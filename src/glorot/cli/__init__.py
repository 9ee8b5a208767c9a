# SPDX-License-Identifier: Apache-2.0
"""The command `glorot`; nothing of it is loaded by `import glorot`."""

import io
import sys


def main() -> None:
    """Run the command line and exit: 0, 1 (what the user can mend) or 2 (usage)."""
    from glorot.cli._app import app

    # A pipe may have a code page without some character (Windows): it is spelled out, no error.
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    app(prog_name="glorot")
