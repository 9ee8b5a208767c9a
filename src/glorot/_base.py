# SPDX-License-Identifier: Apache-2.0
"""What every initializer is: a frozen value that is called with a shape.

The work of one (initializer, shape, dtype) is prepared once, checks and fans included, as a
`Writer`, and kept: the next call costs the allocation and the kernel.
"""

import functools
import math
import operator
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np

from glorot import _shard
from glorot._check import check_extent, parse_shape, parse_sizes, show
from glorot._dtypes import ALL, dtype_name, parse_dtype
from glorot._fans import Axes
from glorot._laws import Law
from glorot._memory import empty
from glorot._stream import STREAM_VERSION, check_name, check_seed
from glorot._writers import Array, LawWriter, Place, Writer

Self = TypeVar("Self", bound="Initializer")

_DEFAULT_AXES = Axes()


def check_stream(version: object) -> int:
    """Return the stream's version if this library has it."""
    if version != STREAM_VERSION:
        raise ValueError(
            f"`stream` must be {STREAM_VERSION}, the only version so far, got {show(version)}. "
            "A config of a later stream needs a later glorot."
        )
    return STREAM_VERSION


def read_axes(
    owner: type, options: Mapping[str, Any], allowed: type
) -> tuple[Axes, dict[str, object]]:
    """(axes, those options that are not default) from a constructor's axes options."""
    if not options:  # most initializers: nothing to read, and making one stays cheap
        return _DEFAULT_AXES, {}
    choices = allowed.__annotations__
    unknown = [option for option in options if option not in choices]
    if unknown:
        import inspect  # only errors need it

        own = [
            p.name for p in inspect.signature(owner).parameters.values() if p.kind != p.VAR_KEYWORD
        ]
        raise TypeError(
            f"{owner.__name__} has no option {unknown[0]!r}. Its options are {', '.join(own)}; its "
            f"axes options {', '.join(choice for choice in choices if choice != 'stream')}."
        )
    axes = Axes(**{k: v for k, v in options.items() if k != "stream"})
    check_stream(options.get("stream", STREAM_VERSION))
    return axes, axes.changed


