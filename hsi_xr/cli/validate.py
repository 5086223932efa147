"""`hsi-xr validate`."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from hsi_xr.cli import _console


@click.command("validate", short_help="Check products, STAC items and collections.")
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
    help="Print problems, the number of files, and what was not checked, as JSON.",
)
@_console.options
def command(paths: tuple[str, ...], schemas: Path | None, as_json: bool) -> None:
    """Check products, STAC items, collections, or folders of them.

    Checks layout, wavelengths, nodata, scale and georeference of files in any format; and schemas,
    contents, checksums and links of items and collections. Each PATH is a file, a folder or a URL.
    Prints one line per problem, with how to fix it, and exits with status 3; prints nothing and
    exits with status 0 if everything is valid.
    """
    import hsi_xr
    from hsi_xr.errors import InvalidData

    report = None if as_json else click.echo
    results = [hsi_xr.validate(path, schemas=schemas, report=report) for path in paths]
    findings = [finding for result in results for finding in result.findings]
    files = {name for result in results for name in result.looked}
    unchecked = sorted({name for result in results for name in result.unseen})
    if as_json:
        listed = [asdict(finding) for finding in findings]
        summary = {"findings": listed, "files": len(files), "not_looked_at": unchecked}
        click.echo(json.dumps(summary, indent=2))
    for name in unchecked:
        _console.log.info("not checked: %s", name)
    if findings:
        invalid = len({finding.path for finding in findings})
        count = max(invalid, len(files))
        raise InvalidData(
            f"{_counted(len(findings), 'problem')} in {invalid} of {_counted(count, 'file')}, "
            "listed on stdout"
        )
    _console.log.info("no problems in %s", _counted(len(files), "file"))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
