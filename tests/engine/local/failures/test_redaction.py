from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdrest.engine.local.failures.redaction import LINES, last_lines, names_of_paths, redact

NAMES = names_of_paths(
    {
        "REPOSITORY": Path("/srv/my fork"),
        "VENV": Path("/srv/my fork/venv"),
        "OUTPUT": Path("/data/out"),
        "NOTHING": None,
        "ROOT": Path("/"),
        "HERE": Path(),
    }
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('File "/srv/my fork/a.py", line 1', 'File "REPOSITORY/a.py", line 1'),
        ('File "/srv/my fork/venv/lib/t.py"', 'File "VENV/lib/t.py"'),
        ("saved /data/out/samples/0.png.", "saved OUTPUT/samples/0.png."),
        ("/data/outer/0.png", ".../0.png"),
        ("no such file: '/home/a b/c d.ckpt'", "no such file: '.../c d.ckpt'"),
        ("in `/etc/x`", "in `.../x`"),
        ("/usr/lib/python3.11/site-packages/torch.py:12: Warning", ".../torch.py:12: Warning"),
        ("PATH=/usr/bin:/home/joe", "PATH=.../bin:.../joe"),
        ("open file:///home/joe/x.html", "open .../x.html"),
        ("see https://github.com/a/b and 4/8 [00:01, 8it/s] <br/> and/or ./a/b ~/c", None),
        ("", None),
    ],
)
def test_redact(text: str, shown: str | None) -> None:
    assert redact(text, NAMES) == (text if shown is None else shown)


def test_a_link_is_known_by_both_its_names(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    names = names_of_paths({"REPOSITORY": tmp_path / "link"})
    text = f"{tmp_path}/link/a {tmp_path}/real/b"
    assert redact(text, names) == "REPOSITORY/a REPOSITORY/b"


@given(
    st.lists(st.text("abc._-", min_size=1).filter(lambda s: s.strip(".")), min_size=2, max_size=5),
    st.sampled_from(
        ['File "{}", line 3', "'{}'", "cannot open {}", "{}: not found", "a={}", "({})"]
    ),
)
def test_no_folder_of_any_path_is_shown(parts: list[str], frame: str) -> None:
    path = "/" + "/".join(f"dir{n}{part}" for n, part in enumerate(parts))
    shown = redact(frame.format(path), NAMES)
    assert "dir0" not in shown
    assert f"dir{len(parts) - 1}" in shown


def test_lines_are_shown_as_a_terminal_shows_them() -> None:
    stderr = "warning\n\rbar:   0%|  | 0/2\rbar: 100%|##| 2/2\x1b[A\x1b[A\n\n  \nend\x07\r\n"
    assert last_lines(stderr, {}) == "warning\nbar: 100%|##| 2/2\nend"


def test_only_the_last_lines_are_shown() -> None:
    stderr = "\n".join(map(str, range(1000))) + "\n" + "x" * 100_000
    shown = last_lines(stderr, {}).split("\n")
    assert len(shown) == LINES
    assert shown[-2] == "999"
    assert len(shown[-1]) == 1000
