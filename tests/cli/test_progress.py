"""Progress on stderr. `hsi-xr train` has its own line, tested with the command."""

import json

import pytest
from click.testing import CliRunner

from hsi_xr.cli import _progress


class Terminal:
    """Runs a bar at given times, and returns what it draws."""

    def __init__(self, monkeypatch, capsys) -> None:
        self.seconds = 0.0
        self.capsys = capsys
        monkeypatch.setattr("tqdm.std.time", lambda: self.seconds)

    def draw(self, *reports: tuple[float, int, int], end: float) -> list[str]:
        """Returns the lines that replace each other, for reports of (seconds, done, total)."""
        with _progress.progress("bar") as report:
            for self.seconds, done, total in reports:
                report(done, total)
            self.seconds = end
        text = self.capsys.readouterr().err
        assert text.endswith("\n")
        return [line.strip() for line in text.split("\r") if line.strip()]


@pytest.fixture
def terminal(monkeypatch, capsys) -> Terminal:
    return Terminal(monkeypatch, capsys)


def test_a_bar_shows_share_speed_and_time_left(terminal):
    total = 8_000_000
    lines = terminal.draw((0, 0, total), (4, 2_000_000, total), (16, total, total), end=20)
    assert lines[0] == "0 %  preparing"
    assert any(
        line.startswith("25 %") and line.endswith("0.50 Mpx/s, 00:12 left") for line in lines
    )
    assert any("finishing the file" in line for line in lines)
    assert lines[-1] == "100 %  8.00 Mpx in 00:20,  0.40 Mpx/s"


def test_the_speed_of_a_resumed_run_is_that_of_its_own_pixels(terminal):
    lines = terminal.draw((0, 6_000_000, 8_000_000), (10, 7_000_000, 8_000_000), end=11)
    assert any(line.endswith("0.10 Mpx/s, 00:10 left") for line in lines)


def test_a_bar_that_fails_is_cleared(capsys):
    def interrupted() -> None:
        with _progress.progress("bar") as report:
            report(1, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    text = capsys.readouterr().err
    assert text.endswith("\r") and not text.split("\r")[-2].strip()


def test_json_lines_contain_the_counts(capsys):
    with _progress.progress("json") as report:
        report(1, 3)
        report(3, 3)
    first, last = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["event"], first["done"], first["total"]) == ("progress", 1, 3)
    assert (first["percent"], last["percent"]) == (33.33, 100.0)


def test_no_bar_is_drawn_without_a_terminal():
    with CliRunner().isolation() as _, _progress.progress("auto") as report:
        assert report is None
