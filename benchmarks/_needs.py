# SPDX-License-Identifier: Apache-2.0
"""What the design needs of each measurement, row by row, and whether it holds."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

Record = dict[str, Any]


@dataclass
class Row:
    """One need: `holds` is None where it was not measured or not judged."""

    what: str
    needs: str
    measured: str
    holds: bool | None


def best(record: Record) -> float:
    """Seconds of the quickest round."""
    return min(record["rounds"])


def speed(record: Record) -> float:
    """GB/s of the quickest round."""
    return float(record["bytes"] / best(record) / 1e9)


class Records:
    """Records, looked up by what they are."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records

    def where(self, **wanted: Any) -> list[Record]:
        """The records whose fields have these values."""
        return [r for r in self.records if all(r.get(k) == v for k, v in wanted.items())]

    def one(self, **wanted: Any) -> Record | None:
        """The first of them, if any."""
        return next(iter(self.where(**wanted)), None)

    def largest(self, **wanted: Any) -> "Records":
        """Those of the largest shape."""
        found = self.where(**wanted)
        most = max((r["shape"] for r in found), default=None)
        return Records([r for r in found if r["shape"] == most])

    def fastest(self, **wanted: Any) -> Record | None:
        """The one with the most GB/s."""
        return max(self.where(**wanted), key=speed, default=None)


def _times(what: str, ours: Record | None, theirs: Record | None, needed: float) -> Row:
    """Our speed over theirs must reach `needed`."""
    needs = f"{needed:g} x"
    if ours is None or theirs is None:
        return Row(what, needs, "not measured", None)
    ratio = speed(ours) / speed(theirs)
    measured = f"{ratio:.3g} x: {speed(ours):.2f} to {speed(theirs):.2f} GB/s ({theirs['who']})"
    return Row(what, needs, measured, ratio >= needed)


def _cost(what: str, records: Records, ours: Record) -> Row:
    """A tensor's CPU time must stay under 50 us; beside it that of the least that the framework, or
    the kernel, does with as many."""
    tensors = ours["tensors"]
    taken = min(ours["cpu"]) * 1e6 / tensors
    measured = f"{taken:.2f} us"
    same = {key: ours.get(key) for key in ("topic", "backend", "threads", "law", "part", "tensors")}
    for bare in records.where(kind="bare", **same):
        measured += f"; {bare['who']}: {min(bare['cpu']) * 1e6 / tensors:.2f} us"
    return Row(f"{what}, CPU time a tensor", "under 50 us", measured, taken < 50)


def _fills(records: Records) -> Iterator[Row]:
    one = records.largest(topic="fill", dtype="float32", threads=1)

    def at(law: str, target: str, needed: float, other: str = "fastest peer") -> Row:
        if other == "fastest peer":
            theirs = one.fastest(law=law, kind="peer")
        else:
            theirs = one.one(law=law, who=other)
        what = f"{law}, one core, {target}, against {other}"
        return _times(what, one.one(law=law, who=f"glorot {target}"), theirs, needed)

    yield at("uniform", "avx512", 7)
    yield at("uniform", "avx512", 7, "torch xavier_uniform_")
    yield at("uniform", "avx512", 0.35, "memset")
    yield at("uniform", "avx2", 0.22, "memset")
    most = max((r["threads"] for r in records.where(topic="fill")), default=1)
    every = records.largest(topic="fill", dtype="float32", threads=most, law="uniform")
    yield _times(
        "uniform, all cores, avx512, against one memset",
        every.one(who="glorot avx512") if most > 1 else None,
        every.one(who="memset"),
        0.65,
    )
    yield at("normal", "avx512", 4)
    yield at("normal", "avx2", 1.5)
    yield at("truncated", "avx512", 9)
    yield at("truncated", "avx512", 60, "torch trunc_normal_")


def _small(records: Records) -> Iterator[Row]:
    for threads in sorted({r["threads"] for r in records.where(topic="small")}):
        found = Records(records.where(topic="small", threads=threads))
        theirs = found.fastest(kind="peer")
        for ours in found.where(kind="glorot"):
            what = f"{ours['who']}, 64 x 64, {threads} thr."
            microseconds = best(ours) * 1e6
            yield Row(what, "under 15 us", f"{microseconds:.2f} us", microseconds < 15)
            if theirs is not None:
                measured = f"{microseconds:.2f} to {best(theirs) * 1e6:.2f} us ({theirs['who']})"
                holds = best(ours) < best(theirs)
                yield Row(f"{what}, against each peer", "faster", measured, holds)


def _canonical(records: Records) -> Iterator[Row]:
    for canonical in records.where(topic="canonical"):
        order, _, target = canonical["who"].partition(" ")
        if order != "canonical":
            continue
        keys = ("topic", "threads", "law", "dtype")
        straight = records.one(who=f"stored {target}", **{k: canonical[k] for k in keys})
        threads = canonical["threads"]
        what = f"canonical order, {canonical['law']} {canonical['dtype']}, {target}, {threads} thr."
        yield _times(what, canonical, straight, 0.5)


def _shards(records: Records) -> Iterator[Row]:
    for whole in records.where(topic="shard", who="whole"):
        keys = ("topic", "threads", "law", "dtype")
        same = {k: whole[k] for k in keys}
        for way in ("rows", "columns"):
            parts = [r for r in records.where(**same) if r["who"].endswith(way)]
            ratios = {r["who"]: best(r) / r["bytes"] * whole["bytes"] / best(whole) for r in parts}
            measured = ", ".join(f"{who.split()[0]} {ratio:.3f}" for who, ratio in ratios.items())
            what = f"shards as {way}, {whole['law']} {whole['dtype']}, {whole['threads']} thr."
            yield Row(what, "1/N x 1.10", measured, all(r <= 1.10 for r in ratios.values()))


