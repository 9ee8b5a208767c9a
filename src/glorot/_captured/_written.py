# SPDX-License-Identifier: Apache-2.0
"""What code draws that calls this library's own initializers."""

from glorot import _laws
from glorot._blocks import _BlocksWriter
from glorot._captured import _drawn
from glorot._captured._drawn import Drawn, Fixed, Given, Unknown
from glorot._constants import _PlacesWriter, _ValueWriter
from glorot._writers import LawWriter, WholeWriter, Writer


def written(writer: Writer) -> Drawn:
    """Return what a writer gives the whole of its weight."""
    match writer:
        case LawWriter():
            return _of_law(writer.law)
        case _ValueWriter():
            return Fixed(writer.value)
        case WholeWriter() | _BlocksWriter() | _PlacesWriter():
            return Given(writer.by, writer.shape)
    return Unknown(f"what a {type(writer).__name__} writes")


def _of_law(law: _laws.Law) -> Drawn:
    match law:
        case _laws.Uniform():
            return _drawn.uniform(*(law.bounds or (law.mean - law.scale, law.mean + law.scale)))
        case _laws.TruncatedNormal():
            return _drawn.Normal(law.mean, law.scale, law.lower, law.upper)
        case _laws.Normal():
            return _drawn.Normal(law.mean, law.scale)
    return Unknown(f"{law}")
