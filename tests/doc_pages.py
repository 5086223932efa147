"""Code blocks of Markdown pages, and how each kind is run or checked.

Python blocks of a page run one after the other in one namespace, and commands of `hsi-xr` run
through click. A block of text right below a Python block is its output. A comment
`<!-- not run: REASON -->` above a block keeps it from running; its commands and options must exist
all the same.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from importlib.util import find_spec
from pathlib import Path

import click

from hsi_xr.cli import cli
from tests.command_line import run

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_EXTRAS = re.compile(r"\[([\w,]+)\]")


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    text: str
    reason: str | None
    """Why the block is not run; None if it is run."""
    is_output: bool = False
    """True if the block shows the output of the one above it."""

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command of a shell block."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    above = None
    for found in _BLOCK.finditer(text):
        touches = above is not None and not text[above.end() : found.start()].strip()
        is_output = touches and (above["language"], found["language"]) == ("python", "text")
        above = found
        line = text.count("\n", 0, found.start("text"))
        body = re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
        yield Block(page, line, found["language"], body, found["reason"], is_output)


def run_block(block: Block, namespace: dict[str, object]) -> None:
    """Runs a block; for a block that is not run, checks that its names exist."""
    if block.language == "python":
        code = compile("\n" * block.line + block.text, str(block.page), "exec")
        if block.reason is None:
            exec(code, namespace)
    elif block.language == "sh":
        for words in block.commands:
            _check(words)
            if block.reason is None and _arguments(words) is not None:
                result = run(*_arguments(words))
                assert result.exit_code == 0, f"{shlex.join(words)}\n{result.output}"


def prints(block: Block, printed: str) -> bool:
    """True if the output matches a block of output, in which `...` stands for anything."""
    return OutputChecker().check_output(block.text, printed, ELLIPSIS | NORMALIZE_WHITESPACE)


def _arguments(words: list[str]) -> list[str] | None:
    """Returns the arguments of a call of the hsi_xr command line; None for other commands."""
    starts = (["hsi-xr"], ["rio", "hsi"], ["python", "-m", "hsi_xr"], ["torchrun", "-m", "hsi_xr"])
    for start in starts:
        if words[: len(start)] == start:
            return words[len(start) :]
    return None


def _check(words: list[str]) -> None:
    """Checks that all names in a command exist: subcommands, options, modules, files, targets."""
    arguments = _arguments(words)
    if arguments is not None:
        _check_options(cli, arguments)
    elif words[0] == "make":
        rules = (ROOT / "Makefile").read_text()
        assert all(re.search(rf"^{target}:", rules, re.MULTILINE) for target in words[1:]), words
    elif words[0] == "pip":
        _check_installation(words)
    elif words[0] == "python":
        _check_script(words[1:])
    else:
        assert words[0] in {"cd", "git"}, f"no check for {shlex.join(words)!r}"


def _check_options(command: click.Command, words: list[str]) -> None:
    context = click.Context(command)
    known = {
        name for each in command.get_params(context) for name in (*each.opts, *each.secondary_opts)
    }
    for at, word in enumerate(words):
        if re.match(r"--?[a-z]", word):
            assert word.split("=")[0] in known, f"{command.name} has no option {word}"
        elif isinstance(command, click.Group) and command.get_command(context, word):
            _check_options(command.get_command(context, word), words[at + 1 :])
            return


def _check_installation(words: list[str]) -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    for word in words:
        for extra in ",".join(_EXTRAS.findall(word)).split(","):
            assert not extra or re.search(rf"^{extra} = \[", pyproject, re.MULTILINE), extra
        if word.startswith("./"):
            assert (ROOT / word).is_dir(), word


def _check_script(words: list[str]) -> None:
    """Checks that a script or module exists, and that its text contains the options used."""
    if words[0] == "-m":
        if words[1] in {"http.server", "hsi_xr_smooth_inverse"}:
            return
        spec = find_spec(words[1])
        assert spec is not None and spec.origin is not None, words
        script = Path(spec.origin)
    else:
        script = ROOT / words[0]
    text = script.read_text("utf-8")
    for word in words:
        assert not word.startswith("--") or f'"{word}"' in text, f"{script.name} has no {word}"
