# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command line share."""

from click.testing import CliRunner

from glorot.cli._app import app

RECIPE = ("--recipe", "gpt2", "--seed", "42")


def invoke(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])
