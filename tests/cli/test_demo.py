from tests.command_line import run


def test_files_of_an_earlier_demo_are_left_alone(tmp_path):
    from hsi_xr.demo.report import Files

    earlier = Files.of(tmp_path).rgb
    earlier.write_text("mine")
    result = run("demo", "--out", tmp_path)
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
