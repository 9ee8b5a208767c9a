# SPDX-License-Identifier: Apache-2.0
"""How ranks are told who they are: numbers, launchers, the command in processes of its own."""

import json
import os
import subprocess

import pytest
from checkpoint_cases import SINGLE, contents
from cli_cases import invoke
from rank_cases import command, one

from glorot.checkpoint import _records, ranks_from_environment, verify

pytestmark = pytest.mark.usefixtures("small_pages")


@pytest.mark.parametrize(
    ("rank", "size", "error", "text"),
    [
        (2, 2, ValueError, r"`rank` must be at least 0 and below `world_size`=2, got 2"),
        (-1, 2, ValueError, r"below `world_size`=2, got -1"),
        (0, 0, ValueError, r"`world_size` must be at least 1, got 0"),
        (0, None, ValueError, r"go together; `world_size` is missing"),
        (None, 2, ValueError, r"go together; `rank` is missing"),
        (0.0, 2, TypeError, r"`rank` must be a whole number, got 0.0 of float"),
        (True, 2, TypeError, r"`rank` must be a whole number, got True of bool"),
        (0, "2", TypeError, r"`world_size` must be a whole number"),
        (0, 10**6, ValueError, r"`world_size` must be at most 99999"),
    ],
)
def test_bad_ranks(tmp_path, rank, size, error, text):
    """Refused by name before anything is made."""
    with pytest.raises(error, match=text):
        one(tmp_path / "out", rank, size)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"RANK": "3", "WORLD_SIZE": "8"}, (3, 8)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "RANK": ""}, (0, 4)),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}, (1, 2)),
        ({"PMI_RANK": "1", "PMI_SIZE": "2", "SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, (1, 2)),
        ({"TORCHELASTIC_RUN_ID": "x", "RANK": "5", "WORLD_SIZE": "8", "SLURM_PROCID": "1",
          "SLURM_NTASKS": "2"}, (5, 8)),
        # What a batch script has that asked for nodes and not for tasks.
        ({"TORCHELASTIC_RUN_ID": "x", "RANK": "5", "WORLD_SIZE": "8", "SLURM_PROCID": "0"}, (5, 8)),
        ({}, r"no launcher says which rank this is: none of RANK and WORLD_SIZE, "),
        ({"RANK": "0"}, r"RANK is set and WORLD_SIZE is not. Set both, or give"),
        ({"SLURM_NTASKS": "2"}, r"SLURM_NTASKS is set and SLURM_PROCID is not"),
        ({"RANK": "5", "WORLD_SIZE": "8", "SLURM_PROCID": "1", "SLURM_NTASKS": "2"},
         r"launchers contradict each other: torchrun rank 5 of 8, SLURM rank 1 of 2"),
        ({"RANK": "8", "WORLD_SIZE": "8"}, r"`rank` must be .* below `world_size`=8, got 8"),
        ({"RANK": "-1", "WORLD_SIZE": "8"}, r"RANK must be a whole number, 0 or more; it is '-1'"),
        ({"RANK": "0", "WORLD_SIZE": "x"}, r"WORLD_SIZE must be a whole number"),
        ({"RANK": "0", "WORLD_SIZE": "9" * 5000}, r"WORLD_SIZE must be a whole number"),
    ],
)  # fmt: skip
def test_launchers(environ, expected):
    """The variables of one launcher, of several that agree; what contradicts or lacks is told."""
    if isinstance(expected, tuple):
        assert ranks_from_environment(environ) == expected
        return
    with pytest.raises(ValueError, match=expected):
        ranks_from_environment(environ)


def test_the_command(tmp_path, monkeypatch, alone):
    """--rank and --world-size, or --distributed; without either no variable is read."""
    for names in (("RANK", "0"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(*names)
    options = command(tmp_path)["args"][3:]
    result = invoke(*options, "--distributed", "--rank", "1")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "give --distributed, or --rank and --world-size" in result.stderr
    result = invoke(*options, "--distributed")
    assert result.exit_code == 0, result.stderr
    assert "the last to end completes the checkpoint (not there yet: 1)" in result.stdout
    result = invoke(*options, "--rank", "1", "--world-size", "2")
    assert "; the checkpoint is complete" in result.stdout
    assert contents(tmp_path / "out") == alone["{}"]
    result = invoke(*options, "--force", "--json")  # one process, all of it
    assert json.loads(result.stdout)["world_size"] == 1
    assert contents(tmp_path / "out") == alone["{}"]


if os.name == "posix":

    @pytest.mark.slow
    def test_processes(tmp_path, alone):
        """Three processes at a time, one of them killed: the rest end well, it runs again."""
        environ = {"GLOROT_THREADS": "1", "WORLD_SIZE": "3"}
        runs = [
            subprocess.Popen(
                **command(tmp_path, "--distributed", RANK=str(rank), **environ),
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )
            for rank in range(3)
        ]  # fmt: skip
        marker = _records.begun_path(tmp_path / "out", 1, 3)
        while runs[1].poll() is None and not marker.exists():
            pass
        runs[1].kill()
        errors = [process.communicate()[1] for process in runs]
        assert runs[0].returncode == runs[2].returncode == 0, errors
        if not (tmp_path / "out" / SINGLE).exists():
            last = command(tmp_path, "--distributed", "--resume", RANK="1", **environ)
            done = subprocess.run(**last, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
        assert contents(tmp_path / "out") == alone["{}"]
        assert verify(tmp_path / "out").equal

    def test_file_size_limit(tmp_path):
        """A real limit of the system: exit code 1, one line, and the other rank's bytes stay."""
        import resource

        one(tmp_path / "out", 0, 2)
        before = contents(tmp_path / "out")

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

        done = subprocess.run(
            **command(tmp_path, "--rank", "1", "--world-size", "2"),
            capture_output=True, check=False, preexec_fn=limit,
        )  # fmt: skip
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "What was written is left, without a name; make room" in done.stderr
        after = contents(tmp_path / "out")
        assert {name: after[name] for name in before} == before
        assert one(tmp_path / "out", 1, 2, resume=True).complete
