# SPDX-License-Identifier: Apache-2.0
"""`python -m glorot`: the same as the command `glorot`."""

from glorot.cli import main

if __name__ == "__main__":
    main()
