from typing import Any

import torch  # type: ignore[import-not-found]  # the one beside this folder


def instantiate_from_config(config: dict[str, Any]) -> Any:
    if config["size"] < 0:
        return object()
    return torch.Model(
        config["size"], **{key: config.get(key, False) for key in ("has_buffers", "inverts")}
    )
