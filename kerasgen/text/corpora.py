"""Find, download, verify and read the text to learn from."""

import os
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from kerasgen.base.errors import BadInputError, FailedError, KerasgenError, MissingFileError, nearest, reason
from kerasgen.base.files import bundled, checkout, sha256, whole

_RAW = "https://raw.githubusercontent.com"
_LARGEST = 16 * 1024 * 1024  # bytes that are downloaded at the most; the known corpora have less than 100,000
_REDIRECTS = 5
_WRONG = "the file there has the wrong sha256"


@dataclass(frozen=True)
class KnownCorpus:
    """A text with an address, and what stands in for it where it can't be had."""

    url: str
    sha256: str
    fallback: str

    @property
    def file(self) -> str:
        """The name of its file, in the cache and in a mirror."""
        return self.url.rsplit("/", 1)[1]


KNOWN = {
    "dinos": KnownCorpus(
        f"{_RAW}/pelinbalci/Char_Level_Model/db4990c77ec3845ff1b4bbfbbacb201aa50d5df4/dinos.txt",
        "ad6465621cf56c08f71d4fbb40cf7eab763f9df42c54cc460d6c4d86e9c927fb",
        "data/genera.txt",
    ),
    "shakespeare": KnownCorpus(
        f"{_RAW}/fatihkaratay/Shakespeare_lang_model/7e21d06e328a241e6e57a55c350d13f1a213a821/shakespeare.txt",
        "1b454b67b44e6f367c83a17ed295c46c5d4a1173cf5d09161882af4041bae023",
        "data/pastiche.txt",
    ),
}


@dataclass(frozen=True)
class Text:
    r"""A text that was read.

    Attributes:
        name: the corpus' name or the file's stem, for the names of models.
        text: the characters, with ``\n`` at the line ends, accents composed (NFC), and no byte order mark.
        sha256: the hash of the file's bytes.
        note: one line that the user should see, or nothing.
    """

    name: str
    text: str
    sha256: str
    note: str = ""


def read(data: str | None, default: str) -> Text:
    """Read a file or a known corpus.

    A known corpus is looked for in ``KERASGEN_MIRROR`` (a folder or an address), in the cache (``data/`` in a
    checkout, else the user's cache folder; ``KERASGEN_CACHE`` names another), and at its own address.

    Args:
        data: a path or the name of a known corpus; None for `default`, where a bundled text steps in for a corpus that
            can't be had.
        default: the name of the known corpus to read where `data` is None.

    Raises:
        MissingFileError: there is no such file or known corpus.
        BadInputError: it is a folder, empty, binary or not UTF-8.
        FailedError: the known corpus was asked for by name and can't be had.
    """
    if data == "":
        raise BadInputError("--data must name a file or a known corpus; received ''")
    if data is not None and data not in KNOWN:
        return _text(Path(data).stem, _bytes(Path(data)), data)
    name = data or default
    try:
        content, note = _fetch(name)
        return _text(name, content, name, note)
    except FailedError as error:
        if data is not None:
            raise FailedError(f"{error}; name a file of your own, or leave --data out for a bundled text") from error
        path = bundled(KNOWN[name].fallback)
        return _text(path.stem, _bytes(path), path.name, f"{error}; going on with the bundled {path.name}")


def is_known(text: Text) -> bool:
    """Tell whether a text is a known corpus or the bundled one that steps in for it, whatever its file is called."""
    if any(text.sha256 == corpus.sha256 for corpus in KNOWN.values()):
        return True
    paths = [bundled(corpus.fallback) for corpus in KNOWN.values()]
    return any(path.is_file() and text.sha256 == sha256(path.read_bytes()) for path in paths)


def of_text(name: str, text: str) -> Text:
    """Take a text that is in memory already, as `read` takes a file's.

    Raises:
        BadInputError: it is blank, or has a NUL character or half of a surrogate pair.
    """
    try:
        return _text(name, text.encode("utf-8"), "the text")
    except UnicodeEncodeError as error:
        raise BadInputError(f"a text must be valid Unicode; character {error.start + 1} is a surrogate") from None


def names(data: str | None, default: str) -> list[str]:
    """Return the names that the text of `data` may have: with None, that of the known corpus or of its stand-in."""
    return [Path(data).stem] if data else [default, Path(KNOWN[default].fallback).stem]


def at_hand(name: str) -> Text | None:
    """Return a known corpus, or a bundled text, where it lies on this machine; nothing is downloaded.

    The name may come from a model file, so it is looked up and never made a path.
    """
    if name in KNOWN:
        content, _ = _local(KNOWN[name])
        return _text(name, content, name) if content else None
    path = {Path(corpus.fallback).stem: bundled(corpus.fallback) for corpus in KNOWN.values()}.get(name)
    return _text(name, _bytes(path), name) if path and path.is_file() else None


def cache_folder() -> Path:
    """Return the folder that downloads are kept in."""
    if folder := os.environ.get("KERASGEN_CACHE"):
        return Path(folder)
    if root := checkout():
        return root / "data"
    import platformdirs

    return Path(platformdirs.user_cache_dir("kerasgen"))


