"""The steps that fetch the text encoder and the safety checker."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from sdrest.commands import sizes
from sdrest.commands.setup.download import local_path
from sdrest.commands.setup.environment import without_python_variables
from sdrest.commands.setup.step import Footprint, StepError, run_program
from sdrest.commands.sizes import Size
from sdrest.commands.terminal import Terminal
from sdrest.engine.local import hub_models

_PROGRAMS = {
    hub_models.TEXT_ENCODER: """
from transformers import CLIPTextModel, CLIPTokenizer
CLIPTokenizer.from_pretrained({model!r})
CLIPTextModel.from_pretrained({model!r})
""",
    hub_models.SAFETY_CHECKER: """
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import AutoFeatureExtractor
AutoFeatureExtractor.from_pretrained({model!r})
StableDiffusionSafetyChecker.from_pretrained({model!r})
""",
}
"""What the fork does at its first run; the hub's library resumes interrupted downloads."""

_PUBLISHED = {
    hub_models.TEXT_ENCODER: sizes.TEXT_ENCODER,
    hub_models.SAFETY_CHECKER: sizes.SAFETY_CHECKER,
}


@dataclass(frozen=True, slots=True)
class HubModel:
    """Copies a model from a folder into the checkout, or fetches it into the hub's cache.

    `source` is a folder, or empty for the hub; `endpoint` is a mirror of the hub.
    """

    model: str
    root: Path
    python: Path
    name: str
    source: str = ""
    endpoint: str = ""

    @property
    def needs(self) -> frozenset[str]:
        """See `Step.needs`."""
        return frozenset({"repository"} if self.source else {"packages"})

    def plan(self) -> str:
        """See `Step.plan`."""
        if self.source:
            return f"copy {self.source} to {self.root / self.model}"
        return f"fetch {self.model} from {self.endpoint or 'https://huggingface.co'}"

    def footprint(self) -> Footprint:
        """See `Step.footprint`."""
        if not self.source:
            return Footprint(hub_models.cache_of(), _PUBLISHED[self.model])
        folder = local_path(self.source)
        files = [path for path in folder.rglob("*") if path.is_file()] if folder else []
        there = sum(path.stat().st_size for path in files)
        return Footprint(self.root.parent, Size(disk=there) if files else None)

    def done(self) -> bool:
        """Whether the fork finds it without the network."""
        return hub_models.found(self.model, self.root) is not None

    def run(self, terminal: Terminal) -> None:
        """Copy or fetch it."""
        if self.source:
            self._copy()
            return
        self._put_damaged_aside()
        mirror = {"HF_ENDPOINT": self.endpoint} if self.endpoint else {}
        run_program(
            terminal,
            [self.python, "-c", _PROGRAMS[self.model].format(model=self.model)],
            environment={**without_python_variables(os.environ), **mirror},
            remedy="See that the hub can be reached, or name a folder or a mirror of it "
            f"(--{self.name}, --hub-endpoint); run again.",
        )

    def _put_damaged_aside(self) -> None:
        """Remove damaged files: neither the fork nor the hub's library replaces them."""
        folder = self.root / self.model
        if folder.is_dir():
            aside = folder.with_name(f"{folder.name}.damaged")
            shutil.rmtree(aside, ignore_errors=True)
            folder.replace(aside)
        for snapshot in hub_models.snapshots(self.model):
            for path in hub_models.damaged_files(snapshot):
                path.resolve().unlink(missing_ok=True)  # a link to the content
                path.unlink(missing_ok=True)

    def _copy(self) -> None:
        source, target = local_path(self.source), self.root / self.model
        if source is None or not hub_models.complete(self.model, source):
            raise StepError(f"{self.source} (--{self.name}) does not hold {self.model}.")
        part = target.with_name(f"{target.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(source, part)
        shutil.rmtree(target, ignore_errors=True)
        part.replace(target)
