import json

from click.testing import CliRunner

from hsi_xr.cli import _progress


def drawn(*reports: tuple[int, int], times: list[float], monkeypatch, capsys) -> str:
    """What a bar shows on stderr when it is told these counts at these seconds."""
    clock = iter(times)
    monkeypatch.setattr(_progress, "monotonic", lambda: next(clock))
    with _progress.progress("bar") as report:
        for done, total in reports:
            report(done, total)
    return capsys.readouterr().err


def test_the_bar_tells_share_speed_and_time_left(monkeypatch, capsys):
    text = drawn(
        (0, 8_000_000), (2_000_000, 8_000_000), (8_000_000, 8_000_000),
        times=[0, 0, 4, 16, 20], monkeypatch=monkeypatch, capsys=capsys,
    )  # fmt: skip
    lines = text.split("\r\x1b[K")
    assert any(" 25 %" in line and "0.50 Mpx/s  0:12 left" in line for line in lines)
    assert lines[-1] == "100 %  8.00 Mpx in 0:20, 0.40 Mpx/s\n"


def test_a_resumed_run_is_not_thought_to_be_fast(monkeypatch, capsys):
    text = drawn(
        (6_000_000, 8_000_000), (7_000_000, 8_000_000),
        times=[0, 0, 10, 11], monkeypatch=monkeypatch, capsys=capsys,
    )  # fmt: skip
    assert "0.10 Mpx/s  0:10 left" in text


def test_a_bar_that_fails_leaves_no_line_behind(capsys):
    try:
        with _progress.progress("bar") as report:
            report(1, 2)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert capsys.readouterr().err.endswith("\r\x1b[K")


def test_json_lines_hold_the_counts(capsys):
    with _progress.progress("json") as report:
        report(1, 3)
        report(3, 3)
    first, last = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["event"], first["done"], first["total"]) == ("progress", 1, 3)
    assert (first["percent"], last["percent"]) == (33.33, 100.0)


def test_nothing_is_drawn_where_nobody_looks():
    with CliRunner().isolation() as _, _progress.progress("auto") as report:
        assert report is None
