"""Write the tables of the README and of `docs/` from the declarations: `make docs`.

Each table stands between `<!-- table: NAME -->` and `<!-- end -->`. With `--check` nothing is
written; the exit status says whether all is up to date.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import Metric

from sdrest.commands import sizes
from sdrest.commands.bar import size
from sdrest.commands.sizes import Size
from sdrest.engine.local.memory import GIB
from sdrest.errors import ErrorCode, FailureCode
from sdrest.params import PARAMS_BY_TYPE
from sdrest.settings import FLAGS, Flag, Settings
from sdrest.web.app import create_app
from sdrest.web.monitoring import scrape
from sdrest.web.monitoring.metrics import METRICS
from sdrest.web.responses.errors import FAILURES, MEANINGS, STATUS
from sdrest.web.route import Route
from sdrest.web.routes import ROUTES

_DOCS = Path(__file__).parent


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _flags(*, original: bool) -> str:
    def row(flag: Flag) -> list[str]:
        return [_code(flag.option), _code(flag.variable), _code(flag.default_text), flag.help]

    return _table(
        ["Flag", "Environment", "Default", "Meaning"],
        (row(flag) for flag in FLAGS if flag.original is original),
    )


def _parameters() -> str:
    schemas = {
        job_type: model.model_json_schema(by_alias=True)
        for job_type, model in PARAMS_BY_TYPE.items()
    }
    names = dict.fromkeys(
        name for schema in schemas.values() for name in schema["properties"]
    )  # in the order of their first appearance

    def row(name: str) -> Iterator[str]:
        yield _code(name)
        for schema in schemas.values():
            yield _default(schema, name)
        described = next(s["properties"][name] for s in schemas.values() if name in s["properties"])
        yield _range(described) + str(described["description"])

    return _table(
        ["Field", *map(_code, schemas), "Meaning"],
        map(row, names),
    )


def _default(schema: Mapping[str, Any], name: str) -> str:
    if name not in schema["properties"]:
        return ""
    if name in schema.get("required", ()):
        return "required"
    default = schema["properties"][name]["default"]
    if default is None or default == "":
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    return str(default) if isinstance(default, str) else f"{default:g}"


def _range(described: Mapping[str, Any]) -> str:
    for option in (described, *described.get("anyOf", ())):
        low = option.get("minimum", option.get("ge"))  # pydantic's name behind a BeforeValidator
        high = option.get("maximum", option.get("le"))
        if low is not None and high is None:
            return f"At least {low:.10g}. "
        if low is not None:
            return f"{low:.10g}. " if low == high else f"{low:.10g} to {high:.10g}. "
    return ""


def _errors() -> str:
    return _table(
        ["Code", "Status", "Meaning"],
        ([_code(code), str(STATUS[code].value), MEANINGS[code]] for code in ErrorCode),
    )


def _failures() -> str:
    return _table(["Code", "Meaning"], ([_code(code), FAILURES[code]] for code in FailureCode))


def _sizes() -> str:
    def cell(plain: int, cuda: int) -> str:
        return size(plain) if plain == cuda else f"{size(plain)} (NVIDIA GPU: {size(cuda)})"

    def row(name: str, plain: Size, cuda: Size) -> list[str]:
        return [name, cell(plain.download, cuda.download), cell(plain.disk, cuda.disk)]

    plain, cuda = sizes.total(cuda=False), sizes.total(cuda=True)
    room = cell(plain.disk + plain.passing, cuda.disk + cuda.passing)
    return _table(
        ["Part", "Download", "On the disk"],
        [
            *(row(name, *parts) for name, parts in sizes.PARTS.items()),
            row("In all", plain, cuda),
            ["Free at the start", "", room],
        ],
    )


def _memory() -> str:
    rows = {
        "Text to image, image to image": sizes.TEXT_TO_IMAGE_MEMORY,
        "Inpaint image": sizes.INPAINT_MEMORY,
        "Both (`--max-models 2`)": sizes.BOTH_MEMORY,
    }
    return _table(
        ["Models that one process keeps", "Memory at most"],
        ([name, f"{count / GIB:.1f} GiB"] for name, count in rows.items()),
    )


def _metrics() -> str:
    app = create_app(Settings())
    found = scrape.everything(app[METRICS], scrape.NOTHING)
    families = [family for family in found if not family.name.startswith("python_")]

    def row(family: Metric) -> list[str]:
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = dict.fromkeys(name for sample in family.samples for name in sample.labels)
        labels.pop("le", None)  # every histogram has it
        return [
            _code(family.name + suffix),
            family.type,
            ", ".join(map(_code, labels)),
            family.documentation,
        ]

    return _table(["Metric", "Kind", "Labels", "Meaning"], map(row, families))


def _routes() -> str:
    def row(route: Route) -> list[str]:
        handler = f"{route.handler.__module__.removeprefix('sdrest.')}.{route.handler.__name__}"
        token = "yes" if route.access.token else ""
        origin = "any" if route.access.foreign else "the server's"
        return [_code(route.name), _code(handler), token, origin, route.summary]

    return _table(
        ["Route", "Handler", "Token", "Pages of origin", "Purpose"],
        (row(route) for route in ROUTES if route.summary),
    )


def _decisions() -> str:
    def row(path: Path) -> list[str]:
        number, _, title = path.read_text(encoding="utf-8").partition("\n")[0].partition(". ")
        return [number.removeprefix("# "), f"[{title}]({path.name})"]

    return _table(["Number", "Decision"], map(row, sorted((_DOCS / "adr").glob("0*.md"))))


_TABLES: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    _DOCS.parent / "README.md": {
        "original flags": lambda: _flags(original=True),
        "new flags": lambda: _flags(original=False),
        "parameters": _parameters,
        "errors": _errors,
        "failures": _failures,
        "sizes": _sizes,
        "memory": _memory,
    },
    _DOCS / "adr" / "README.md": {"decisions": _decisions},
    _DOCS / "metrics.md": {"metrics": _metrics},
    _DOCS / "routes.md": {"routes": _routes},
}


def updated(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """Return a text with its tables written again."""
    for name, make in tables.items():
        pattern = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = pattern.subn(lambda found, make=make: found[1] + make() + found[2], text)
        if count != 1:
            raise ValueError(f"There are {count} places for the table {name}.")
    return text


def main() -> int:
    """Write or check the files; return the exit status."""
    stale = 0
    for path, tables in _TABLES.items():
        text = path.read_text(encoding="utf-8")
        wanted = updated(text, tables)
        stale |= text != wanted
        if "--check" not in sys.argv[1:]:
            path.write_text(wanted, encoding="utf-8")
    return stale if "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
