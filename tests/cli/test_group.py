"""What all commands have in common: help, log, errors, exit status."""

import importlib.metadata
import json
import subprocess
import sys

import pytest

from tests.command_line import run

COMMANDS = [
    *("calibrate", "cameras", "convert", "demo", "evaluate", "evaluate-snapshots"),
    *("info", "models", "reconstruct", "train", "validate"),
]


def test_help_lists_every_command_with_what_it_does():
    lines = run("--help").stdout.split("Commands:")[1].split("\n")
    output = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    assert sorted(output) == COMMANDS
    assert all(len(words) >= 5 for words in output.values())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    assert f"Usage: hsi {command}" in run(command, "--help").stdout


@pytest.mark.parametrize("command", [*COMMANDS, "models show"])
def test_every_command_accepts_quiet_and_verbose(command):
    output = run(*command.split(), "--help").stdout
    assert "-q, --quiet" in output and "-v, --verbose" in output


def test_an_unknown_command_is_a_usage_error():
    assert run("reconstuct").exit_code == 2


def test_errors_are_one_line_on_stderr():
    result = run("models", "show", "no_such_model")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1


def test_errors_can_be_json():
    result = run("--log-format", "json", "models", "show", "no_such_model")
    line = json.loads(result.stderr)
    assert (line["level"], line["event"]) == ("error", "error")
    assert "no_such_model" in line["msg"]


def test_a_bug_keeps_its_traceback(monkeypatch):
    def broken() -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("hsi_xr.models", broken)
    with pytest.raises(ZeroDivisionError):
        run("models")


def test_a_closed_pipe_gives_no_traceback():
    command = f"{sys.executable} -m hsi_xr models --json | head -c 0"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_it_runs_as_a_module_and_prints_its_version():
    done = subprocess.run(
        [sys.executable, "-m", "hsi_xr", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == importlib.import_module("hsi_xr").__version__


def test_rio_has_all_commands_as_a_subcommand():
    if not importlib.metadata.entry_points(group="rasterio.rio_plugins", name="hsi"):
        pytest.skip("hsi_xr is not installed here, only on the path: rasterio finds no plugin")
    lines = "from rasterio.rio.main import main_group; main_group(['hsi', '--help'])"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert all(command in done.stdout for command in COMMANDS)
