# SPDX-License-Identifier: Apache-2.0
"""The commands: parse, call the library, print."""

import json
from pathlib import Path
from typing import Annotated

import typer

from glorot.cli import _capture, _options, _presets
from glorot.cli._errors import mendable
from glorot.cli._options import (
    Checkpoint,
    Debug,
    Dtype,
    Full,
    Json,
    OptionalRecipe,
    Seed,
    Set,
    Shapes,
)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="The first value of every weight of every model, a pure function of (seed, name, index).",
)


def _version(wanted: bool) -> None:
    if wanted:
        with mendable(debug=False):
            import glorot

            found = glorot.config()
            typer.echo(
                f"glorot {found['version']} (stream {found['stream']}, kernel {found['target']}, "
                f"{found['threads']} threads)"
            )
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Print the version, the stream's, the kernel that runs, and its threads.",
        ),
    ] = False,
) -> None:
    """Keep the commands commands, however few there are."""


@app.command()
def init(
    shapes: Shapes,
    seed: Seed,
    out: Annotated[str, typer.Option(help="The folder to write.")],
    recipe: OptionalRecipe = None,
    max_shard_size: Annotated[
        str | None,
        typer.Option(
            help="At most so much in a file: 500MB, 2GiB, or bytes; a larger tensor has its own."
        ),
    ] = None,
    format: Annotated[
        str, typer.Option(help="safetensors, or dcp: a directory of torch.distributed.checkpoint.")
    ] = "safetensors",
    dtype: Dtype = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after a write that was cut off.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a checkpoint that is there.")
    ] = False,
    rank: Annotated[
        int | None, typer.Option(help="Of several processes, which this is: 0, 1, ...")
    ] = None,
    world_size: Annotated[int | None, typer.Option(help="How many processes there are.")] = None,
    distributed: Annotated[
        bool,
        typer.Option(
            "--distributed",
            help="Both from the variables of torchrun, SLURM or MPI, which are not read without.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")
    ] = False,
    variables: Set = None,
    as_json: Json = False,
    full: Full = False,
    debug: Debug = False,
) -> None:
    """Write the initial checkpoint of a model.

    Of an existing checkpoint only the headers are read: names, shapes and dtypes.

    \b
    Example:
      glorot init examples/gpt2-124m.json --recipe gpt2 --seed 42 --out gpt2-init
      glorot init examples/llama-3-8b/config.json --seed 0 --out llama --dtype bfloat16
      glorot init timm:resnet50 --seed 0 --out resnet50
      srun -n 8 glorot init llama.json --recipe llama --seed 0 --out /shared/llama --distributed
    """
    with mendable(debug, " What `init` had begun, --resume goes on with."):
        from glorot import checkpoint
        from glorot.checkpoint._ranks import check_ranks
        from glorot.cli import _show, _source

        if distributed:
            if rank is not None or world_size is not None:
                raise ValueError("give --distributed, or --rank and --world-size.")
            rank, world_size = checkpoint.ranks_from_environment()
        found = _source.read(shapes, recipe)
        loaded = _options.set_variables(found.recipe, variables)
        if not as_json:
            found.say()
            found.say_left_out(dtype)
        about = {"source": found.as_dict(), "left_out": found.left_out(dtype)} if as_json else {}
        if dry_run:
            check_ranks(rank, world_size)
            planned = checkpoint.plan(
                found.source.shapes, loaded, out, seed=seed, dtype=dtype,
                max_shard_size=max_shard_size, format=format, force=force, resume=resume,
            )  # fmt: skip
            if as_json:
                typer.echo(json.dumps({**planned.as_dict(), **about}))
            else:
                _show.planned(planned, full=full)
            raise typer.Exit(0 if planned.fits else 1)
        with _show.progress("writing") as progress:
            report = checkpoint.write(
                found.source.shapes, loaded, out, seed=seed, dtype=dtype,
                max_shard_size=max_shard_size, format=format, force=force, resume=resume,
                rank=rank, world_size=world_size, progress=progress,
            )  # fmt: skip
        if as_json:
            typer.echo(json.dumps({**report.as_dict(), **about}))
        else:
            _show.written(report, full=full)
        if report.complete and format == "safetensors":
            beside = found.source.write_config(out, dtype, force=force)
            beside = beside or (found.config_that_stays(out) if force else "")
            if beside and not as_json:
                typer.echo(f"glorot: {_show.plain(beside)}", err=True)


@app.command()
def verify(
    path: Checkpoint,
    recipe: Annotated[
        str | None, typer.Option(help="As for `init`; else what glorot.json there says.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="As for `init`; else what glorot.json there says.")
    ] = None,
    shapes: Annotated[
        str | None,
        typer.Option(help="What it should hold, any SOURCE; else what it does hold is taken."),
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="Of all floating tensors, as it was given to `init`.")
    ] = None,
    variables: Set = None,
    as_json: Json = False,
    full: Full = False,
    debug: Debug = False,
) -> None:
    """Prove that a checkpoint is, or is not, what a recipe and a seed give.

    Every byte is computed again and compared; exit code 1 when any differs. Without --recipe and
    --seed those of its manifest, glorot.json, are taken, and the files' checksums compared too.

    \b
    Example:
      glorot verify gpt2-init
      glorot verify gpt2-init --recipe gpt2 --seed 42
    """
    with mendable(debug):
        from glorot import checkpoint
        from glorot.cli import _show, _source
        from glorot.sources import _apart

        known = None if recipe is None else _options.load(recipe, variables)
        wanted = None if shapes is None else _apart.read(shapes)
        if known is None and not checkpoint.has_manifest(path):
            # As `init` chose: the preset for what SOURCE, or a config beside the weights, says.
            found = _source.Reading(_apart.read(path) if wanted is None else wanted, None)
            known = _options.set_variables(found.recipe, variables)
            if not as_json:
                found.say()
        elif known is None and variables:
            raise ValueError("`--set` changes a recipe: give --recipe too.")
        with _show.progress("verifying") as progress:
            report = checkpoint.verify(
                path, known, seed, shapes=None if wanted is None else wanted.shapes,
                dtype=dtype, progress=progress,
            )  # fmt: skip
        if as_json:
            typer.echo(json.dumps(report.as_dict()))
        else:
            _show.verified(report, full=full)
    if not report.equal:
        raise typer.Exit(1)


