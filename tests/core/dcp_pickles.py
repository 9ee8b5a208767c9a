# SPDX-License-Identifier: Apache-2.0
"""Metadata of torch.distributed.checkpoint, made one instruction after the other: torch is not
needed, and would not make what must be refused."""

import pickle

PLACE = "torch.distributed.checkpoint.metadata"


def named(module, name):
    """The instruction of a pickle that names a class."""
    return f"c{module}\n{name}\n".encode()


def plain(value):
    """The instructions of a pickle that make a value."""
    return pickle.dumps(value, 2)[2:-1]


def record(name, module=PLACE, **state):
    """The instructions that make an object of torch's metadata of instructions for its state."""
    items = b"".join(plain(key) + value for key, value in state.items())
    return named(module, name) + b")\x81}(" + items + b"ub"


def size(*shape):
    """The instructions for a torch.Size."""
    return named("torch", "Size") + plain((shape,)) + b"R"


class Evil:
    """What a pickle can be: a program."""

    def __init__(self, call, *arguments):
        self.call = call
        self.arguments = arguments

    def __reduce__(self):
        return self.call, self.arguments
