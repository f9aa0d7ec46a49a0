"""`sdrest setup`: its options, and which steps it runs."""

from dataclasses import fields
from typing import Any

import click

from sdrest.commands.options import options, settings
from sdrest.commands.setup.lock import locked
from sdrest.commands.setup.run import STEPS, Sources, set_up, steps_of
from sdrest.commands.setup.torch_build import CPU_INDEX, TorchBuild
from sdrest.commands.terminal import Terminal
from sdrest.paths import expand

_FLAGS = ("repository", "python", "text_to_image_model", "inpaint_image_model", "cert", "key")

_HELP = {
    "fork_url": "Where the fork is cloned from: an URL or a folder",
    "fork_branch": "The fork's branch",
    "with_python": "Python that makes the virtual environment (default: one that fits)",
    "index_url": "Package index that pip asks (default: pip's own)",
    "torch_build": "Build of torch on Linux x86-64 (auto: cuda where there is an NVIDIA GPU)",
    "torch_index_url": "Index of torch's CPU build "
    f"(default: {CPU_INDEX}, unless --index-url is given)",
    "text_to_image_source": "URL or file of the text-to-image model",
    "text_to_image_sha256": "SHA-256 of that file",
    "inpaint_image_source": "URL or file of the inpaint image model, or of a zip around it",
    "inpaint_image_sha256": "SHA-256 of that file",
    "text_encoder": "Folder of the text encoder (default: the hub)",
    "safety_checker": "Folder of the safety checker (default: the hub)",
    "hub_endpoint": "Mirror of the Hugging Face hub",
}

_TYPES = {"torch_build": click.Choice([*map(str, TorchBuild)])}


def command() -> click.Command:
    """Return the command."""
    return click.Command(
        "setup",
        params=[
            *options(_FLAGS),
            *(
                click.Option(
                    [f"--{item.name.replace('_', '-')}"],
                    default=item.default and str(item.default),
                    show_default=bool(item.default),
                    help=_HELP[item.name],
                    type=_TYPES.get(item.name),
                )
                for item in fields(Sources)
            ),
            click.Option(
                ["--skip"], type=click.Choice(STEPS), multiple=True, help="Leave out a step"
            ),
            click.Option(["--dry-run"], is_flag=True, help="Only print what would be done"),
        ],
        callback=_run,
        help="Set up Stable Diffusion: the fork, its packages, its models, a certificate.\n\n"
        "Completed steps are not repeated; after an interruption run it again.",
    )


@click.pass_context
def _run(context: click.Context, /, **values: Any) -> int:
    terminal = context.ensure_object(Terminal)
    build = TorchBuild(values["torch_build"])
    given = {item.name: values[item.name] for item in fields(Sources)}
    sources = Sources(**{**given, "torch_build": build})
    flags = settings(context)
    chosen = [step for step in steps_of(flags, sources) if step.name not in values["skip"]]
    if values["dry_run"]:
        return set_up(chosen, terminal, dry_run=True)
    with locked(expand(flags.repository).absolute().parent):
        return set_up(chosen, terminal, dry_run=False)
