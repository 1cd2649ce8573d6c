"""The known corpora: where they lie, and how they are downloaded and verified."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from kerasgen.base.deadline import within
from kerasgen.base.errors import FailedError, KerasgenError, MissingFileError, reason
from kerasgen.base.files import checkout, sha256, whole

_RAW = "https://raw.githubusercontent.com"
_LARGEST = 16 * 1024 * 1024  # bytes that are downloaded at the most; the known corpora have less than 100,000
_REDIRECTS = 5
_SECONDS = 60.0  # that a corpus may take to come, whatever mirrors and servers do on the way
_WRONG = "the file there has the wrong sha256"


@dataclass(frozen=True)
class KnownCorpus:
    """A text with an address, and what stands in for it where it can't be had; a list has an item on each line."""

    url: str
    sha256: str
    fallback: str
    is_list: bool = False

    @property
    def file(self) -> str:
        """The name of its file, in the cache and in a mirror."""
        return self.url.rsplit("/", 1)[1]


KNOWN = {
    "dinos": KnownCorpus(
        f"{_RAW}/pelinbalci/Char_Level_Model/db4990c77ec3845ff1b4bbfbbacb201aa50d5df4/dinos.txt",
        "ad6465621cf56c08f71d4fbb40cf7eab763f9df42c54cc460d6c4d86e9c927fb",
        "data/genera.txt",
        is_list=True,
    ),
    "shakespeare": KnownCorpus(
        f"{_RAW}/fatihkaratay/Shakespeare_lang_model/7e21d06e328a241e6e57a55c350d13f1a213a821/shakespeare.txt",
        "1b454b67b44e6f367c83a17ed295c46c5d4a1173cf5d09161882af4041bae023",
        "data/pastiche.txt",
    ),
}


def cache_folder() -> Path:
    """Return the folder that downloads are kept in."""
    if folder := os.environ.get("KERASGEN_CACHE"):
        return Path(folder)
    if root := checkout():
        return root / "data"
    import platformdirs

    return Path(platformdirs.user_cache_dir("kerasgen"))


def fetch(name: str) -> tuple[bytes, str]:
    """Return a known corpus' verified bytes and a note; raise FailedError with every reason where it can't be had."""
    corpus = KNOWN[name]
    content, failures = local(corpus)
    if content:
        return content, ""
    mirror, remote = _mirror()
    cached = cache_folder() / corpus.file
    deadline = time.monotonic() + _SECONDS
    for url in [f"{mirror}/{corpus.file}"] * remote + [corpus.url]:
        try:
            content = _in_time(url, corpus.sha256, deadline)
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


def local(corpus: KnownCorpus) -> tuple[bytes, list[str]]:
    """Return a known corpus' verified bytes from the mirror's folder or the cache, or none and the reasons."""
    mirror, remote = _mirror()
    cached, failures = cache_folder() / corpus.file, []
    for path in [cached] if remote or not mirror else [Path(mirror) / corpus.file, cached]:
        try:
            return _verified(_stored(path), corpus.sha256), []
        except MissingFileError:
            if path != cached:
                failures.append(f"the mirror has no {path.name}")
        except KerasgenError as error:
            failures.append(f"{'cache' if path == cached else 'mirror'}: {error}")
    return b"", failures


def _in_time(url: str, known_hash: str, deadline: float) -> bytes:
    """Download until a `time.monotonic`: a server that sends a byte a second is never too slow for the library."""
    try:
        return within(max(0.0, deadline - time.monotonic()), lambda: _download(url, known_hash))
    except TimeoutError:
        raise FailedError(f"{_host(url)}: not all came within {_SECONDS:.0f} s") from None


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]  # without a password


def _checked(url: str, secure: bool, redirected: bool) -> bool:
    """Tell whether an address is one of https, once it is known to be one that may be asked.

    Args:
        url: the address.
        secure: whether the one before it was one of https.
        redirected: whether a server named it: two libraries may read such a one as two hosts.

    Raises:
        FailedError: it may not.
    """
    from urllib3.util import parse_url

    parts = urlsplit(url)
    odd = not url.isprintable() or set(url) & set("\\ ") or redirected and "@" in parts.netloc
    if odd or parse_url(url).host not in (parts.hostname, f"[{parts.hostname}]"):
        raise FailedError(f"{parts.scheme}://{_host(url)}: an address that is read in more than one way is not asked")
    loopback = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and (secure or not loopback):
        raise FailedError(f"{parts.scheme}://{_host(url)}: only https addresses are downloaded from")
    return parts.scheme == "https"


def _download(url: str, known_hash: str) -> bytes:
    """Return the verified bytes behind an address; before they are verified, they are nowhere but in memory."""
    import requests

    host, secure = "its address", False
    try:
        for number in range(_REDIRECTS + 1):
            host = _host(url)
            secure = _checked(url, secure, number > 0)
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


def _stored(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_LARGEST)
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFileError(f"there is no {str(path)!r}") from None
    except (OSError, ValueError) as error:
        raise FailedError(f"{str(path)!r} can't be read: {reason(error)}") from None
