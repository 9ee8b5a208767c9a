# SPDX-License-Identifier: Apache-2.0
"""The command `glorot`; nothing of it is loaded by `import glorot`."""


def main() -> None:
    """Run the command line and exit: 0, 1 (what the user can mend) or 2 (usage)."""
    from glorot.cli._app import app

    app(prog_name="glorot")
