# SPDX-License-Identifier: Apache-2.0
"""An error of the command: one line on stderr, and an exit code."""

import contextlib
from collections.abc import Iterator

import click


@contextlib.contextmanager
def mendable(debug: bool, interrupted: str = "") -> Iterator[None]:
    """What the user can mend is one line on stderr and exit code 1; `interrupted` is what to say
    besides of an interrupt."""
    try:
        yield
    except (ValueError, TypeError, OSError, OverflowError, MemoryError, ImportError) as error:
        if debug:
            raise
        text = str(error) or "not enough memory"
        if isinstance(error, OSError) and error.strerror:
            text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
        from glorot.cli._show import plain

        click.echo(f"glorot: {plain(' '.join(text.split()))}", err=True)
        raise click.exceptions.Exit(1) from None
    except KeyboardInterrupt:
        click.echo(f"glorot: interrupted.{interrupted}", err=True)
        raise click.exceptions.Exit(130) from None
