# SPDX-License-Identifier: Apache-2.0
"""The last step of a write: complete files take their names, the old ones make room."""

import contextlib
from pathlib import Path

from glorot.checkpoint import _files, _layout
from glorot.checkpoint._dcp import METADATA
from glorot.checkpoint._files import partial_path
from glorot.checkpoint._layout import aside_path


def put_in_place(folder: Path, new: list[Path], replaced: list[Path]) -> None:
    """Let the new checkpoint take the names of the old one; only names change here.

    The old stand aside until all of the new have their names, and come back if one cannot have it.
    Where model.safetensors takes the place of another it does so in a single step of the system, if
    that has hard links: a reader finds the one or the other.
    """
    old = [path for path in dict.fromkeys((*replaced, *new)) if path.exists()]
    # The index goes last: while it stands, the files that it names are known to be the old.
    old.sort(key=lambda path: path.name in (_layout.INDEX, METADATA))
    single = folder / _layout.SINGLE
    done = []
    if single in new and single in old and _layout.INDEX not in {path.name for path in old}:
        with contextlib.suppress(OSError):
            _files.link(single, aside_path(single))
            old.remove(single)
            done.append((single, aside_path(single)))
    moves = [(path, aside_path(path)) for path in old]
    moves += [(partial_path(path), path) for path in new]
    try:
        for source, target in moves:
            with _files.naming(target if target in new else source):
                _files.rename(source, target)
            done.append((source, target))
        _files.sync_folder(folder)
    except BaseException:
        for source, target in reversed(done):
            with contextlib.suppress(OSError):
                _files.rename(target, source)
        raise
    for path in _layout.leftovers(folder).aside:
        with _files.naming(path):
            _files.remove(aside_path(path))
    _files.sync_folder(folder)
