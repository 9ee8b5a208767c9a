# SPDX-License-Identifier: Apache-2.0
"""Adapters for test_contract_matrix.py: NumPy itself, and wrong ones that the matrix must show."""

import contract


class Right(contract.Adapter):
    """NumPy."""

    name = "numpy"

    def whole(self, initializer, shape, dtype, *, seed, name):
        """As it is."""
        return initializer(shape, dtype, seed=seed, name=name)

    def part(self, initializer, shape, dtype, shard, *, seed, name):
        """As it is."""
        return initializer(shape, dtype, seed=seed, name=name, shard=shard)


class OneBit(Right):
    """Normals of bfloat16 whose last element has another last bit, in one of its forms alone."""

    name = "one bit"

    def forms(self):
        """The wrong one beside a right one."""
        return {"as it is": self.whole, "in a list": self.changed}

    def changed(self, initializer, shape, dtype, *, seed, name):
        """One bit off."""
        found = self.whole(initializer, shape, dtype, seed=seed, name=name)
        if (dtype, initializer) == ("bfloat16", contract.LAWS["normal"]):
            contract.as_bytes(found)[-1, -1] ^= 1
        return found


class Shards(Right):
    """Parts that are their own wholes, as other libraries' are."""

    name = "shards"

    def part(self, initializer, shape, dtype, shard, *, seed, name):
        """A whole of the part's shape."""
        extent = [j - i for i, j in zip(shard.start, shard.stop, strict=True)]
        return initializer(extent, dtype, seed=seed, name=name)


class Narrow(Right):
    """Without float64, which it refuses."""

    name = "narrow"
    dtypes = tuple(dtype for dtype in contract.Adapter.dtypes if dtype != "float64")

    def whole(self, initializer, shape, dtype, *, seed, name):
        """Not in float64."""
        if dtype == "float64":
            raise TypeError("no float64 here")
        return super().whole(initializer, shape, dtype, seed=seed, name=name)


class Silent(Narrow):
    """Without float64, in place of which it gives float32."""

    name = "silent"

    def whole(self, initializer, shape, dtype, *, seed, name):
        """Never an error."""
        narrow = "float32" if dtype == "float64" else dtype
        return initializer(shape, narrow, seed=seed, name=name)


class Raises(Right):
    """An adapter that cannot make one law."""

    name = "raises"

    def whole(self, initializer, shape, dtype, *, seed, name):
        """Not a time step."""
        if initializer == contract.LAWS["time_step"]:
            raise NotImplementedError("no time steps here")
        return super().whole(initializer, shape, dtype, seed=seed, name=name)
