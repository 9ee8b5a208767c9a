# SPDX-License-Identifier: Apache-2.0
"""The initializers of glorot as Keras initializers, registered as "glorot>GlorotUniform"."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import keras

import glorot
from glorot import _registry
from glorot.keras._base import Initializer, register

Self = TypeVar("Self", bound="VarianceScaling")


@register
class Zeros(Initializer):
    """`glorot.Zeros` for Keras."""


@register
class Ones(Initializer):
    """`glorot.Ones` for Keras."""


@register
class Constant(Initializer):
    """`glorot.Constant` for Keras."""


@register
class Identity(Initializer):
    """`glorot.Identity` for Keras."""


@register
class Dirac(Initializer):
    """`glorot.Dirac` for Keras."""


@register
class RandomUniform(Initializer):
    """`glorot.RandomUniform` for Keras."""


@register
class RandomNormal(Initializer):
    """`glorot.RandomNormal` for Keras."""


@register
class TruncatedNormal(Initializer):
    """`glorot.TruncatedNormal` for Keras."""


@register
class VarianceScaling(Initializer, keras.initializers.VarianceScaling):
    """`glorot.VarianceScaling` for Keras.

    It is a Keras `VarianceScaling` too, so that `EinsumDense`, and with it the attention layers,
    tells it which axes of its kernel are input and output.  Those that are neither number separate
    matrices (experts), since the layer sums over none of them.
    """

    scale = property(lambda self: self.initializer.scale)
    mode = property(lambda self: self.initializer.mode)
    distribution = property(lambda self: self.initializer.distribution)
    input_axes = property(lambda self: self._axes("input_axes"))
    output_axes = property(lambda self: self._axes("output_axes"))
    _told = False  # the axes came from a layer

    def _axes(self, option: str) -> tuple[int, ...] | None:
        """None where nobody said anything: what makes `EinsumDense` say it."""
        init: Any = self.initializer
        said = init.layout is not None or init.equation is not None
        axes: tuple[int, ...] | None = () if said else getattr(init, option)
        return axes

    def _for(self, shape: tuple[int, ...]) -> glorot.Initializer:
        init: Any = self.initializer
        if not self._told:
            return init
        ndim = len(shape)
        known = {axis % ndim for axis in (*init.input_axes, *init.output_axes)}
        batch = tuple(axis for axis in range(ndim) if axis not in known)
        made: glorot.Initializer = init.replace(batch_axes=batch)
        return made

    def get_config(self) -> dict[str, Any]:
        """Return the options as a dict that JSON can hold and `from_config` reads.

        Where the axes are the user's, `batch_axes` is among them; layers do not know of it.
        """
        config = super().get_config()
        if "input_axes" in config and not self._told:
            config.setdefault("batch_axes", [])
        return config

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """Return the initializer that `get_config`, or a layer that adds its axes, described."""
        made = cls(**config)
        made._told = config.get("input_axes") is not None and "batch_axes" not in config
        return made


@register
class GlorotUniform(VarianceScaling):
    """`glorot.GlorotUniform` for Keras.

    Examples:
        >>> import glorot.keras, keras, numpy as np
        >>> init = glorot.keras.GlorotUniform(seed=42, name="w")
        >>> value = keras.ops.convert_to_numpy(init((2, 2)))
        >>> bool((value == glorot.GlorotUniform(seed=42)((2, 2), name="w")).all())
        True
    """


@register
class GlorotNormal(VarianceScaling):
    """`glorot.GlorotNormal` for Keras."""


@register
class HeUniform(VarianceScaling):
    """`glorot.HeUniform` for Keras."""


@register
class HeNormal(VarianceScaling):
    """`glorot.HeNormal` for Keras."""


@register
class LecunUniform(VarianceScaling):
    """`glorot.LecunUniform` for Keras."""


@register
class LecunNormal(VarianceScaling):
    """`glorot.LecunNormal` for Keras."""


@register
class Orthogonal(Initializer):
    """`glorot.Orthogonal` for Keras."""


@register
class DeltaOrthogonal(Initializer):
    """`glorot.DeltaOrthogonal` for Keras."""


@register
class Sparse(Initializer):
    """`glorot.Sparse` for Keras."""


@register
class SamplingOffsets(Initializer):
    """`glorot.SamplingOffsets` for Keras."""


@register
class SinCosGrid(Initializer):
    """`glorot.SinCosGrid` for Keras."""


@register
class Sinusoids(Initializer):
    """`glorot.Sinusoids` for Keras."""


@register
class LogArange(Initializer):
    """`glorot.LogArange` for Keras."""


@register
class LogOfUniform(Initializer):
    """`glorot.LogOfUniform` for Keras."""


@register
class TimeStep(Initializer):
    """`glorot.TimeStep` for Keras."""


@register
class Blocks(Initializer):
    """`glorot.Blocks` for Keras; the blocks may be Keras initializers of this module."""

    def __init__(self, initializers: Any, *args: Any, **options: Any) -> None:
        super().__init__(_unwrapped(initializers), *args, **options)


def _unwrapped(given: Any) -> Any:
    """glorot's initializers, and what it makes some of, from those of this module."""
    if isinstance(given, Initializer):
        if given.seed is not None or given.name:
            raise ValueError(
                f"a block must have no seed and no name of its own, got {given!r}. Give them to "
                "Blocks."
            )
        return given.initializer
    if isinstance(given, Iterable) and not isinstance(given, (str, Mapping)):
        return [_unwrapped(each) for each in given]
    return given


def wrap(initializer: glorot.Initializer, *, seed: Any = None, name: str = "") -> Initializer:
    """Return one of glorot's initializers as a Keras initializer.

    Args:
        initializer: one of glorot's, or what `glorot.get` makes one of.
        seed: in place of the initializer's own.
        name: of the weight.

    Examples:
        >>> import glorot, glorot.keras
        >>> glorot.keras.wrap(glorot.get("kaiming_normal"), seed=42)
        VarianceScaling(scale=2.0, mode='fan_in', distribution='untruncated_normal', seed=42)
    """
    found = _registry.get_ours(initializer)
    config = dict(found._config)
    if config.get("dtype") == "float32":
        del config["dtype"]
    if found.random:
        config |= {"seed": config.get("seed") if seed is None else seed, "name": name}
    return _CLASSES[type(found).__name__](**config)


_CLASSES: dict[str, type[Initializer]] = {
    cls.__name__: cls
    for cls in (
        *(Zeros, Ones, Constant, Identity, Dirac),
        *(RandomUniform, RandomNormal, TruncatedNormal, VarianceScaling),
        *(GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal),
        *(Orthogonal, DeltaOrthogonal, Sparse, SamplingOffsets, SinCosGrid, Sinusoids),
        *(LogArange, LogOfUniform, TimeStep, Blocks),
    )
}
