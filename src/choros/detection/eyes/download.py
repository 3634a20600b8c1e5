"""Fetching a network over HTTP: it goes on where it was cut off, is checked, and is there whole or not at all.

Beside a network NAME.onnx lies NAME.onnx.sha256, what it was when it came, so that it can be checked later.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

from choros.detection.eyes.catalogue import Offer
from choros.errors import ChorosError
from choros.outputs import atomic_write, claimed
from choros.run_identity import sha256_of

Progress = Callable[[int, int | None], None]  # bytes that are there, and of how many

_CHUNK = 1 << 18
_TIMEOUT_S = 30.0
_LARGEST = 4 << 30  # of a network in an archive, bytes


def fetch(offer: Offer, folder: Path, progress: Progress = lambda done, total: None) -> Path:
    """The network in ``folder``, downloaded if it is not there.

    What was cut off stays as NAME.part, and the next call goes on from there if the server has the same file still.
    Raises ``ChorosError`` where the server cannot be reached or breaks off, where the size or the SHA-256 is another
    than the table's, and where the file that is there is not what came. Warns where the table has no SHA-256.
    """
    path = offer.path_in(folder)
    with claimed(path):
        if not path.exists():
            part = folder / f"{offer.name}.part"
            _download(offer, part, progress)
            digest = _unpacked(offer, part, path)
            for used in (part, _validator(part)):
                used.unlink(missing_ok=True)
            if offer.sha256 is None:
                warnings.warn(
                    f"nobody could check {offer.name}: its SHA-256 is {digest}, with which it is compared from now on.",
                    stacklevel=2,
                )
    return checked(offer, folder)


def checked(offer: Offer, folder: Path) -> Path:
    """The network that lies in ``folder``. Raises ``ChorosError`` if it does not, or is not what it was."""
    path = offer.path_in(folder)
    if not path.is_file():
        raise ChorosError(f"{offer.name} is not on this machine yet; run `choros eyes get {offer.name}`.")
    expected = offer.sha256
    if expected is None and _note(path).is_file():
        expected = _note(path).read_text().split()[0]
    if expected is not None and sha256_of(path) != expected:
        raise ChorosError(
            f"{path} is not what was downloaded; delete it and run `choros eyes get {offer.name}`."
        )
    return path


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _validator(part: Path) -> Path:
    """Where it stands which version of the file a part is of, as the server called it."""
    return part.with_name(f"{part.name}.etag")


def _download(offer: Offer, part: Path, progress: Progress) -> None:
    """All of the file, at ``part``; what is there already is not fetched again."""
    have, version = part.stat().st_size if part.is_file() else 0, ""
    if have and _validator(part).is_file():
        version = _validator(part).read_text()
    if have and not version:  # nobody can say of what
        have = 0
    if have and have == offer.size:
        return
    more = [("Range", f"bytes={have}-"), ("If-Range", version)] if have else []
    try:
        with _opener(more).open(offer.url, timeout=_TIMEOUT_S) as answer:
            have = have if answer.status == 206 else 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length is not None else None
            if offer.size is not None and total is not None and total != offer.size:
                part.unlink(missing_ok=True)
                raise _other(offer, f"the server has {total} bytes, and it should be {offer.size}")
            _validator(part).write_text(_version_of(answer.headers))
            with open(part, "ab" if have else "wb") as file:
                _copy(answer, file, have, total, progress)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise _unreached(offer, f"{error.code} {error.reason}") from error
        part.unlink()  # longer than the file is today
        _download(offer, part, progress)
        return
    except (OSError, http.client.HTTPException) as error:
        raise _unreached(offer, str(getattr(error, "reason", error)) or type(error).__name__) from error
    have = part.stat().st_size
    if total is not None and have < total:
        raise _unreached(offer, f"cut off after {have} of {total} bytes")
    if offer.size is not None and have != offer.size:
        part.unlink()
        raise _other(offer, f"{have} bytes came, and it should be {offer.size}")


def _opener(headers: list[tuple[str, str]]) -> urllib.request.OpenerDirector:
    """What opens addresses of HTTP and HTTPS, and follows them where they lead, and no other."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(), urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(), urllib.request.UnknownHandler(),
    ):  # fmt: skip
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "choros"), *headers]
    return opener


def _version_of(headers: http.client.HTTPMessage) -> str:
    """A strong name of the version, with which a server can be asked for more of the same; empty if it has none."""
    etag = str(headers.get("ETag") or "")
    return etag if etag and not etag.startswith("W/") else str(headers.get("Last-Modified") or "")


def _copy(
    answer: http.client.HTTPResponse, file: BinaryIO, have: int, total: int | None, progress: Progress
) -> None:
    progress(have, total)
    while chunk := answer.read(_CHUNK):
        file.write(chunk)
        have += len(chunk)
        progress(have, total)


def _unpacked(offer: Offer, part: Path, path: Path) -> str:
    """The network out of what came, at ``path``; returns its SHA-256. What is wrong is removed."""
    try:
        with atomic_write(path) as file:
            if offer.url.endswith(".zip"):
                with zipfile.ZipFile(part) as archive, archive.open(_network_in(offer, archive)) as source:
                    digest = _digested(source, file)
            else:
                with open(part, "rb") as source:
                    digest = _digested(source, file)
            if offer.sha256 is not None and digest != offer.sha256:
                raise _other(offer, f"its SHA-256 is {digest}, and it should be {offer.sha256}")
            with atomic_write(_note(path)) as note:  # before the network, which is never there without it
                note.write(f"{digest}  {path.name}\n".encode())
    except (ChorosError, zipfile.BadZipFile) as error:
        part.unlink(missing_ok=True)
        if isinstance(error, zipfile.BadZipFile):
            raise _other(offer, f"what came is no archive ({error})") from error
        raise
    return digest


def _network_in(offer: Offer, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one ONNX file of an archive."""
    networks = [entry for entry in archive.infolist() if entry.filename.endswith(".onnx")]
    if len(networks) != 1 or networks[0].file_size > _LARGEST:
        raise _other(
            offer, f"the archive holds {len(networks)} networks, and one of at most 4 GiB is looked for"
        )
    return networks[0]


def _digested(source: IO[bytes], target: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        target.write(chunk)
        digest.update(chunk)
    return digest.hexdigest()


def _unreached(offer: Offer, why: str) -> ChorosError:
    return ChorosError(f"{offer.url}: {why}; run the same command again, which goes on from there.")


def _other(offer: Offer, why: str) -> ChorosError:
    return ChorosError(f"{offer.url} is another file than choros knows: {why}; nothing was kept.")
