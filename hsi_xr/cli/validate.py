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
@click.option(
    "--json", "as_json", is_flag=True, help="Findings, files, and what was not looked at as JSON."
)
@_console.options
def command(paths: tuple[str, ...], schemas: Path | None, as_json: bool) -> None:
    """Say what is wrong with products, STAC items, collections, or folders of them.

    Layout, wavelengths, nodata, scale and place of files in any format; schemas, facts, checksums
    and links of items and collections. Each PATH is a file or folder, or a URL. A line for each
    finding with what sets it right, and exit status 3; nothing and 0 where all is right.
    """
    import hsi_xr
    from hsi_xr.errors import InvalidData

    report = None if as_json else click.echo
    looked = [hsi_xr.validate(path, schemas=schemas, report=report) for path in paths]
    findings = [finding for each in looked for finding in each.findings]
    files = {name for each in looked for name in each.looked}
    unseen = sorted({name for each in looked for name in each.unseen})
    if as_json:
        told = [asdict(finding) for finding in findings]
        click.echo(
            json.dumps({"findings": told, "files": len(files), "not_looked_at": unseen}, indent=2)
        )
    for name in unseen:
        _console.log.info("not looked at: %s", name)
    if findings:
        wrong, all_of = len({finding.path for finding in findings}), len(files)
        raise InvalidData(
            f"{len(findings)} thing{'s are' if len(findings) > 1 else ' is'} wrong with {wrong} of "
            f"{max(wrong, all_of)} file{'s' if all_of > 1 else ''}; what it is stands on stdout"
        )
    _console.log.info("nothing is wrong with %d files", len(files))
