"""What is wrong with any STAC object: that it is none, breaks its schemas, or leads nowhere."""

from collections import defaultdict
from pathlib import Path

from hsi_xr.errors import InvalidData
from hsi_xr.stac.validate.document import Document, exists, is_elsewhere, short
from hsi_xr.stac.validate.findings import Fault, Inspection, fault_of
from hsi_xr.stac.validate.schemas import unseen, violations

REFER = "correct the reference, or put the file there"
BY_SPECIFICATION = "correct it, or describe the product anew (`hsi_xr.describe`)"


def read(path: Path, seen: Inspection) -> Document | None:
    """A STAC object; None, and told, where there is none."""
    try:
        document = Document.read(path)
    except InvalidData as error:
        seen.tell(path, fault_of(error, path))
        return None
    if not document.is_stac:
        seen.tell(path, Fault("it has no stac_version, and so is no STAC", "give an item"))
        return None
    return document


def check_object(stac: Document, seen: Inspection) -> bool:
    """What all objects have in common: schemas, which answer, and links that lead somewhere."""
    wrong = violations(stac.json, seen.schemas)
    for violation in wrong:
        seen.tell(stac.path, Fault(violation, BY_SPECIFICATION))
    seen.unseen.update(unseen(stac.json, seen.schemas))
    by_target = defaultdict(list)
    for link in stac.links:
        by_target[link.href].append(repr(link.rel))
    for href, (rel, *others) in by_target.items():
        also = f" (also {', '.join(others)})" if others else ""
        leading(stac, href, f"its link {rel}{also}", seen)
    return not wrong


def leading(stac: Document, href: str, what: str, seen: Inspection) -> Path | None:
    """The file that an object means, if it is one here; a missing one is told."""
    if is_elsewhere(href):
        seen.unseen.add(href)
        return None
    try:
        path = stac.target(href)
    except ValueError as error:  # no URL
        seen.tell(stac.path, Fault(f"{what} leads to {short(href)} ({error})", REFER))
        return None
    if not exists(path):
        seen.tell(stac.path, Fault(f"{what} leads to {short(href)}, which is not there", REFER))
        return None
    return path
