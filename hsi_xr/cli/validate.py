"""`hsi-xr validate`."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from hsi_xr.cli import _console


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--schemas",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    metavar="FOLDER",
    help="With schemas of STAC extensions, as NAME-vVERSION.json; none are fetched.",
)
@click.option("--json", "as_json", is_flag=True, help="What is wrong as JSON.")
@_console.options
def command(paths: tuple[str, ...], schemas: Path | None, as_json: bool) -> None:
    """Say what is wrong with products, STAC items, collections, or folders of them.

    Layout, wavelengths, nodata and scale of files; schemas, facts, checksums and links of items and
    collections. A line for each finding, and exit status 3; nothing and 0 where all is right.
    """
    import hsi_xr
    from hsi_xr.errors import InvalidData

    looked = [hsi_xr.validate(path, schemas=schemas) for path in paths]
    findings = [finding for each in looked for finding in each.findings]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(finding)
    for name in sorted({name for each in looked for name in each.unseen}):
        _console.log.info("not looked at: %s", name)
    count = sum(len(each.looked) for each in looked)
    if findings:
        files = len({finding.path for finding in findings})
        raise InvalidData(
            f"{len(findings)} thing{'s are' if len(findings) > 1 else ' is'} wrong with "
            f"{files} of {count} files; what it is stands on stdout"
        )
    _console.log.info("nothing is wrong with %d files", count)