@app.command()
def explain(
    shapes: Shapes,
    pattern: Annotated[
        str, typer.Argument(metavar="[PATTERN]", help="Over the names to explain, each by itself.")
    ] = "",
    recipe: OptionalRecipe = None,
    dtype: Dtype = None,
    variables: Set = None,
    as_json: Json = False,
    full: Full = False,
    debug: Debug = False,
) -> None:
    """Show what a recipe gives each parameter, and why; nothing is written.

    Without --recipe that of the manifest, glorot.json, is taken, else the preset for the model.

    \b
    Example:
      glorot explain examples/gpt2-124m.json --recipe gpt2
      glorot explain examples/gpt2-124m.json --recipe gpt2 "h.0.*"
    """
    with mendable(debug):
        from glorot.cli import _explain, _source, _written

        known = _written.recipe_of(shapes) if recipe is None else None
        source = _source.read(shapes, known or recipe)
        loaded = _options.set_variables(source.recipe, variables)
        source.say()
        found = loaded.explain(source.source.shapes, pattern or "*", dtype=dtype)
        if as_json:
            typer.echo(json.dumps([explanation.as_dict() for explanation in found]))
        else:
            _explain.show(loaded, found, full=full or bool(pattern))


app.add_typer(_presets.app, name="presets", invoke_without_command=True)
app.command()(_capture.capture)


@app.command()
def inspect(
    path: Checkpoint,
    recipe: Annotated[
        str | None, typer.Option(help="What promises the values: a built-in recipe or a file.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="That it was written with: every byte is compared too.")
    ] = None,
    variables: Set = None,
    singular_values: Annotated[
        bool | None,
        typer.Option(
            "--singular-values/--no-singular-values",
            help="Of all matrices, or of none; else of those up to 4 million elements.",
        ),
    ] = None,
    plot: Annotated[
        str | None, typer.Option(help="Draw the standard deviations and the worst histograms.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the picture.")] = False,
    as_json: Json = False,
    full: Full = False,
    debug: Debug = False,
) -> None:
    """Audit a checkpoint: its values beside what a recipe promises, and what is wrong with them.

    Exit code 1 when something is wrong. Without --recipe that of its manifest, glorot.json, is
    taken; where there is none, nothing is promised.

    \b
    Example:
      glorot inspect gpt2-init --recipe gpt2
    """
    with mendable(debug):
        import glorot
        from glorot.cli import _inspect, _show, _written

        if recipe is None and variables:
            raise ValueError("`--set` changes a recipe: give --recipe too.")
        if plot is not None:
            _inspect.check_plot(Path(plot), force=force)
        known = _written.recipe_of(path) if recipe is None else _options.load(recipe, variables)
        with _show.progress("reading") as progress:
            report = glorot.audit(
                path, known, seed, singular_values=singular_values, progress=progress
            )
        if plot is not None:
            _inspect.draw(report, Path(plot))
        if as_json:
            typer.echo(json.dumps(report.as_dict()))
        else:
            _inspect.show(report, full=full)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def sample(
    initializer: Annotated[
        str, typer.Argument(metavar="INITIALIZER", help="Such as glorot_uniform or he_normal.")
    ],
    shape: Annotated[
        list[int], typer.Argument(metavar="SIZE", help="The sizes of the whole array.")
    ],
    seed: Seed,
    name: Annotated[str, typer.Option(help="Of the weight.")] = "",
    dtype: Annotated[str, typer.Option(help="Of the values.")] = "float32",
    layout: Annotated[
        str | None, typer.Option(help="What the axes are, such as torch.linear or OIHW.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option of the initializer: stddev=0.02, mode=fan_out."),
    ] = None,
    out: Annotated[str | None, typer.Option(help="Write the array to this .npy file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show the numbers of one array and their histogram, or write them to a .npy file.

    \b
    Example:
      glorot sample glorot_uniform 784 256 --seed 0
      glorot sample random_normal 1000 --seed 0 --set stddev=0.02 --out noise.npy
    """
    with mendable(debug):
        from glorot import _registry
        from glorot.cli import _sample

        options = dict(_options.parse(text) for text in option or [])
        own = {"seed", "dtype"} | ({"layout"} if layout is not None else set())
        twice = sorted(own & set(options))
        if twice:
            raise ValueError(f"`--set` must leave {twice[0]!r} to --{twice[0]}.")
        if layout is not None:
            options["layout"] = layout
        class_name, given = _registry._find(initializer)
        known = sorted(_registry.option_names(_registry._CLASSES[class_name]))
        wrong = sorted(set(options) - set(known))
        if wrong:
            raise ValueError(
                f"{initializer} has no option {wrong[0]!r}. It has {', '.join(known)}."
            )
        init = _registry.construct(class_name, {**given, "dtype": dtype, **options})
        values = init(tuple(shape), seed=seed, name=name)
        if out is not None:
            _sample.save(Path(out), values, force=force)
        facts = _sample.facts(init, values)
        if as_json:
            typer.echo(json.dumps(facts))
        else:
            _sample.show(init, values, facts, out)
