"""The server's flags, declared once: name, default, range and help.

The command line, the environment variables, `--help` and the README's table derive from `FLAGS`.
"""

import ipaddress
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from sdrest.paths import locale_has_other_letters

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 (a name, nothing is bound to it)
"""The names by which this machine calls itself; the original's requests go to the last one."""


class Items(tuple[Any, ...]):
    """The values of a flag that takes a list with commas, and may come more than once."""

    __slots__ = ()

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the values of a list with commas; `ValueError` where one is wrong."""
        items = (item.strip() for item in text.split(","))
        return cls(dict.fromkeys(cls.item(item) for item in items if item))

    @staticmethod
    def item(text: str) -> Any:
        """Return one value; `ValueError` for a wrong one."""
        raise NotImplementedError


class Origins(Items):
    """Origins of web pages, as browsers spell them: `https://example.org:8443`."""

    __slots__ = ()

    @staticmethod
    def item(text: str) -> str:
        """Return an origin."""
        return _origin(text)


class Networks(Items):
    """IP addresses and networks: `127.0.0.1`, `10.0.0.0/8`, `fd00::/8`."""

    __slots__ = ()

    @staticmethod
    def item(text: str) -> Any:
        """Return an `IPv4Network` or `IPv6Network`; an address is a network of one."""
        return ipaddress.ip_network(text, strict=False)


class BasePath(str):
    """The path under which a proxy serves the server: `/sd`, or nothing; ValueError else."""

    __slots__ = ()

    _MOST: ClassVar = 200
    _PATH: ClassVar = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*/?")

    def __new__(cls, text: str) -> Self:
        """Read a path; a slash at its end does not matter."""
        if len(text) > cls._MOST or not cls._PATH.fullmatch(text):
            raise ValueError("no path")
        return str.__new__(cls, text.removesuffix("/"))


def _origin(text: str) -> str:
    parts = urlsplit(text.lower())
    if not (parts.scheme and parts.hostname) or f"{parts.scheme}://{parts.netloc}" != text.lower():
        raise ValueError(text)
    port = {"http": 80, "https": 443}.get(parts.scheme)
    return text.lower().removesuffix(f":{port}") if parts.port == port else text.lower()


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. `name` is the attribute of `Settings`; `kind` is the type of its value."""

    name: str
    kind: type
    default: Any
    help: str
    minimum: float | None
    maximum: float | None
    original: bool
    secret: bool
    path: bool

    @property
    def option(self) -> str:
        """Return the option on the command line, e.g. `--max-queue`."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Return the environment variable, e.g. `SDREST_MAX_QUEUE`."""
        return "SDREST_" + self.name.upper()

    @property
    def default_text(self) -> str:
        """Return the default as one would type it; empty where there is none to type."""
        if self.kind is bool:
            return str(self.default).lower()
        if issubclass(self.kind, Items):
            return ",".join(map(str, self.default))
        return f"{self.default:g}" if self.kind is float else str(self.default)

    @property
    def wants(self) -> str:
        """Return what a value should be, e.g. `a whole number from 0 to 65535`."""
        if self.secret:
            return "letters, digits and signs of ASCII, without spaces, and not empty"
        if self.kind is str:
            return "valid UTF-8" if self.default == "" else "valid UTF-8 and not empty"
        if self.kind in _WANTS:
            return _WANTS[self.kind]
        number = "a whole number" if self.kind is int else "a number"
        if self.maximum is None:
            return f"{number} of at least {self.minimum}"
        return f"{number} from {self.minimum} to {self.maximum}"

    def parse(self, text: str) -> Any:
        """Return the value that was typed as `text`; `ValueError` (a sentence) for a wrong one."""
        value = self._value(text)
        if value is None:
            shown = "." if self.secret else f", not {text!r}."
            raise ValueError(f"should be {self.wants}{shown}")
        return value

    def _value(self, text: str) -> Any:
        """Return the value, or None where `text` is none; numbers have a minimum at least."""
        if self.kind is bool:
            return _BOOLEANS.get(text.lower())
        try:
            if not (self.path and locale_has_other_letters()):
                text.encode()  # bytes of the command line that are no UTF-8 arrive as surrogates
            read: Any = self.kind.read if issubclass(self.kind, Items) else self.kind
            value = read(text)
        except ValueError:
            return None
        if isinstance(value, Items):
            return value
        if self.secret:
            usable = text and text.isascii() and text.isprintable() and " " not in text
            return value if usable else None
        if isinstance(value, str):
            return value if value or self.default == "" else None
        highest = sys.float_info.max if self.maximum is None else self.maximum
        return value if self.minimum <= value <= highest else None


class LogLevel(StrEnum):
    """What is worth a line in the log: this and what is worse."""

    DEBUG = "debug"
    WARNING = "warning"
    ERROR = "error"


class Duration(float):
    """Seconds. Made of a number or of a text such as `90`, `90s`, `5m` or `1h`; ValueError else."""

    _UNITS: ClassVar = {"s": 1, "m": 60, "h": 3600}

    def __new__(cls, value: float | str) -> Self:
        """Read a duration."""
        unit = cls._UNITS.get(value[-1:], 0) if isinstance(value, str) else 0
        seconds = float(value[:-1]) * unit if isinstance(value, str) and unit else float(value)
        if not math.isfinite(seconds):
            raise ValueError("no duration")
        return super().__new__(cls, seconds)

    def __str__(self) -> str:
        for unit in ("h", "m"):
            count, rest = divmod(self, self._UNITS[unit])
            if count > 0 and not rest:
                return f"{count:g}{unit}"
        return f"{float(self):g}"


