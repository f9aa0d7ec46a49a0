import json
from typing import Any


class OmegaConf:
    @staticmethod
    def to_yaml(config: Any, *, resolve: bool) -> str:
        assert resolve
        return json.dumps(config)
