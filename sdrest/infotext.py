"""Writes and reads the settings of an image as AUTOMATIC1111's web UI keeps them. Pure.

The text is the prompt, `Negative prompt: …` on lines of its own if there is one, and a last line of
`Name: value` pairs. A value whose end would be unclear is a string of JSON.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

NEGATIVE = "Negative prompt:"

_PAIR = re.compile(r"""\s*+([^\s:,"][^:,"\n]{0,99}):\s*+("(?:[^"\\]|\\.)*+"|[^,]*+)\s*+(?:,|$)""")
_FEWEST_PAIRS = 3
"""With fewer pairs the last line belongs to the prompt, as in the web UI."""

_SIZE = re.compile(r"([0-9]{1,9})x([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of an image; `pairs` has those of the last line, as texts, in their order."""

    prompt: str = ""
    negative_prompt: str = ""
    pairs: Mapping[str, str] = field(default_factory=dict)

    def parameters(self) -> dict[str, str]:
        """Return all settings under the web UI's names: a size is `Size-1` (width) and `Size-2`."""
        named = {"Prompt": self.prompt, "Negative prompt": self.negative_prompt}
        for name, value in self.pairs.items():
            if size := _SIZE.fullmatch(value):
                named |= {f"{name}-1": size[1], f"{name}-2": size[2]}
            else:
                named[name] = value
        return named


def write(prompt: str, negative_prompt: str, pairs: Iterable[tuple[str, str | float]]) -> str:
    """Return the text. Programs read pairs from its last line only, so no prompt forges them."""
    last = ", ".join(f"{name}: {_quoted(value)}" for name, value in pairs)
    negative = f"\n{NEGATIVE} {negative_prompt}" if negative_prompt else ""
    return f"{prompt}{negative}\n{last}".strip()


def read(text: str) -> Settings:
    """Return the settings that a text holds; any text is read in linear time."""
    *lines, last = text.strip().split("\n")
    pairs = dict(_pairs(last))
    if len(pairs) < _FEWEST_PAIRS:
        lines.append(last)
        pairs = {}
    begins = next((at for at, line in enumerate(lines) if line.startswith(NEGATIVE)), len(lines))
    negative = "\n".join(lines[begins:]).removeprefix(NEGATIVE)
    return Settings("\n".join(lines[:begins]).strip(), negative.strip(), pairs)


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(line):
        if found := _PAIR.match(line, position):
            yield found[1].strip(), _unquoted(found[2].strip())
            position = found.end()
        else:  # what is not a pair is skipped, as the web UI does
            position = line.find(",", position) + 1 or len(line)


def _quoted(value: str | float) -> str:
    """Return a value as a pair has it."""
    text = str(value).removesuffix(".0") if isinstance(value, float) else str(value)
    plain = text.isprintable() and text == text.strip() and not set(text) & set(',:"')
    return text if plain else json.dumps(text, ensure_ascii=False)


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text
