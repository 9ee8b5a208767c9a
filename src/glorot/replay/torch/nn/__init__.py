# SPDX-License-Identifier: Apache-2.0
"""torch.nn: its initializers, and the parameters that its layers are born with.

Layers take torch's constructor arguments, and `generator`; nothing computes a forward pass.
`reset_parameters`, where torch's layers have it, draws again from there, into the same arrays.
"""

import typing

from glorot.replay.torch.nn import init as init
from glorot.replay.torch.nn._attention import MultiheadAttention as MultiheadAttention
from glorot.replay.torch.nn._bare import LAYERS as _BARE
from glorot.replay.torch.nn._constant import BatchNorm1d as BatchNorm1d
from glorot.replay.torch.nn._constant import BatchNorm2d as BatchNorm2d
from glorot.replay.torch.nn._constant import BatchNorm3d as BatchNorm3d
from glorot.replay.torch.nn._constant import GroupNorm as GroupNorm
from glorot.replay.torch.nn._constant import InstanceNorm1d as InstanceNorm1d
from glorot.replay.torch.nn._constant import InstanceNorm2d as InstanceNorm2d
from glorot.replay.torch.nn._constant import InstanceNorm3d as InstanceNorm3d
from glorot.replay.torch.nn._constant import LayerNorm as LayerNorm
from glorot.replay.torch.nn._constant import PReLU as PReLU
from glorot.replay.torch.nn._constant import RMSNorm as RMSNorm
from glorot.replay.torch.nn._constant import SyncBatchNorm as SyncBatchNorm
from glorot.replay.torch.nn._containers import ModuleDict as ModuleDict
from glorot.replay.torch.nn._containers import ModuleList as ModuleList
from glorot.replay.torch.nn._containers import ParameterDict as ParameterDict
from glorot.replay.torch.nn._containers import ParameterList as ParameterList
from glorot.replay.torch.nn._containers import Sequential as Sequential
from glorot.replay.torch.nn._conv import Conv1d as Conv1d
from glorot.replay.torch.nn._conv import Conv2d as Conv2d
from glorot.replay.torch.nn._conv import Conv3d as Conv3d
from glorot.replay.torch.nn._conv import ConvTranspose1d as ConvTranspose1d
from glorot.replay.torch.nn._conv import ConvTranspose2d as ConvTranspose2d
from glorot.replay.torch.nn._conv import ConvTranspose3d as ConvTranspose3d
from glorot.replay.torch.nn._embedding import Embedding as Embedding
from glorot.replay.torch.nn._embedding import EmbeddingBag as EmbeddingBag
from glorot.replay.torch.nn._linear import Bilinear as Bilinear
from glorot.replay.torch.nn._linear import Linear as Linear
from glorot.replay.torch.nn._losses import AdaptiveLogSoftmaxWithLoss as AdaptiveLogSoftmaxWithLoss
from glorot.replay.torch.nn._losses import BCELoss as BCELoss
from glorot.replay.torch.nn._losses import BCEWithLogitsLoss as BCEWithLogitsLoss
from glorot.replay.torch.nn._losses import CrossEntropyLoss as CrossEntropyLoss
from glorot.replay.torch.nn._losses import LinearCrossEntropyLoss as LinearCrossEntropyLoss
from glorot.replay.torch.nn._losses import MultiLabelSoftMarginLoss as MultiLabelSoftMarginLoss
from glorot.replay.torch.nn._losses import MultiMarginLoss as MultiMarginLoss
from glorot.replay.torch.nn._losses import NLLLoss as NLLLoss
from glorot.replay.torch.nn._module import Module as Module
from glorot.replay.torch.nn._module import Parameter as Parameter
from glorot.replay.torch.nn._recurrent import GRU as GRU
from glorot.replay.torch.nn._recurrent import LSTM as LSTM
from glorot.replay.torch.nn._recurrent import RNN as RNN
from glorot.replay.torch.nn._recurrent import GRUCell as GRUCell
from glorot.replay.torch.nn._recurrent import LSTMCell as LSTMCell
from glorot.replay.torch.nn._recurrent import RNNBase as RNNBase
from glorot.replay.torch.nn._recurrent import RNNCell as RNNCell
from glorot.replay.torch.nn._recurrent import RNNCellBase as RNNCellBase
from glorot.replay.torch.nn._transformer import Transformer as Transformer
from glorot.replay.torch.nn._transformer import TransformerDecoder as TransformerDecoder
from glorot.replay.torch.nn._transformer import TransformerDecoderLayer as TransformerDecoderLayer
from glorot.replay.torch.nn._transformer import TransformerEncoder as TransformerEncoder
from glorot.replay.torch.nn._transformer import TransformerEncoderLayer as TransformerEncoderLayer

globals().update(_BARE)

if typing.TYPE_CHECKING:

    def __getattr__(name: str) -> typing.Any: ...  # the layers of _bare.py
