"""As much of the safety checker as the scripts use: what it says, and the images and flags."""

import sys
from typing import Any


class StableDiffusionSafetyChecker:
    def __call__(self, **options: Any) -> Any:
        return self.forward(**options)

    def forward(self, clip_input: Any, images: list[bool]) -> tuple[Any, list[bool]]:
        assert clip_input is None
        if any(images):
            sys.stderr.write(
                "Potential NSFW content was detected in one or more images. A black image will be"
                " returned instead. Try again with a different prompt and/or seed.\n"
            )
        return images, images
