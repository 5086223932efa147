"""Files and stores that are not on this machine: what they are called, and how to reach them.

GDAL reads rasters (`s3://`, `https://`, `/vsis3/`, `/vsicurl/`), fsspec everything else and what is
written. Each has an environment of its own; what one of them is told, the other is told here too.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from hsi_xr.errors import DestinationUnwritable, HsiError, UsageError
from hsi_xr.extras import require

_NETWORKS = ("/vsis3/", "/vsicurl/", "/vsigs/", "/vsiaz/", "/vsiadls/", "/vsioss/", "/vsiswift/")
_SCHEMES = {"file": "", "s3": "/vsis3/", "gs": "/vsigs/", "az": "/vsiaz/", "oss": "/vsioss/"}
"""Of URLs -> what GDAL has in their place."""
_GDAL = {
    # of a closed file nothing is kept: it may be another one next time. Of open ones GDAL keeps
    # what it has read, so that who replaces an object cannot read it by threads that had it open
    "CPL_VSIL_CURL_NON_CACHED": ":".join(_NETWORKS),
    "GDAL_HTTP_MAX_RETRY": "4",
    "GDAL_HTTP_RETRY_DELAY": "0.5",  # seconds, then twice as long each time
}
"""Of GDAL, where the user has not said otherwise."""
_KEYS = {
    "key": "AWS_ACCESS_KEY_ID",
    "secret": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
}
"""What fsspec calls them (`FSSPEC_S3_KEY`, ...), and GDAL."""


def is_remote(path: str) -> bool:
    """Whether GDAL or fsspec reach it over a network."""
    return path.startswith(_NETWORKS) or ("://" in path and not path.startswith("file://"))


def url_of(path: str) -> str:
    """One name of an object that GDAL and fsspec call differently; of anything else its own."""
    return f"s3://{path.removeprefix('/vsis3/')}" if path.startswith("/vsis3/") else path


def gdal_name(path: str) -> str:
    """What GDAL itself calls a file: of URLs rasterio knows more than a virtual raster does."""
    scheme, _, rest = path.partition("://")
    if scheme in ("http", "https"):
        return f"/vsicurl/{path}"
    return f"{_SCHEMES[scheme]}{rest}" if rest and scheme in _SCHEMES else path


def without_query(path: str) -> str:
    """A name without what follows it in a signed URL, which is a key and no part of the name."""
    return path.partition("?")[0] if is_remote(path) else path


def file_of(path: "str | os.PathLike[str]") -> Path:
    """A file here, or an object of a store, which is no `Path` but answers like one.

    Raises:
        UsageError: What reaches object storage is not installed, or knows no such protocol.
    """
    text = path if isinstance(path, str) else str(path)
    if not is_remote(text):
        return Path(path)
    require("upath")
    from upath import UPath

    url = url_of(text)
    if url.startswith("s3://"):
        require("s3fs")
    try:
        found = UPath(url, **storage_options(url))
        found.fs  # noqa: B018  made on first use
    except (ImportError, ValueError) as error:
        raise UsageError(f"{text!r} cannot be reached ({error})") from error
    return cast(Path, found)


def storage_options(url: str) -> dict[str, Any]:
    """What fsspec must be told of a URL, besides what it finds by itself."""
    if not url.startswith("s3://"):
        return {}
    told: dict[str, Any] = {"use_listings_cache": False}  # others write there as well
    if endpoint := _endpoint():
        told["endpoint_url"] = endpoint
    if os.environ.get("AWS_NO_SIGN_REQUEST", "").upper() in ("YES", "TRUE", "1"):
        told["anon"] = True
    return told


@contextmanager
def gdal_environment(path: str) -> Iterator[None]:
    """GDAL as it must be when a remote raster is opened; what is open keeps it."""
    is_virtual = path.lower().endswith(".vrt")  # what it is made of may be anywhere
    if not is_remote(path) and not is_virtual:
        yield
        return
    import rasterio
    from rasterio.env import getenv, setenv

    with rasterio.Env():
        known = {*os.environ, *getenv()}
        told = {
            **_GDAL,
            **(_siblings(path) if is_remote(path) else {}),
            **(_s3_of_gdal() if is_virtual or path.startswith(("s3://", "/vsis3/")) else {}),
        }
        setenv(**{name: value for name, value in told.items() if name not in known})
        yield


@contextmanager
def store_access(path: str | Path, trying: str) -> Iterator[None]:
    """What fails here tells which object could not be reached, and why.

    Raises:
        DestinationUnwritable: The store has refused, or does not answer.
    """
    try:
        yield
    except HsiError:
        raise
    except store_errors() as error:
        raise DestinationUnwritable(
            f"cannot {trying} {str(path)!r} ({error}); {_repair(error)}"
        ) from error


def store_errors() -> tuple[type[Exception], ...]:
    """What stores raise: fsspec passes on what resembles no builtin."""
    foreign = (("botocore.exceptions", "BotoCoreError"), ("aiohttp", "ClientError"))
    loaded = [(sys.modules.get(module), name) for module, name in foreign]
    return OSError, *(getattr(module, name) for module, name in loaded if module is not None)


def _repair(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "check the bucket's name, or make the bucket first"
    if isinstance(error, PermissionError) or "credentials" in str(error).lower():
        return (
            "give credentials that may read, write and delete there, e.g. AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    return "check the address and the network (AWS_ENDPOINT_URL, AWS_REGION)"


def _siblings(path: str) -> dict[str, str]:
    """Whether GDAL looks for files beside one: a bucket may hold a million, and an URL is signed.

    It would do so later as well, when it does not know any more how to reach them.
    """
    needs_header = without_query(path).lower().endswith(".img")
    return {} if needs_header else {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}


def _endpoint() -> str | None:
    """Where an S3 other than Amazon's is, by any of the names that it has."""
    told = _fsspec().get("endpoint_url")
    told = told or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    host = os.environ.get("AWS_S3_ENDPOINT")  # GDAL's has no scheme
    if told or not host:
        return told or None
    is_plain = os.environ.get("AWS_HTTPS", "YES").upper() in ("NO", "FALSE", "OFF")
    return host if "://" in host else f"{'http' if is_plain else 'https'}://{host}"


def _s3_of_gdal() -> dict[str, str]:
    found = {gdal: str(_fsspec()[name]) for name, gdal in _KEYS.items() if _fsspec().get(name)}
    if _fsspec().get("anon"):
        found["AWS_NO_SIGN_REQUEST"] = "YES"
    if endpoint := _endpoint():
        where = urlsplit(endpoint)
        found["AWS_S3_ENDPOINT"] = f"{where.netloc}{where.path}".rstrip("/")
        found["AWS_HTTPS"] = "NO" if where.scheme == "http" else "YES"
        found["AWS_VIRTUAL_HOSTING"] = "FALSE"  # as boto has it where the endpoint is not Amazon's
    return found


def _fsspec() -> dict[str, Any]:
    """What fsspec is configured with for S3, by files or by `FSSPEC_S3_...`."""
    from fsspec.config import conf

    found = dict(conf.get("s3", {}))
    return {**found.get("client_kwargs", {}), **found}
