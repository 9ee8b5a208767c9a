# SPDX-License-Identifier: Apache-2.0
"""The command `glorot`; nothing of it is loaded by `import glorot`."""

import io
import sys


def main() -> None:
    """Run the command line and exit: 0, 1 (what the user can mend) or 2 (usage)."""
    from glorot.cli._app import app

    # The code page of a pipe (Windows) or the C locale may lack a character: it is spelled out.
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and out.errors in ("strict", "surrogateescape"):
        out.reconfigure(errors="backslashreplace")
    app(prog_name="glorot")
