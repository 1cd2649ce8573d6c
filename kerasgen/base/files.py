"""Files that appear whole or not at all, their hashes, locks, and where the project's own files lie."""

import contextlib
import fnmatch
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from kerasgen.base.errors import BadInputError, FailedError, reason

SMALL = 16 * 1024 * 1024  # bytes of what a person writes
_PACKAGE = Path(__file__).resolve().parent.parent


def checkout() -> Path | None:
    """Return the root of the source tree that this package runs from, or None where it is installed from a wheel."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "configs").is_dir() else None


def bundled(relative: str) -> Path:
    """Return the path of a file that travels with kerasgen, such as ``"configs/dino.toml"``.

    A wheel carries them in ``kerasgen/bundled``; a checkout has them at its top level.
    """
    return (checkout() or _PACKAGE / "bundled") / relative


def ours(path: Path) -> Path:
    """Return `path`, or where nothing is there, the file of that name that travels with kerasgen, if there is one.

    So ``saved_models/dino.keras`` and ``configs/dino.toml`` mean ours from any folder.
    """
    inside = bundled(path.as_posix())
    travels = path.parent.as_posix() in ("configs", "saved_models") and inside.is_file()
    return inside if travels and not os.path.exists(path) else path


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_small(path: Path) -> bytes:
    """Read a file that a person writes: no device, which may never end, and at most 16 MiB.

    Raises:
        OSError: it can't be read.
        ValueError: it is not such a file.
    """
    with open(path, "rb") as file:
        if stat.S_ISCHR(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is a device")
        content = file.read(SMALL + 1)
    if len(content) > SMALL:
        raise ValueError(f"it has more than {SMALL >> 20} MiB")
    return content


@contextlib.contextmanager
def whole(path: Path, another: str = "") -> Iterator[Path]:
    """Yield a temporary path beside `path`; what is written there replaces `path` once the block ends without error.

    The bytes are synced to the disk before the rename and the folder after it, so that a crash at any moment leaves
    either the old file or the new one, complete. The temporary name keeps the suffix, since Keras insists on it.

    Args:
        path: what the file becomes.
        another: how another folder is named, for the message: ``" with --save-dir"``.

    Raises:
        FailedError: the file can't be written; whatever stood at `path` is still there.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(path)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        message = f"{path} can't be written ({reason(error)}); free some space or name another folder{another}"
        raise FailedError(message) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`; it becomes `path` once the block ends without error.

    Raises:
        BadInputError: there is something at `path` already.
        FailedError: it can't be written.
    """
    if path.exists():
        raise BadInputError(f"a folder must be new to be written whole; there is {str(path)!r}; name another")
    temporary = path.with_name(f".{path.name}-{os.urandom(4).hex()}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for file in filter(Path.is_file, temporary.rglob("*")):
            with open(file, "rb+") as opened:
                os.fsync(opened.fileno())
        os.rename(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        message = f"{path} can't be written ({reason(error)}); free some space or name another folder"
        raise FailedError(message) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary(path: Path) -> Path:
    """Make an empty file beside `path`, an ordinary one: the user's umask says who may read it."""
    while True:
        temporary = path.with_name(f".{path.stem}-{os.urandom(4).hex()}{path.suffix}")
        with contextlib.suppress(FileExistsError):
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            return temporary


def remove_leftovers(folder: Path, of: str = "*.*") -> None:
    """Remove the temporary files that `whole` left in a folder in processes that were killed.

    Args:
        folder: need not be there.
        of: a pattern for the names of the files that they would have become.
    """
    stem, suffix = os.path.splitext(of)
    for leftover in listed(folder, f".{stem}-{'[0-9a-z_]' * 8}{suffix}"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def listed(folder: Path, pattern: str) -> list[Path]:
    """Return what a folder holds by a pattern for its names; nothing where it is gone, as another process may do."""
    try:
        return [folder / name for name in os.listdir(folder) if fnmatch.fnmatchcase(name, pattern)]
    except OSError:
        return []


def remove_known(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Remove the files of a folder that match a pattern, the temporary ones of `whole` among them, then empty folders.

    Args:
        folder: a link is not followed.
        patterns: of paths below it, such as ``"train/events.out.*"``.

    Returns:
        What is left: files that nobody said are ours.

    Raises:
        OSError: something can't be removed.
    """
    if folder.is_symlink():
        return [folder]
    for pattern in patterns:
        place, _, name = pattern.rpartition("/")
        stem, dot, suffix = name.rpartition(".")
        for one in (pattern, f"{place}/.{stem}-????????{dot}{suffix}".lstrip("/")):
            for path in folder.glob(one):
                if path.is_file() and not any((folder / up).is_symlink() for up in path.relative_to(folder).parents):
                    path.unlink()
    for inside in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        with contextlib.suppress(OSError):  # not empty
            inside.rmdir()
    left = sorted(folder.iterdir())
    if not left:
        folder.rmdir()
    return left


@contextlib.contextmanager
def locked(path: Path, work: str, wait: bool = False) -> Iterator[None]:
    """Hold a lock file while the block runs; the lock dies with the process, whatever ends it.

    On a file system without locks, nothing is held.

    Args:
        path: the lock file; its folder is made. It is removed after the block.
        work: what is done under the lock, for the message: ``"trains my-dinos.keras"``.
        wait: wait for the end of a process that holds it.

    Raises:
        FailedError: another process holds it, and that is not waited for, or the file can't be made.
    """
    import fcntl  # here, as Windows has none

    def opener(name: str, flags: int) -> int:  # a link may lead to a file of the user's, or nowhere
        return os.open(name, flags | os.O_NOFOLLOW, 0o666)

    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(path, "a+", encoding="utf-8", opener=opener)  # noqa: SIM115 (closed below, when it is given back)
        except FileNotFoundError:  # the one before took the folder with it, just now
            continue
        except OSError as error:
            raise FailedError(f"{path} can't be written ({reason(error)}); name another folder") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            file.seek(0)
            holder = file.read(20).strip()
            file.close()
            message = f"another process{f' ({holder})' * bool(holder)} {work}; wait for its end, or name another folder"
            raise FailedError(message) from None
        except OSError:  # a file system without locks
            pass
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            break
        file.close()  # the one before removed the file after we had opened it
    try:
        with contextlib.suppress(OSError):  # a full disk; the number is only for the message
            file.truncate(0)
            print(os.getpid(), file=file, flush=True)
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
            path.parent.rmdir()  # goes only if nothing else is in it
        with contextlib.suppress(OSError):
            file.close()


def check_writable(folder: Path, flag: str = "--save-dir", longest: str = "") -> None:
    """Make a folder and try it, before long work whose result it shall hold.

    Args:
        folder: the folder.
        flag: names another.
        longest: a name as long as any that will be written there, but for what makes it a temporary one.

    Raises:
        FailedError: nothing can be written there, or no file of such a name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=f".{longest}-", dir=folder):
            pass
    except OSError as error:
        message = f"nothing can be written in the folder {str(folder)!r} ({reason(error)}); name another with {flag}"
        raise FailedError(message) from error


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no handle for folders; its rename is already durable enough
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
