from collections.abc import Sequence


class LatentDiffusion:
    def get_learned_conditioning(self, prompts: Sequence[str]) -> list[str]:
        return list(prompts)
