# SPDX-License-Identifier: Apache-2.0
"""torch.nn's layers without parameters, which only take their places in a model."""

from typing import Any

from glorot.replay.torch.nn._module import Module


class _Bare(Module):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()


NAMES = (
    *("Identity", "Flatten", "Unflatten", "Fold", "Unfold", "ChannelShuffle"),
    *("PixelShuffle", "PixelUnshuffle", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"),
    *("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"),
    *("CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh"),
    *("LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish", "ReLU", "ReLU6", "RReLU", "SELU", "SiLU"),
    *("Sigmoid", "Softmax", "Softmax2d", "Softmin", "Softplus", "Softshrink", "Softsign"),
    *("Tanh", "Tanhshrink", "Threshold", "LocalResponseNorm", "CrossMapLRN2d"),
    *("CTCLoss", "CosineEmbeddingLoss", "GaussianNLLLoss", "HingeEmbeddingLoss", "HuberLoss"),
    *("KLDivLoss", "L1Loss", "MSELoss", "MarginRankingLoss", "MultiLabelMarginLoss"),
    *("PoissonNLLLoss", "SmoothL1Loss", "SoftMarginLoss"),
    *("TripletMarginLoss", "TripletMarginWithDistanceLoss"),
    *("CosineSimilarity", "PairwiseDistance", "FractionalMaxPool2d", "FractionalMaxPool3d"),
    *(f"{kind}{axes}d" for kind in ("AvgPool", "LPPool", "MaxPool", "MaxUnpool") for axes in "123"),
    *(f"Adaptive{kind}Pool{axes}d" for kind in ("Avg", "Max") for axes in "123"),
    *(f"{kind}Pad{axes}d" for kind in ("Circular", "Constant", "Zero") for axes in "123"),
    *(f"{kind}Pad{axes}d" for kind in ("Reflection", "Replication") for axes in "123"),
)


def layer(name: str) -> type[Module]:
    """The class of a layer without parameters; it takes any arguments."""
    doc = f"A place for `torch.nn.{name}`, which has no parameters; takes any arguments."
    return type(name, (_Bare,), {"__doc__": doc, "__module__": __name__, "__qualname__": name})


LAYERS = {name: layer(name) for name in NAMES}