def _fetch(name: str) -> tuple[bytes, str]:
    """Return a known corpus' verified bytes and a note; raise FailedError with every reason where it can't be had."""
    corpus = KNOWN[name]
    content, failures = _local(corpus)
    if content:
        return content, ""
    mirror, remote = _mirror()
    cached = cache_folder() / corpus.file
    for url in [f"{mirror}/{corpus.file}"] * remote + [corpus.url]:
        try:
            content = _download(url, corpus.sha256)
        except FailedError as error:
            failures.append(str(error))
            continue
        try:
            with whole(cached) as temporary:
                temporary.write_bytes(content)
        except FailedError as error:
            return content, f"{name} was downloaded but can't be kept: {error}"
        return content, ""
    raise FailedError(f"the corpus {name!r} can't be had ({'; '.join(failures)})")


def _mirror() -> tuple[str, bool]:
    """Return the mirror that the user named, and whether it is an address."""
    mirror = os.environ.get("KERASGEN_MIRROR", "").rstrip("/")
    return mirror, mirror.lower().startswith(("http://", "https://"))


def _local(corpus: KnownCorpus) -> tuple[bytes, list[str]]:
    """Return a known corpus' verified bytes from the mirror's folder or the cache, or none and the reasons."""
    mirror, remote = _mirror()
    cached, failures = cache_folder() / corpus.file, []
    for path in [cached] if remote or not mirror else [Path(mirror) / corpus.file, cached]:
        try:
            return _verified(_bytes(path), corpus.sha256), []
        except MissingFileError:
            if path != cached:
                failures.append(f"the mirror has no {path.name}")
        except KerasgenError as error:
            failures.append(f"{'cache' if path == cached else 'mirror'}: {error}")
    return b"", failures


def _download(url: str, known_hash: str) -> bytes:
    """Return the verified bytes behind an address; before they are verified, they are nowhere but in memory."""
    import requests

    host, secure = "its address", False
    try:
        for _ in range(_REDIRECTS + 1):
            parts = urlsplit(url)
            host = parts.netloc.rpartition("@")[2]  # without a password
            loopback = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
            if parts.scheme != "https" and (secure or not loopback):
                raise FailedError(f"{parts.scheme}://{host}: only https addresses are downloaded from")
            secure = parts.scheme == "https"
            plain = {"Accept-Encoding": "identity"}
            with requests.get(url, headers=plain, timeout=20, stream=True, allow_redirects=False) as answer:
                answer.raise_for_status()
                if not answer.is_redirect:
                    content = _body(answer)
                    break
                url = urljoin(url, answer.headers["Location"])
        else:
            raise FailedError(f"{host}: more than {_REDIRECTS} redirects")
        if sha256(content) != known_hash:
            raise ValueError(_WRONG)
        return content
    except (requests.RequestException, OSError, ValueError) as error:
        raise FailedError(f"{host}: {_brief(error)}") from error


def _body(answer: Any) -> bytes:
    """Read an answer piece by piece, not more than `_LARGEST` bytes of it."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise ValueError("the file there is packed")  # and may be a thousand times as large
    content = bytearray()
    for piece in answer.iter_content(65_536):
        content += piece
        if len(content) > _LARGEST:
            raise ValueError(f"the file there has more than {_LARGEST} bytes")
    return bytes(content)


def _brief(error: Exception) -> str:
    """Say in a few words why a download failed; the libraries' own messages fill several lines."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the answer was {error.response.status_code} {error.response.reason}"
    for kind, words in [
        (requests.exceptions.ChunkedEncodingError, "the download broke off"),
        (requests.exceptions.SSLError, "no trusted connection"),
        (requests.exceptions.ProxyError, "no connection through the proxy"),
        (requests.Timeout, "no answer in time"),
        (requests.ConnectionError, "no connection"),
    ]:
        if isinstance(error, kind):
            return words
    return reason(error)[:200]


def _verified(content: bytes, known_hash: str) -> bytes:
    if sha256(content) != known_hash:
        raise FailedError(_WRONG)
    return content


def _bytes(path: Path) -> bytes:
    try:
        if stat.S_ISCHR(path.stat().st_mode):
            raise BadInputError(f"--data must name a file; {str(path)!r} is a device")  # /dev/zero never ends
        return path.read_bytes()
    except IsADirectoryError:
        raise BadInputError(f"--data must name a file; {str(path)!r} is a folder; name a text file in it") from None
    except (FileNotFoundError, NotADirectoryError):
        hint = nearest(str(path), list(KNOWN)) or f"; the known corpora are {' and '.join(KNOWN)}"
        raise MissingFileError(f"--data must name a file or a known corpus; there is no {str(path)!r}{hint}") from None
    except (OSError, ValueError) as error:
        raise BadInputError(f"--data must name a readable file; {str(path)!r} can't be read: {reason(error)}") from None


def _text(name: str, content: bytes, source: str, note: str = "") -> Text:
    if b"\0" in content:
        raise BadInputError(
            f"a text must be UTF-8; {source} looks binary: byte {content.index(0)} is NUL; save it as plain text"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        line = content.count(b"\n", 0, at) + 1
        raise BadInputError(
            f"a text must be UTF-8; {source} is not: byte {at} (line {line}) is 0x{content[at]:02x}; save it as UTF-8"
        ) from None
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))  # macOS writes é as e and ´
    if not text.strip():
        raise BadInputError(f"a text must have characters to learn from; {source} is {'blank' if text else 'empty'}")
    return Text(name, text, sha256(content), note)