_WANTS: Mapping[type, str] = {
    bool: "true or false",
    Duration: "seconds, or a time such as 90s, 5m or 1h; -1 is for ever",
    LogLevel: f"one of {', '.join(LogLevel)}",
    Origins: "origins such as https://example.org, with commas between",
    Networks: "IP addresses or networks such as 127.0.0.1 or 10.0.0.0/8, with commas between",
    BasePath: "a path such as /sd, of letters, digits and - . _ ~ between its slashes",
}

_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def _flag(
    default: Any,
    help_: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    original: bool = False,
    secret: bool = False,
    path: bool = False,
) -> Any:
    metadata: Mapping[str, Any] = {
        "help": help_,
        "minimum": minimum,
        "maximum": maximum,
        "original": original,
        "secret": secret,
        "path": path,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values of the flags.

    Paths are kept as typed, since their text is part of a job's id; `sdrest.paths.expand` makes
    paths of them.
    `given` holds the names of those that the user set, by flag or by environment.
    """

    cert: str = _flag("./cert.pem", "Path to the SSL certificate", original=True, path=True)
    concurrency: int = _flag(
        1, "Number of concurrent image generation tasks", minimum=1, maximum=64, original=True
    )
    cors: bool = _flag(True, "Whether to enable CORS", original=True)
    delete_incomplete: bool = _flag(
        False,
        "Delete all incomplete image generation tasks before starting the server",
        original=True,
    )
    inpaint_image_model: str = _flag(
        "./models/inpaint-image.ckpt",
        "Path to the inpaint image model checkpoint",
        original=True,
        path=True,
    )
    key: str = _flag("./key.pem", "Path to the SSL certificate key", original=True, path=True)
    output: str = _flag(
        "./output", "Directory to output generated images", original=True, path=True
    )
    port: int = _flag(
        8888, "Port to serve the REST API (0: any free one)", minimum=0, maximum=65535,
        original=True,
    )  # fmt: skip
    repository: str = _flag(
        "./stable-diffusion",
        "Path to the Stable Diffusion repository",
        original=True,
        path=True,
    )
    text_to_image_model: str = _flag(
        "./models/text-to-image.ckpt",
        "Path to the text-to-image model checkpoint",
        original=True,
        path=True,
    )
    auth: bool = _flag(
        True, "Whether an address other than loopback needs a token (--no-auth: anyone may come in)"
    )
    cors_origin: tuple[str, ...] = _flag(
        Origins(), "Origins of web pages that may use every route, e.g. https://example.org"
    )
    base_path: str = _flag(
        BasePath(""), "Path under which a reverse proxy serves the server, e.g. /sd"
    )
    trusted_proxy: tuple[Any, ...] = _flag(
        Networks(),
        "Addresses of proxies whose X-Forwarded-Proto, -Host and -Prefix count, e.g. 127.0.0.1",
    )
    token: str = _flag("", "Token that clients have to send (Authorization: Bearer)", secret=True)
    host: str = _flag("127.0.0.1", "Address to listen on")
    keep_alive: float = _flag(
        Duration("5m"),
        "How long the model stays loaded after a task, e.g. 90, 5m, 1h (0: not at all, -1: for "
        "ever)",
        minimum=-1,
    )
    log_level: str = _flag(LogLevel.WARNING, "What is logged on stderr: debug, warning or error")
    job_timeout: float = _flag(0.0, "Seconds a task may take (0: no limit)", minimum=0)
    metadata: bool = _flag(
        True, "Whether images carry their prompt, parameters, seed and model in text chunks"
    )
    max_host_memory: int = _flag(
        0,
        "Memory in MiB that a script's process may keep; a larger one is replaced after its task "
        "(0: no limit)",
        minimum=0,
    )
    max_models: int = _flag(
        2, "Number of models that stay loaded for each concurrent task", minimum=1
    )
    max_pixels: int = _flag(4096 * 4096, "Largest uploaded image in pixels", minimum=256 * 256)
    max_queue: int = _flag(1000, "Number of tasks that may wait", minimum=1)
    max_upload: int = _flag(32, "Largest uploaded file in MiB", minimum=1)
    plain_http: bool = _flag(False, "Serve HTTP instead of HTTPS, behind a proxy")
    preload: bool = _flag(False, "Load the text-to-image model when the server starts")
    python: str = _flag(
        "",
        "Python that runs the scripts (default: that of venv/ or .venv/ in the repository)",
        path=True,
    )
    grace: float = _flag(5.0, "Seconds that running tasks get to finish in at a stop", minimum=0)
    keep_bytes: int = _flag(
        0, "Bytes that finished tasks may take, the oldest are removed (0: no limit)", minimum=0
    )
    keep_days: float = _flag(
        0.0, "Days after which finished tasks are removed (0: never)", minimum=0
    )
    stall_timeout: float = _flag(
        0.0, "Seconds for which a script may write nothing (0: no limit)", minimum=0
    )
    given: frozenset[str] = frozenset()


FLAGS: tuple[Flag, ...] = tuple(
    Flag(
        name=item.name,
        kind=type(item.default),
        default=item.default,
        help=item.metadata["help"],
        minimum=item.metadata["minimum"],
        maximum=item.metadata["maximum"],
        original=item.metadata["original"],
        secret=item.metadata["secret"],
        path=item.metadata["path"],
    )
    for item in fields(Settings)
    if "help" in item.metadata
)
