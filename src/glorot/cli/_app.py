# SPDX-License-Identifier: Apache-2.0
"""The commands: parse, call the library, print."""

import json
from pathlib import Path

import click

from glorot.cli import _capture, _options, _presets
from glorot.cli._errors import mendable


def _version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        with mendable(debug=False):
            import glorot

            found = glorot.config()
            click.echo(
                f"glorot {found['version']} (stream {found['stream']}, kernel {found['target']}, "
                f"{found['threads']} threads)"
            )
        context.exit()


@click.group(no_args_is_help=True)
@click.option(
    "--version",
    is_flag=True,
    callback=_version,
    is_eager=True,
    expose_value=False,
    help="Print the version, the stream's, the kernel that runs, and its threads.",
)
def app() -> None:
    """The first value of every weight of every model, a pure function of (seed, name, index)."""


@app.command()
@_options.source
@_options.seed
@click.option("--out", required=True, help="The folder to write.")
@_options.recipe
@click.option(
    "--max-shard-size",
    help="At most so much in a file: 500MB, 2GiB, or bytes; a larger tensor has its own.",
)
@click.option(
    "--format",
    default="safetensors",
    show_default=True,
    help="safetensors, or dcp: a directory of torch.distributed.checkpoint.",
)
@_options.dtype
@click.option("--resume", is_flag=True, help="Go on after a write that was cut off.")
@click.option("--force", is_flag=True, help="Replace a checkpoint that is there.")
@click.option("--rank", type=int, help="Of several processes, which this is: 0, 1, ...")
@click.option("--world-size", type=int, help="How many processes there are.")
@click.option(
    "--distributed",
    is_flag=True,
    help="Both from the variables of torchrun, SLURM or MPI, which are not read without.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@_options.variables
@_options.as_json
@_options.full
@_options.debug
def init(
    shapes: str,
    seed: int,
    out: str,
    recipe: str | None,
    max_shard_size: str | None,
    format: str,
    dtype: str | None,
    resume: bool,
    force: bool,
    rank: int | None,
    world_size: int | None,
    distributed: bool,
    dry_run: bool,
    variables: tuple[str, ...],
    as_json: bool,
    full: bool,
    debug: bool,
) -> None:
    """Write the initial checkpoint of a model.

    SOURCE is a shapes file, a checkpoint, a Hugging Face config.json, timm:NAME, or
    package.module:callable. Of an existing checkpoint only the headers are read: names, shapes and
    dtypes.

    \b
    Example:
      glorot init examples/gpt2-124m.json --recipe gpt2 --seed 42 --out gpt2-init
      glorot init examples/llama-3-8b/config.json --seed 0 --out llama --dtype bfloat16
      glorot init timm:resnet50 --seed 0 --out resnet50
      srun -n 8 glorot init llama.json --recipe llama --seed 0 --out /shared/llama --distributed
    """
    with mendable(debug, " What `init` had begun, --resume goes on with."):
        from glorot import checkpoint
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
            planned = checkpoint.plan(
                found.source.shapes, loaded, out, seed=seed, dtype=dtype,
                max_shard_size=max_shard_size, format=format, force=force, resume=resume,
                rank=rank, world_size=world_size,
            )  # fmt: skip
            if as_json:
                click.echo(json.dumps({**planned.as_dict(), **about}))
            else:
                _show.planned(planned, full=full)
            raise click.exceptions.Exit(0 if planned.fits else 1)
        with _show.progress("writing") as progress:
            report = checkpoint.write(
                found.source.shapes, loaded, out, seed=seed, dtype=dtype,
                max_shard_size=max_shard_size, format=format, force=force, resume=resume,
                rank=rank, world_size=world_size, progress=progress,
            )  # fmt: skip
        if as_json:
            click.echo(json.dumps({**report.as_dict(), **about}))
        else:
            _show.written(report, full=full)
        if report.complete and format == "safetensors":
            beside = found.source.write_config(out, dtype, force=force)
            beside = beside or (found.config_that_stays(out) if force else "")
            if beside and not as_json:
                click.echo(f"glorot: {_show.plain(beside)}", err=True)


@app.command()
@_options.checkpoint
@click.option("--recipe", help="As for `init`; else what glorot.json there says.")
@click.option("--seed", type=int, help="As for `init`; else what glorot.json there says.")
@click.option("--shapes", help="What it should hold, any SOURCE; else what it does hold is taken.")
@click.option("--dtype", help="Of all floating tensors, as it was given to `init`.")
@_options.variables
@_options.as_json
@_options.full
@_options.debug
def verify(
    path: str,
    recipe: str | None,
    seed: int | None,
    shapes: str | None,
    dtype: str | None,
    variables: tuple[str, ...],
    as_json: bool,
    full: bool,
    debug: bool,
) -> None:
    """Prove that a checkpoint is, or is not, what a recipe and a seed give.

    PATH is a checkpoint's folder, of safetensors or torch's DCP, or a .safetensors file.

    Every byte is computed again and compared; exit code 1 when any differs. Without --recipe and
    --seed those of its manifest, glorot.json, are taken, and the files' checksums compared too;
    where there is none, the preset for the model, and --seed must be given.

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
            click.echo(json.dumps(report.as_dict()))
        else:
            _show.verified(report, full=full)
    if not report.equal:
        raise click.exceptions.Exit(1)


@app.command()
@_options.source
@click.argument("pattern", required=False, default="")
@_options.recipe
@_options.dtype
@_options.variables
@_options.as_json
@_options.full
@_options.debug
def explain(
    shapes: str,
    pattern: str,
    recipe: str | None,
    dtype: str | None,
    variables: tuple[str, ...],
    as_json: bool,
    full: bool,
    debug: bool,
) -> None:
    """Show what a recipe gives each parameter, and why; nothing is written.

    SOURCE is a shapes file, a checkpoint, a Hugging Face config.json, timm:NAME, or
    package.module:callable. PATTERN is over the names to explain, each by itself.

    Without --recipe that of the manifest, glorot.json, is taken, of torch's DCP excepted; else the
    preset for the model.

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
            click.echo(json.dumps([explanation.as_dict() for explanation in found]))
        else:
            _explain.show(loaded, found, full=full or bool(pattern))


app.add_command(_presets.presets)
app.add_command(_capture.capture)


@app.command()
@_options.checkpoint
@click.option("--recipe", help="What promises the values: a built-in recipe or a file.")
@click.option("--seed", type=int, help="That it was written with: every byte is compared too.")
@_options.variables
@click.option(
    "--singular-values/--no-singular-values",
    default=None,
    help="Of all matrices, or of none; else of those up to 4 million elements.",
)
@click.option("--plot", help="Draw the standard deviations and the worst histograms.")
@click.option("--force", is_flag=True, help="Replace the picture.")
@_options.as_json
@_options.full
@_options.debug
def inspect(
    path: str,
    recipe: str | None,
    seed: int | None,
    variables: tuple[str, ...],
    singular_values: bool | None,
    plot: str | None,
    force: bool,
    as_json: bool,
    full: bool,
    debug: bool,
) -> None:
    """Audit a checkpoint: its values beside what a recipe promises, and what is wrong with them.

    PATH is a checkpoint's folder, of safetensors or torch's DCP, or a .safetensors file.

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
        known = (
            _written.recipe_of(path, dcp=True)
            if recipe is None
            else _options.load(recipe, variables)
        )
        with _show.progress("reading") as progress:
            report = glorot.audit(
                path, known, seed, singular_values=singular_values, progress=progress
            )
        if plot is not None:
            _inspect.draw(report, Path(plot))
        if as_json:
            click.echo(json.dumps(report.as_dict()))
        else:
            _inspect.show(report, full=full)
    if not report.ok:
        raise click.exceptions.Exit(1)


@app.command()
@click.argument("initializer", metavar="INITIALIZER")
@click.argument("shape", metavar="SIZE...", nargs=-1, required=True, type=int)
@_options.seed
@click.option("--name", default="", help="Of the weight.")
@click.option("--dtype", default="float32", show_default=True, help="Of the values.")
@click.option("--layout", help="What the axes are, such as torch.linear or OIHW.")
@click.option(
    "--set",
    "option",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the initializer: stddev=0.02, mode=fan_out. Can be given several times.",
)
@click.option("--out", help="Write the array to this .npy file.")
@click.option("--force", is_flag=True, help="Replace the file.")
@_options.as_json
@_options.debug
def sample(
    initializer: str,
    shape: tuple[int, ...],
    seed: int,
    name: str,
    dtype: str,
    layout: str | None,
    option: tuple[str, ...],
    out: str | None,
    force: bool,
    as_json: bool,
    debug: bool,
) -> None:
    """Show the numbers of one array and their histogram, or write them to a .npy file.

    INITIALIZER is a name such as glorot_uniform or he_normal; the SIZEs are those of the whole
    array.

    \b
    Example:
      glorot sample glorot_uniform 784 256 --seed 0
      glorot sample random_normal 1000 --seed 0 --set stddev=0.02 --out noise.npy
    """
    with mendable(debug):
        from glorot import _registry
        from glorot.cli import _sample

        options = dict(_options.parse(text) for text in option)
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
                f"{initializer} has no option {wrong[0]!r}. It has "
                f"{', '.join(key for key in known if key not in own)}."
            )
        init = _registry.construct(class_name, {**given, "dtype": dtype, **options})
        values = init(shape, seed=seed, name=name)
        if out is not None:
            _sample.save(Path(out), values, force=force)
        facts = _sample.facts(init, values)
        if as_json:
            click.echo(json.dumps(facts))
        else:
            _sample.show(init, values, facts, out)