def _torch(records: Records) -> Iterator[Row]:
    for record in records.where(topic="torch", part="cost", kind="glorot"):
        yield _cost(f"torch: {record['who']}, {record['threads']} thr.", records, record)
    for ours in records.where(topic="torch", part="module", kind="glorot"):
        same = {key: ours[key] for key in ("topic", "part", "threads", "law", "shape")}
        tensors, side, _ = ours["shape"]
        what = f"torch: {tensors} tensors of {side} x {side}, {ours['law']}, {ours['threads']} thr."
        needed = 60 if ours["law"] == "truncated" else 5
        yield _times(what, ours, records.one(kind="peer", **same), needed)
        yield _times(
            f"{what}, against the kernel alone", ours, records.one(kind="bare", **same), 0.9
        )
    for one in records.where(topic="torch", part="shares", world=1):
        same = {key: one[key] for key in ("topic", "part", "threads")}
        for world in (2, 4):
            shared = records.one(world=world, **same)
            if shared is not None:
                share = best(shared) / best(one) * world
                what = f"torch: the slowest of {world} ranks, {one['threads']} thr."
                yield Row(what, "1/N x 1.10", f"{share:.3f}", share <= 1.10)


def _variables(records: Records) -> Iterator[Row]:
    """glorot.keras, on each backend, and glorot.tensorflow."""
    for ours in records.where(kind="glorot"):
        if ours["topic"] not in ("keras", "tensorflow"):
            continue
        where = f"{ours['topic']}{' on ' + ours['backend'] if 'backend' in ours else ''}"
        what = f"{where}: {ours['who']}, {ours['threads']} thr."
        if ours["who"] == "variable under a creator":  # most of it is TensorFlow's making one
            theirs = records.one(who="TensorFlow's variable", threads=ours["threads"])
            yield _times(f"{what}, against its own", ours, theirs, 1)
        elif ours["part"] == "cost":
            yield _cost(what, records, ours)
        else:
            same = {k: ours.get(k) for k in ("topic", "part", "threads", "backend")}
            theirs = records.one(kind="peer", **same)
            yield _times(f"{what}, 1000 tensors, against its own", ours, theirs, 1)


def _import(records: Records) -> Iterator[Row]:
    found = records.where(topic="import")
    if found:
        numpy, ours = (statistics.median(r["rounds"]) * 1e3 for r in found)
        measured = f"+{ours - numpy:.1f} ms (medians: {ours:.1f} after {numpy:.1f})"
        yield Row("import and first array, cold", "+30 ms", measured, ours - numpy <= 30)


def _checkpoint(records: Records) -> Iterator[Row]:
    ours = records.one(topic="checkpoint", kind="glorot")
    if ours is not None:
        (plain,) = records.where(topic="checkpoint", who="raw writes")
        raw = statistics.median(plain["rounds"])
        seconds, size = statistics.median(ours["rounds"]), ours["bytes"] / 1e9
        measured = f"{raw / seconds:.3g} x: {size / seconds:.2f} to {size / raw:.2f} GB/s (medians)"
        yield Row(
            "checkpoint, against raw writes, both synced", "0.9 x", measured, raw / seconds >= 0.9
        )


def _replays(records: Records) -> Iterator[Row]:
    """A replay is no slower than the framework itself, on one core; JAX's and torch's uniforms are
    twice as fast."""
    for theirs in records.where(kind="peer", threads=1):
        topic, _, framework = theirs["topic"].partition("_")
        if topic == "replay":
            same = {k: theirs[k] for k in ("topic", "threads", "law", "dtype", "shape")}
            for ours in records.where(kind="glorot", **same):
                what = f"replay of {framework}, {same['law']} {same['dtype']}, {ours['who']}"
                twice = framework in ("jax", "torch") and "uniform" in same["law"]
                yield _times(what, ours, theirs, 2.0 if twice else 1.0)


def _jax(records: Records) -> Iterator[Row]:
    for threads in sorted({r["threads"] for r in records.where(topic="jax")}):
        found = Records(records.where(topic="jax", threads=threads))
        needed = {"uniform": 3, "normal": 2.5, "truncated": 2.5}
        for theirs in found.where(who="jax"):
            law, shape = theirs["law"], theirs["shape"]
            case = Records(found.where(law=law, shape=shape))
            for who, least in (("traced", needed[law]), ("native", 5)):
                what = f"JAX, {law}, {who}, {shape[0]} x {shape[1]}, {threads} thr."
                yield _times(what, case.one(who=f"glorot {who}"), theirs, least)
        for ours in found.where(law="tree", kind="glorot"):
            yield _cost(f"jax: {ours['who']}, {threads} thr.", found, ours)


def rows(records: list[Record], judge: bool) -> list[Row]:
    """The design's rows that these records say something about, judged or only measured."""
    known = Records(records)
    found: list[Row] = []
    if known.where(topic="fill"):
        found += _fills(known)
    parts = (_small, _canonical, _shards, _torch, _jax, _variables, _import, _checkpoint, _replays)
    for part in parts:
        found += part(known)
    return found if judge else [replace(row, holds=None) for row in found]
