# SPDX-License-Identifier: Apache-2.0
"""One initializer of each class, and what the tests of initializers share."""

import numpy as np

import glorot

# One of each class with options that are not the default, shown as its repr.
EXAMPLES = [
    glorot.Zeros("int32"),
    glorot.Ones("bfloat16"),
    glorot.Constant(3),
    glorot.Identity(2.0),
    glorot.Dirac(2, layout="torch.conv"),
    glorot.RandomUniform(-1.0, 2.0, seed=1),
    glorot.RandomNormal(0.5, 0.1, seed=2, dtype="float16"),
    glorot.TruncatedNormal(stddev=0.02, lower=-3.0, upper=3.0),
    glorot.VarianceScaling(2.0, "fan_geo_avg", "untruncated_normal", seed=np.uint64(2**64 - 1)),
    glorot.GlorotUniform(seed=1, layout="torch.conv", groups=4, order="canonical", gain=2),
    glorot.GlorotNormal(equation="bd,df->bf"),
    glorot.HeUniform(input_axes=[0, 1], output_axes=2, batch_axes=3),
    glorot.HeNormal(fan_in=3, fan_out=4.5),
    glorot.LecunUniform(),
    glorot.LecunNormal(dtype=np.float64),
    glorot.Orthogonal(2.0, seed=3, layout="torch.linear"),
    glorot.DeltaOrthogonal(seed=3, layout="torch.conv"),
    glorot.Sparse(0.5, seed=3, order="canonical", layout="OI"),
    glorot.LogArange(0),
    glorot.SamplingOffsets(3, (1, 3)),
    glorot.SinCosGrid((4, 2), base=100.0),
    glorot.Sinusoids(100.0, endpoint=True, interleaved=True, first=2),
    glorot.LogOfUniform(0.01, 16.0, seed=5),
    glorot.TimeStep(0.002, 0.5, seed=5),
    glorot.Blocks(["zeros", glorot.HeNormal(layout="torch.linear")], [1, 3], repeat=2, seed=4),
]


def shape_for(init):
    """A shape that the example's axes options fit."""
    dense = (glorot.GlorotNormal, glorot.Orthogonal, glorot.Sparse, glorot.Identity, glorot.Blocks,
             glorot.SinCosGrid, glorot.Sinusoids)  # fmt: skip
    if isinstance(init, glorot.SamplingOffsets):
        return (24,)
    return (8, 4) if isinstance(init, dense) else (8, 4, 3, 3)


RANDOM = [init for init in EXAMPLES if init.random]
