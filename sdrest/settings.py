"""The server's flags, declared once: name, default, range and help.

The command line, the environment variables, `--help` and the README's table derive from `FLAGS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum, auto, unique
from typing import Any

from sdrest.flag_values import BasePath, Duration

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 (a name, nothing is bound to it)
"""Names of this machine on its loopback interface; the original prints the last one."""

LOG_LEVELS = ("debug", "warning", "error")

AUTO = "auto"
"""The value of a flag that lets the server choose."""

ATTENTIONS = (AUTO, "exact", "fast")


@unique
class Kind(Enum):
    """What the value of a flag is. `commands/options.py` has a click type for each kind."""

    BOOLEAN = auto()
    INTEGER = auto()
    NUMBER = auto()
    DURATION = auto()
    TEXT = auto()
    PATH = auto()
    SECRET = auto()
    CHOICE = auto()
    COUNT = auto()
    ORIGINS = auto()
    NETWORKS = auto()
    BASE_PATH = auto()


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. `name` is the attribute of `Settings`."""

    name: str
    kind: Kind
    default: Any
    help: str
    minimum: float | None
    maximum: float | None
    original: bool
    choices: tuple[str, ...]

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
        """Return the default as text on the command line; empty if there is no default."""
        return self.text(self.default)

    def text(self, value: Any) -> str:
        """Return a value as text on the command line."""
        if self.kind is Kind.BOOLEAN:
            return str(value).lower()
        if isinstance(value, tuple):
            return ",".join(map(str, value))
        return str(value).removesuffix(".0") if self.kind is Kind.NUMBER else str(value)


_KINDS: Mapping[type, Kind] = {
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    float: Kind.NUMBER,
    str: Kind.TEXT,
    Duration: Kind.DURATION,
    BasePath: Kind.BASE_PATH,
}
"""The kinds that follow from the type of the default."""