class Initializer:
    """The base of all initializers; they compare, hash, print and serialise by their options.

    Attributes:
        seed: the default seed, or None.
        dtype: the name of the default dtype.
    """

    seed: int | None = None
    dtype: str
    random: bool = True  # draws numbers: needs a seed, and gives floats only
    needs_matrix: ClassVar[bool] = False  # no element can be drawn without all others
    axes_options: ClassVar[tuple[str, ...]] = ()  # which of the axes options the class takes
    _key: tuple[Any, ...]
    _hash: int
    _config: dict[str, Any]
    _axes: Axes = _DEFAULT_AXES

    def _freeze(
        self,
        dtype: Any,
        options: dict[str, Any],
        extra: dict[str, Any] | None = None,
        axes: Axes | None = None,
    ) -> None:
        """Keep the checked options: `extra` are those shown only because they are not default."""
        config = dict(options)
        if self.random:
            seed = config["seed"]
            config["seed"] = None if seed is None else check_seed(seed)
        config["dtype"] = dtype_name(parse_dtype(dtype, floating=self.random))
        config |= extra or {}
        key = (type(self), *config.items())
        if axes is not None:
            self.__dict__.update(axes.options, _axes=axes)
        self.__dict__.update(config)
        self.__dict__.update(_config=config, _key=key, _hash=hash(key))

    def __setattr__(self, name: str, value: object = None) -> None:
        raise AttributeError(
            f"{type(self).__name__} cannot be changed; use .replace({name}=...) for a new one."
        )

    __delattr__ = __setattr__

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        silent = {"seed": None, "dtype": "float32"}
        shown = (f"{k}={v!r}" for k, v in self._config.items() if silent.get(k, self) != v)
        return f"{type(self).__name__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_config, (self.get_config(),)

    def get_config(self) -> dict[str, Any]:
        """Return the options as a dict that JSON can hold and `from_config` reads.

        Keyword-only options are left out where they have their defaults.

        Examples:
            >>> import glorot
            >>> glorot.GlorotUniform(seed=1).get_config()
            {'seed': 1, 'dtype': 'float32', 'stream': 1}
        """
        config = {k: list(v) if isinstance(v, tuple) else v for k, v in self._config.items()}
        return config | {"stream": STREAM_VERSION} if self.random else config

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """Return the initializer that `get_config` described; `config` is only read.

        Examples:
            >>> import glorot
            >>> glorot.GlorotUniform.from_config({"seed": 1, "dtype": "float32"})
            GlorotUniform(seed=1)
        """
        return cls(**config)

    def replace(self: Self, **changes: Any) -> Self:
        """Return an initializer of the same class with some options changed.

        Examples:
            >>> import glorot
            >>> glorot.GlorotUniform(seed=1).replace(dtype="bfloat16")
            GlorotUniform(seed=1, dtype='bfloat16')
        """
        return type(self)(**(self._config | changes))

    def scaled(self: Self, factor: float) -> Self:
        """Return the initializer of the same law with its standard deviation (and bound) times
        `factor`; a mean stays.

        Raises:
            TypeError: no option scales its values: `Ones`, `Constant`, `Dirac`, `LogArange`,
                `LogOfUniform`, `TimeStep`, `SamplingOffsets`, `SinCosGrid`, `Sinusoids`, and
                `Blocks` of one of these.

        Examples:
            >>> import glorot
            >>> glorot.RandomNormal(stddev=0.02).scaled(0.5)
            RandomNormal(mean=0.0, stddev=0.01)
        """
        raise TypeError(
            f"{type(self).__name__} has no spread to scale. Give the value itself, or use an "
            "initializer with a `stddev`, a `gain` or a `scale`."
        )

    def fans(self, shape: Any) -> tuple[float, float]:
        """Return (fan_in, fan_out) of a whole weight of this shape.

        Examples:
            >>> import glorot
            >>> glorot.GlorotUniform().fans((3, 3, 4, 8))
            (36.0, 72.0)
            >>> glorot.GlorotUniform(layout="torch.conv", groups=4).fans((8, 1, 3, 3))
            (9.0, 18.0)
        """
        return self._axes.fans(parse_shape(shape))

    def law(self, shape: Any) -> Law | None:
        """Return the law that each element of a whole weight of this shape follows on its own, or
        None where there is none: constants, and those that need the whole matrix."""
        del shape
        return None

    def expected_stddev(self, shape: Any) -> float:
        """Return the standard deviation promised for the values of a weight of this shape.

        It is the root of the mean square around the law's mean; 0.0 for constants.

        Examples:
            >>> import glorot
            >>> glorot.TruncatedNormal(stddev=1.0).expected_stddev((3, 4))
            0.8796256610342398
        """
        law = self.law(shape)
        return 0.0 if law is None else law.stddev

    def expected_mean(self, shape: Any) -> float:
        """Return the mean of a law, or the value of a constant; else 0.0.

        Examples:
            >>> import glorot
            >>> glorot.RandomNormal(mean=1.0).expected_mean((3, 4)), glorot.Ones().expected_mean(())
            (1.0, 1.0)
        """
        law = self.law(shape)
        return 0.0 if law is None else law.mean

    def _narrower(self, shape: tuple[int, ...], inputs: float, outputs: float) -> float:
        """How many times its variance a weight of so many times fewer inputs and outputs has."""
        del shape, inputs, outputs
        return 1.0

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        """Check that a weight of this shape and dtype can be had, and return what writes it;
        with `place`, as that block of a larger weight."""
        raise NotImplementedError

    def _seed(self, seed: Any) -> int:
        if seed is not None:
            return check_seed(seed)
        if self.seed is None:
            if not self.random:
                return 0
            raise ValueError(
                f"`seed` is missing: give one to the call, init(shape, seed=42), or to "
                f"{type(self).__name__}(seed=42). Nothing is random by accident here."
            )
        return self.seed

    def __call__(
        self,
        shape: Any,
        dtype: Any = None,
        partition_info: Any = None,
        *,
        seed: int | None = None,
        name: str = "",
        shard: Any = None,
        out: Array | None = None,
    ) -> Array:
        """Return the initial value of the weight `name`, a pure function of seed, name and index.

        Equal seed and name give equal random words, whatever the shape or the initializer: two
        weights that must differ need two names (`glorot.Scope` hands them out).

        Args:
            shape: of the whole weight (of the part, with `partition_info`); 0 sizes are fine.
            dtype: of the result, in place of the initializer's own; names and the dtype objects
                of every framework work.
            partition_info: what TensorFlow passes for one part of a partitioned variable, or any
                object with `full_shape` and `var_offset`.
            seed: 0 <= seed < 2**64, in place of the initializer's own.
            name: of the weight, any text.
            shard: the part wanted: a `glorot.Shard`, or slices. The result equals the whole
                indexed by it, and fans are those of the whole.
            out: an array to write in place and return; its dtype wins, any strides.

        Raises:
            ValueError: no seed anywhere; a shape, shard or `out` that does not fit; a law whose
                largest value overflows the dtype.
            TypeError: a dtype that is not supported; both `shard` and `partition_info`.

        Examples:
            >>> import glorot
            >>> init = glorot.GlorotUniform(seed=42)
            >>> w = init((784, 256), name="encoder.kernel")
            >>> w.shape, w.dtype, float(abs(w).max()) < (6 / (784 + 256)) ** 0.5
            ((784, 256), dtype('float32'), True)
            >>> rows = init((784, 256), name="encoder.kernel", shard=(slice(392, None),))
            >>> bool((rows == w[392:]).all())
            True
        """
        whole = extent = parse_sizes(shape)
        start = None
        if shard is not None:
            if partition_info is not None:
                raise TypeError("`shard` and `partition_info` both say which part; give one.")
            start, extent = _shard.parse_shard(shard, whole)
        elif partition_info is not None:
            start, whole = _shard.parse_partition(partition_info, extent)
        number = self._seed(seed)
        check_name(name)
        if out is None:
            wanted = ALL[self.dtype] if dtype is None else parse_dtype(dtype, floating=self.random)
            writer = _prepared(self, whole, wanted)
            out = empty(extent, wanted)
        else:
            writer = _prepared(self, whole, self._check_out(out, extent, dtype))
        writer.part(out, start, number, name)
        return out

    def _check_out(self, out: Any, extent: tuple[int, ...], dtype: Any) -> np.dtype[Any]:
        if not isinstance(out, np.ndarray):
            raise TypeError(f"`out` must be a NumPy array, got {type(out).__name__}.")
        wanted = parse_dtype(out.dtype, floating=self.random, argument="out.dtype")
        if not out.dtype.isnative:
            raise TypeError(f"`out` must have the machine's byte order, got {out.dtype!r}.")
        if dtype is not None and parse_dtype(dtype, floating=self.random) != wanted:
            raise TypeError(
                f"`dtype`={show(dtype)} and `out` of {dtype_name(wanted)} disagree. "
                "Leave `dtype` out."
            )
        if out.shape != extent:
            raise ValueError(f"`out` must have the result's shape {show(extent)}, got {out.shape}.")
        if not out.flags.writeable:
            raise ValueError("`out` must be writeable, got a read-only array. Pass a copy.")
        if not out.flags.c_contiguous and _overlaps(out):
            raise ValueError(
                f"`out` must hold each element in memory of its own, got shape {out.shape} with "
                f"strides {out.strides}, which overlap. Pass a copy."
            )
        return wanted

    def fill_range(
        self, out: Array, shape: Any, start: int, *, seed: int | None = None, name: str = ""
    ) -> None:
        """Write elements [start, start + len(out)) of the whole weight, flattened row-major, into
        the 1-D array `out`.

        Laws compute that range alone; `Orthogonal`, `DeltaOrthogonal` and `Sparse` compute the
        whole weight each time.

        Examples:
            >>> import glorot
            >>> import numpy as np
            >>> init, part = glorot.HeNormal(seed=1), np.empty(4, np.float32)
            >>> init.fill_range(part, (5, 3), 6, name="w")
            >>> bool((part == init((5, 3), name="w").ravel()[6:10]).all())
            True
        """
        whole = parse_shape(shape)
        try:
            start = operator.index(start)
        except TypeError:
            raise TypeError(
                f"`start` must be an integer, got {show(start)} of {type(start).__name__}."
            ) from None
        number = self._seed(seed)
        check_name(name)
        if not isinstance(out, np.ndarray) or out.ndim != 1:
            got = f"shape {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
            raise TypeError(f"`out` must be a 1-D NumPy array, got {got}.")
        writer = _prepared(self, whole, self._check_out(out, out.shape, None))
        if not 0 <= start <= start + out.size <= math.prod(whole):
            raise ValueError(
                f"[{show(start)}, {show(start + out.size)}) leaves the {math.prod(whole)} elements "
                f"of shape {whole}."
            )
        writer.run(out, start, number, name)


def _overlaps(out: Array) -> bool:
    """Whether two elements may share memory: no axis steps over the span of all finer ones."""
    span = out.itemsize
    axes = zip(out.strides, out.shape, strict=True)
    for stride, size in sorted((abs(stride), size) for stride, size in axes if size > 1):
        if stride < span:
            return out.size > 0
        span += stride * (size - 1)
    return False


class LawInitializer(Initializer):
    """An initializer each of whose elements follows a law of its word alone."""

    def law(self, shape: Any) -> Law:
        """Return the law of each element of a whole weight of this shape."""
        raise NotImplementedError

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        law = self.law(shape)
        law.check_range(dtype)
        if place is not None:
            return LawWriter(place.shape, law, place.strides, place.first)
        return LawWriter(shape, law, self._axes.strides(shape))


@functools.lru_cache(maxsize=4096)
def _prepared(init: Initializer, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Writer:
    return init._writer(check_extent(shape), dtype)
