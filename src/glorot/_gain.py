# SPDX-License-Identifier: Apache-2.0
"""`gain`: what restores the variance that an activation takes, for any activation."""

import functools
import math
from collections.abc import Callable
from typing import Any

from glorot import _check
from glorot._activations import ACTIVATIONS, ALIASES, NAMES, PAIRS
from glorot._quadrature import mean_square

MODES = ("forward", "backward")
CONVENTIONS = ("exact", "torch")
_DIGITS = 12

_CONVOLUTIONS = tuple(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))


def gain(
    activation: str | Callable[[Any], Any] | tuple[Any, ...],
    param: float | None = None,
    *,
    mode: str = "forward",
    convention: str = "exact",
) -> float:
    """Return the gain of an activation: with it, weights of variance gain**2 / fan keep variance.

    Forward it is 1 / sqrt(E[f(z)**2]), backward 1 / sqrt(E[f'(z)**2]), for z ~ N(0, 1).  A gated
    unit, f(a) g(b) of independent a and b, has E[f**2] E[g**2] forward, and backward what reaches
    the common input through both: E[f'**2] E[g**2] + E[f**2] E[g'**2].

    Polynomials and piecewise polynomials have closed forms (`relu` is sqrt(2)); all others are
    integrated and rounded to 12 digits, so that every machine has the same number.

    Args:
        activation: a name (docs/recipes.md has all); a function of a float64 array, such as
            `np.tanh`; or a pair of these, a gated unit: ("silu", "linear") is "swiglu".
        param: of `leaky_relu` (its slope), `elu` and `celu` (alpha), `softplus` (beta),
            `softshrink` (lambda), in place of torch's default.
        mode: "forward" or "backward".
        convention: "exact"; or "torch", the table of torch's `calculate_gain`, which has round
            numbers for some (tanh 5/3, selu 3/4, sigmoid 1) and knows few.

    Raises:
        ValueError: no activation of that name; a parameter that it does not have; a function that
            is 0 everywhere, is not finite, or whose mean square does not settle.
        TypeError: something else, or a function that gives no array of its argument's shape.

    Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015, section 2.2, for any f;
    PyTorch 2.13, `torch.nn.init.calculate_gain`.

    Examples:
        >>> import glorot
        >>> glorot.gain("relu") == 2**0.5, glorot.gain("gelu"), glorot.gain("tanh")
        (True, 1.5335304412, 1.59253741972)
        >>> glorot.gain("gelu", mode="backward"), glorot.gain("tanh", convention="torch")
        (1.48111441271, 1.6666666666666667)
        >>> glorot.gain(lambda z: abs(z))
        1.0
    """
    mode = _check.choice("mode", mode, MODES)
    if _check.choice("convention", convention, CONVENTIONS) == "torch":
        return _torch(activation, param)
    backward = mode == "backward"
    if isinstance(activation, tuple):
        if len(activation) != 2:
            raise ValueError(
                f"`activation` must be a pair, (of the gate, of the other), got {len(activation)}."
            )
        if param is not None:
            raise ValueError(f"`param`={param!r} is of no use for a pair.")
        return _pair(activation, backward)
    if isinstance(activation, str):
        name = parse_name(activation)
        if name in PAIRS:
            if param is not None:
                raise ValueError(f"`param`={param!r} is of no use: {activation!r} has none.")
            return _pair(PAIRS[name], backward)
        return _named(name, _parameter(activation, name, param), backward)
    if not callable(activation):
        raise TypeError(
            "`activation` must be a name, a function of an array, or a pair of these; got "
            f"{_check.show(activation)}."
        )
    if param is not None:
        raise ValueError(f"`param`={param!r} is of no use for a function: give it the parameter.")
    return _rounded(_moment(activation, backward))


def parse_name(activation: str) -> str:
    """Return the name that an activation is listed by."""
    name = activation.lower()
    name = ALIASES.get(name, name)
    if name not in ACTIVATIONS and name not in PAIRS:
        raise ValueError(f"no activation is called {activation!r}. {_check.near(name, NAMES)}")
    return name


def _parameter(given: str, name: str, param: float | None) -> float:
    default = ACTIVATIONS[name].param
    if default is None:
        if param is not None:
            raise ValueError(f"`param`={param!r} is of no use: {given!r} has none.")
        return 0.0
    value = default if param is None else _check.real("param", param)
    if name in ("celu", "softplus") and value <= 0:
        raise ValueError(f"`param` of {given!r} must be above 0, got {value!r}.")
    return value


@functools.lru_cache(maxsize=1024)
def _named(name: str, param: float, backward: bool) -> float:
    found = ACTIVATIONS[name]
    if found.exact is not None:
        return found.exact(param)[backward]
    return _rounded(_named_moment(name, param, backward))


@functools.lru_cache(maxsize=1024)
def _named_moment(name: str, param: float, backward: bool) -> float:
    found = ACTIVATIONS[name]
    if found.exact is not None:
        return 1.0 / found.exact(param)[backward] ** 2
    return mean_square(lambda z: found.function(z, param), derivative=backward)


def _moment(activation: Any, backward: bool) -> float:
    """E[f**2] or E[f'**2] of a name or a function."""
    if isinstance(activation, str):
        name = parse_name(activation)
        if name in PAIRS:
            raise ValueError(f"a pair cannot hold {activation!r}, which is one itself.")
        return _named_moment(name, _parameter(activation, name, None), backward)
    if not callable(activation):
        raise TypeError(
            f"a pair must hold names or functions of an array, got {_check.show(activation)}."
        )
    try:
        return mean_square(activation, derivative=backward)
    except ValueError as error:
        raise ValueError(f"`activation` {activation!r} has no gain: {error}") from None


def _pair(pair: tuple[Any, ...], backward: bool) -> float:
    one, other = (_moment(activation, False) for activation in pair)
    if not backward:
        return _rounded(one * other)
    slope, other_slope = (_moment(activation, True) for activation in pair)
    return _rounded(slope * other + one * other_slope)


def _rounded(moment: float) -> float:
    """1 / sqrt(moment) to 12 digits: libraries of mathematics differ in the sixteenth."""
    if moment <= 1e-300:
        raise ValueError("`activation` is 0 almost everywhere: no gain makes up for that.")
    return float(f"{1.0 / math.sqrt(moment):.{_DIGITS}g}")


def _torch(activation: Any, param: float | None) -> float:
    """The table of torch 2.13's `calculate_gain`."""
    table = {
        **dict.fromkeys(("linear", *_CONVOLUTIONS, "sigmoid"), 1.0),
        "tanh": 5.0 / 3.0,
        "relu": math.sqrt(2.0),
        "leaky_relu": 0.0,
        "selu": 3.0 / 4.0,
    }
    if not isinstance(activation, str) or activation not in table:
        raise ValueError(
            f"`activation` must be one of torch's, {', '.join(table)}; got "
            f"{_check.show(activation)}. convention='exact' knows any."
        )
    if activation != "leaky_relu":
        return table[activation]
    slope = 0.01 if param is None else _check.real("param", param)
    return math.sqrt(2.0 / (1 + slope**2))
