# SPDX-License-Identifier: Apache-2.0
"""Lets torchvision be imported beside a CPU build of torch; timm and transformers ask for it.

Its wheel is made for CUDA and registers operators that are then not there. Nothing here calls them.
"""

import sys
import types

sys.modules.setdefault(
    "torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations")
)
