"""Names of remote files and stores, and how GDAL and fsspec reach them.

GDAL reads rasters (`s3://`, `https://`, `/vsis3/`, `/vsicurl/`); fsspec reads everything else, and
writes. Each has its own configuration for credentials and endpoints. This module passes the
configuration of one on to the other.
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
_VSI_PREFIXES = {"file": "", "s3": "/vsis3/", "gs": "/vsigs/", "az": "/vsiaz/", "oss": "/vsioss/"}
"""Scheme of a URL -> GDAL's prefix."""
_GDAL_DEFAULTS = {
    # do not cache closed files, which may be replaced before they are opened again. GDAL still
    # caches open files, so threads that have an object open cannot read its replacement
    "CPL_VSIL_CURL_NON_CACHED": ":".join(_NETWORKS),
    "GDAL_HTTP_MAX_RETRY": "4",
    "GDAL_HTTP_RETRY_DELAY": "0.5",  # seconds, doubled after each attempt
}
"""Options of GDAL for remote files, unless the user has set them."""
_CREDENTIALS = {
    "key": "AWS_ACCESS_KEY_ID",
    "secret": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
}
"""fsspec's names (`FSSPEC_S3_KEY`, ...) -> GDAL's."""


def is_remote(path: str) -> bool:
    """True if GDAL or fsspec reach a path over a network."""
    return path.startswith(_NETWORKS) or ("://" in path and not path.startswith("file://"))


def url_of(path: str) -> str:
    """Returns the URL of an object that GDAL calls `/vsis3/...`, and other paths unchanged."""
    return f"s3://{path.removeprefix('/vsis3/')}" if path.startswith("/vsis3/") else path


def gdal_name(path: str) -> str:
    """Returns GDAL's own name of a file: virtual rasters cannot contain the URLs of rasterio."""
    scheme, _, rest = path.partition("://")
    if scheme in ("http", "https"):
        return f"/vsicurl/{path}"
    return f"{_VSI_PREFIXES[scheme]}{rest}" if rest and scheme in _VSI_PREFIXES else path


def without_query(path: str) -> str:
    """Returns a URL without its query, which in a signed URL is a secret."""
    return path.partition("?")[0] if is_remote(path) else path


def file_of(path: "str | os.PathLike[str]") -> Path:
    """Returns a local file as a Path, or a remote object as a UPath, which has the same methods.

    Raises:
        UsageError: The packages for object storage are not installed, or do not know the protocol.
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
        file = UPath(url, **storage_options(url))
        file.fs  # noqa: B018  created on first access
    except (ImportError, ValueError) as error:
        raise UsageError(f"{text!r} cannot be reached ({error})") from error
    return cast(Path, file)


def storage_options(url: str) -> dict[str, Any]:
    """Returns the options that fsspec needs for a URL, in addition to its own configuration."""
    if not url.startswith("s3://"):
        return {}
    options: dict[str, Any] = {"use_listings_cache": False}  # others may write there, too
    if endpoint := _endpoint():
        options["endpoint_url"] = endpoint
    if os.environ.get("AWS_NO_SIGN_REQUEST", "").upper() in ("YES", "TRUE", "1"):
        options["anon"] = True
    return options


@contextmanager
def gdal_environment(path: str) -> Iterator[None]:
    """Configures GDAL to open a remote raster; an open dataset keeps the configuration."""
    is_virtual = path.lower().endswith(".vrt")  # its sources may be anywhere
    if not is_remote(path) and not is_virtual:
        yield
        return
    import rasterio
    from rasterio.env import getenv, setenv

    with rasterio.Env():
        set_by_user = {*os.environ, *getenv()}
        options = {
            **_GDAL_DEFAULTS,
            **(_listing_options(path) if is_remote(path) else {}),
            **(_s3_options() if is_virtual or path.startswith(("s3://", "/vsis3/")) else {}),
        }
        setenv(**{name: value for name, value in options.items() if name not in set_by_user})
        yield


@contextmanager
def store_access(path: str | Path, action: str) -> Iterator[None]:
    """Turns errors of object storage into one that states the object, the reason and advice.

    Args:
        path: The object.
        action: What is attempted: the message starts with "cannot <action> <path>".

    Raises:
        DestinationUnwritable: The store refused or did not answer.
    """
    try:
        yield
    except HsiError:
        raise
    except store_errors() as error:
        raise DestinationUnwritable(
            f"cannot {action} {str(path)!r} ({error}); {_advice(error)}"
        ) from error


def store_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """Returns the exceptions that stores raise, followed by `others`.

    fsspec translates only some of them to OSError.
    """
    foreign = (("botocore.exceptions", "BotoCoreError"), ("aiohttp", "ClientError"))
    loaded = [(sys.modules.get(module), name) for module, name in foreign]
    raised = [getattr(module, name) for module, name in loaded if module is not None]
    return OSError, *raised, *others


def _advice(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "check the name of the bucket, or create the bucket first"
    if isinstance(error, PermissionError) or "credentials" in str(error).lower():
        return (
            "give credentials with permission to read, write and delete there, e.g. "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    return "check the address and the network (AWS_ENDPOINT_URL, AWS_REGION)"


def _listing_options(path: str) -> dict[str, str]:
    """Returns options that keep GDAL from listing a folder, which may contain a million objects.

    GDAL would also list it later, when the credentials are no longer set. An ENVI file needs the
    listing to find its header.
    """
    needs_header = without_query(path).lower().endswith(".img")
    return {} if needs_header else {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}


def _endpoint() -> str | None:
    """Returns the endpoint of an S3-compatible store, from any setting that can specify it."""
    endpoint = _fsspec_settings().get("endpoint_url")
    endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL_S3")
    endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL")
    host = os.environ.get("AWS_S3_ENDPOINT")  # GDAL's, without a scheme
    if endpoint or not host:
        return endpoint or None
    is_plain = os.environ.get("AWS_HTTPS", "YES").upper() in ("NO", "FALSE", "OFF")
    return host if "://" in host else f"{'http' if is_plain else 'https'}://{host}"


def _s3_options() -> dict[str, str]:
    """Returns GDAL's options for the S3 store that fsspec is configured for."""
    settings = _fsspec_settings()
    given = {gdal: settings.get(name) for name, gdal in _CREDENTIALS.items()}
    options = {name: str(value) for name, value in given.items() if value}
    if settings.get("anon"):
        options["AWS_NO_SIGN_REQUEST"] = "YES"
    if endpoint := _endpoint():
        url = urlsplit(endpoint)
        options["AWS_S3_ENDPOINT"] = f"{url.netloc}{url.path}".rstrip("/")
        options["AWS_HTTPS"] = "NO" if url.scheme == "http" else "YES"
        options["AWS_VIRTUAL_HOSTING"] = "FALSE"  # as boto does for endpoints other than Amazon's
    return options


def _fsspec_settings() -> dict[str, Any]:
    """Returns fsspec's configuration for S3, from its files or from `FSSPEC_S3_...`."""
    from fsspec.config import conf

    settings = dict(conf.get("s3", {}))
    return {**settings.get("client_kwargs", {}), **settings}