def _flag(
    default: Any,
    help_: str,
    *,
    kind: Kind | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    original: bool = False,
    choices: tuple[str, ...] = (),
) -> Any:
    kind = Kind.CHOICE if choices else kind or _KINDS[type(default)]
    flag = Flag("", kind, default, help_, minimum, maximum, original, choices)
    return field(default=default, metadata={"flag": flag})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values of the flags.

    Paths stay texts as typed, since a job's id contains them; `sdrest.paths.expand` makes a
    `Path`. `given` has the names of the flags that the user set, on the command line or in the
    environment.
    """

    cert: str = _flag("./cert.pem", "Path to the SSL certificate", original=True, kind=Kind.PATH)
    concurrency: int = _flag(
        1, "Number of concurrent image generation tasks", minimum=0, maximum=64, original=True
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
        kind=Kind.PATH,
    )
    key: str = _flag("./key.pem", "Path to the SSL certificate key", original=True, kind=Kind.PATH)
    output: str = _flag(
        "./output", "Directory to output generated images", original=True, kind=Kind.PATH
    )
    port: int = _flag(
        8888, "Port to serve the REST API (0: any free one)", minimum=0, maximum=65535,
        original=True,
    )  # fmt: skip
    repository: str = _flag(
        "./stable-diffusion",
        "Path to the Stable Diffusion repository",
        original=True,
        kind=Kind.PATH,
    )
    text_to_image_model: str = _flag(
        "./models/text-to-image.ckpt",
        "Path to the text-to-image model checkpoint",
        original=True,
        kind=Kind.PATH,
    )
    a1111_port: int = _flag(
        0,
        "Second port, which serves AUTOMATIC1111's API over plain HTTP, e.g. 7860 (0: none)",
        minimum=0,
        maximum=65535,
    )
    allow_pickle: bool = _flag(
        False,
        "Load .ckpt files of --models as the scripts do, though such a file can run any program",
    )
    attention: str = _flag(
        AUTO,
        "How attention is computed: fast (PyTorch's own), exact (as the scripts do, byte for "
        "byte), or auto (fast on a CPU and CUDA, exact on MPS)",
        choices=ATTENTIONS,
    )
    auth: bool = _flag(
        True,
        "Whether an address other than loopback needs a token (--no-auth: everybody is answered)",
    )
    cluster: str = _flag(
        "",
        "Address at which workers on other machines (`sdrest worker`) may connect, e.g. "
        "tls://0.0.0.0:8786; with --concurrency 0 only they run jobs",
    )
    scheduler: str = _flag(
        "",
        "Address of a Dask scheduler that runs elsewhere, in place of --cluster, e.g. "
        "tls://10.0.0.5:8786",
    )
    cluster_credentials: str = _flag(
        "./cluster.pem",
        "This machine's file of `sdrest cluster credentials`, for addresses with tls://",
        kind=Kind.PATH,
    )
    cors_origin: tuple[str, ...] = _flag(
        (),
        "Origins of web pages that may use every route, e.g. https://example.org",
        kind=Kind.ORIGINS,
    )
    base_path: str = _flag(
        BasePath(""), "Path under which a reverse proxy serves the server, e.g. /sd"
    )
    trusted_proxy: tuple[Any, ...] = _flag(
        (),
        "Addresses of proxies whose X-Forwarded-Proto, -Host and -Prefix count, e.g. 127.0.0.1",
        kind=Kind.NETWORKS,
    )
    token: str = _flag(
        "", "Token that clients have to send (Authorization: Bearer)", kind=Kind.SECRET
    )
    host: str = _flag("127.0.0.1", "Address to listen on")
    keep_alive: float = _flag(
        Duration("5m"),
        "How long the model stays loaded after a job, e.g. 90, 5m, 1h (0: not at all, -1: for "
        "ever)",
        minimum=-1,
    )
    log_level: str = _flag(
        "warning", "What is logged on stderr: debug, warning or error", choices=LOG_LEVELS
    )
    job_timeout: float = _flag(0.0, "Seconds a job may take (0: no limit)", minimum=0)
    metadata: bool = _flag(
        True, "Whether images carry their prompt, parameters, seed and model in text chunks"
    )
    max_host_memory: int = _flag(
        0,
        "Memory in MiB that a script's process may keep; a larger one is replaced after its job "
        "(0: no limit)",
        minimum=0,
    )
    max_models: int | str = _flag(
        AUTO,
        "Number of models that stay loaded for each concurrent job (auto: as many as fit into the "
        "memory)",
        kind=Kind.COUNT,
        minimum=1,
    )
    models: str = _flag(
        "./models",
        "Folder of the checkpoints that requests may name (.ckpt and .safetensors)",
        kind=Kind.PATH,
    )
    max_pixels: int = _flag(4096 * 4096, "Largest uploaded image in pixels", minimum=256 * 256)
    max_queue: int = _flag(1000, "Number of jobs that may wait", minimum=1)
    max_upload: int = _flag(32, "Largest uploaded file in MiB", minimum=1)
    plain_http: bool = _flag(False, "Serve HTTP instead of HTTPS, behind a proxy")
    preload: bool = _flag(False, "Load the text-to-image model when the server starts")
    name: str = _flag("", "Name of this machine in a cluster (default: its host name)")
    worker_port: int = _flag(
        0,
        "Port at which the server calls this worker, for a firewall between them (0: any free one)",
        minimum=0,
        maximum=65535,
    )
    previews: bool = _flag(True, "Whether running jobs show what their picture looks like so far")
    python: str = _flag(
        "",
        "Python that runs the scripts (default: that of venv/ or .venv/ in the repository)",
        kind=Kind.PATH,
    )
    grace: float = _flag(5.0, "Seconds that running jobs get to finish in at a stop", minimum=0)
    keep_bytes: int = _flag(
        0, "Bytes that finished jobs may take, the oldest are removed (0: no limit)", minimum=0
    )
    keep_days: float = _flag(
        0.0, "Days after which finished jobs are removed (0: never)", minimum=0
    )
    keep_abandoned: bool = _flag(
        False,
        "Whether a job goes on when the last client that waits for its picture has disconnected",
    )
    webhook_private: bool = _flag(
        False, "Whether webhooks may go to this machine and to private networks"
    )
    webhook_secret: str = _flag(
        "",
        "Secret that signs the messages to webhooks: whsec_ and 24 to 64 bytes in base64",
        kind=Kind.SECRET,
    )
    stall_timeout: float = _flag(
        0.0, "Seconds for which a script may write nothing (0: no limit)", minimum=0
    )
    given: frozenset[str] = frozenset()


FLAGS: tuple[Flag, ...] = tuple(
    replace(item.metadata["flag"], name=item.name) for item in fields(Settings) if item.metadata
)
