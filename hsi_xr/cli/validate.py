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
    help="Folder with schemas of STAC extensions, as NAME-vVERSION.json; none are downloaded.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print findings, the number of files, and what was not checked, as JSON.",
)
@_console.options
def command(paths: tuple[str, ...], schemas: Path | None, as_json: bool) -> None:
    """Find what is wrong with products, STAC items, collections, or folders of them.

    Checks layout, wavelengths, nodata, scale and georeference of files in any format, and schemas,
    contents, checksums and links of items and collections. Each PATH is a file, a folder or a URL.
    Prints a line per finding, with its repair, and exits with status 3; prints nothing and exits
    with status 0 if everything is valid.
    """
    import hsi_xr
    from hsi_xr.errors import InvalidData

    report = None if as_json else click.echo
    inspections = [hsi_xr.validate(path, schemas=schemas, report=report) for path in paths]
    findings = [finding for inspection in inspections for finding in inspection.findings]
    files = {name for inspection in inspections for name in inspection.looked}
    unchecked = sorted({name for inspection in inspections for name in inspection.unseen})
    if as_json:
        listed = [asdict(finding) for finding in findings]
        content = {"findings": listed, "files": len(files), "not_looked_at": unchecked}
        click.echo(json.dumps(content, indent=2))
    for name in unchecked:
        _console.log.info("not checked: %s", name)
    if findings:
        wrong = len({finding.path for finding in findings})
        total = max(wrong, len(files))
        raise InvalidData(
            f"{len(findings)} problem{'s' * (len(findings) > 1)} in {wrong} of {total} "
            f"file{'s' * (total > 1)}, listed on stdout"
        )
    _console.log.info("no problems in %d file%s", len(files), "s" * (len(files) > 1))
