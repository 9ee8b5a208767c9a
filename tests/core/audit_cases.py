# SPDX-License-Identifier: Apache-2.0
"""Models for the tests of the audit, and what they ask of a report."""

import glorot
from glorot import Recipe, Rule

LAYERS, WIDTH = 3, 64
GPT2 = {
    "wte.weight": (300, WIDTH),
    "wpe.weight": (50, WIDTH),
    **{
        f"h.{i}.{name}": shape
        for i in range(LAYERS)
        for name, shape in {
            "ln_1.weight": (WIDTH,),
            "ln_1.bias": (WIDTH,),
            "attn.c_attn.weight": (WIDTH, 3 * WIDTH),
            "attn.c_attn.bias": (3 * WIDTH,),
            "attn.c_proj.weight": (WIDTH, WIDTH),
            "attn.c_proj.bias": (WIDTH,),
            "ln_2.weight": (WIDTH,),
            "ln_2.bias": (WIDTH,),
            "mlp.c_fc.weight": (WIDTH, 4 * WIDTH),
            "mlp.c_fc.bias": (4 * WIDTH,),
            "mlp.c_proj.weight": (4 * WIDTH, WIDTH),
            "mlp.c_proj.bias": (WIDTH,),
        }.items()
    },
    "ln_f.weight": (WIDTH,),
    "ln_f.bias": (WIDTH,),
}
# Every kind of promise: laws of all kinds, blocks, constants, known values, matrices, sparse ones.
ZOO = Recipe(
    [
        Rule("qkv", "glorot_uniform", layout="torch.linear", blocks="qkv"),
        Rule("lstm.bias", "zeros", blocks={"parts": "torch.lstm", "change": {"forget": "ones"}}),
        Rule("heads", "he_normal", layout="torch.linear",
             blocks={"parts": [4, 1, 1], "repeat": 2}),
        Rule("experts", "lecun_normal", layout="BIO"),
        Rule("up", "he_uniform", layout="keras.conv_transpose"),
        Rule("depth", "glorot_normal", layout="keras.depthwise_conv"),
        Rule("conv", "he_normal", layout="torch.conv", gain="gelu"),
        Rule("norm", "random_normal", mean=1.0, stddev=0.1),
        Rule("shift", "random_uniform", minval=0.0, maxval=0.5),
        Rule("cut", "truncated_normal", stddev=0.3, lower=-1.0, upper=3.0),
        Rule("eye", "identity"),
        Rule("dirac", "dirac", layout="OI*"),
        Rule("half", "constant", value=0.1),
        Rule("ortho", glorot.Orthogonal(1.5)),
        Rule("delta", glorot.DeltaOrthogonal(layout="*IO")),
        Rule("sparse", glorot.Sparse(0.7, 0.05)),
        Rule("count", "zeros"),
        Rule("scale", "ones"),
    ]
)  # fmt: skip
ZOO_SHAPES = {
    "qkv": (192, 64), "lstm.bias": (48,), "heads": (96, 40), "experts": (6, 40, 60),
    "up": (4, 4, 12, 20), "depth": (3, 3, 30, 2), "conv": (24, 16, 3, 3), "norm": (300,),
    "shift": (9,), "cut": (500,), "eye": (20, 20), "dirac": (8, 8, 3, 3), "half": (30,),
    "ortho": (40, 24), "delta": (3, 3, 8, 16), "sparse": (50, 40), "scale": (),
    "count": {"shape": (4,), "dtype": "int64"},
}  # fmt: skip


def build(recipe, shapes, seed=0, dtype=None):
    """The arrays that a recipe gives, by name."""
    return {
        a.name: a.initializer(a.shape, a.dtype, seed=seed, name=a.name)
        for a in recipe.resolve(shapes, dtype=dtype)
    }


def gpt2():
    """A tiny GPT-2 as it should be."""
    return build(glorot.recipe.load("gpt2"), GPT2)


def only(report, kind):
    """The one problem, which must be of this kind."""
    assert [problem.kind for problem in report.problems] == [kind], str(report)
    assert not report.ok
    return report.problems[0]
