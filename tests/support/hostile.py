"""A corpus of hostile model files, each with right checksums: whoever makes a file can make those, too.

``python -m tests.support.hostile FOLDER`` tries every file of a folder and prints what came of it, as JSON.
"""

import base64
import io
import json
import marshal
import os
import struct
import sys
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np

from kerasgen.base.files import sha256
from kerasgen.modelfile import loader
from kerasgen.modelfile.store import _content_hash

DATA = Path(__file__).parents[1] / "data"
NAMES, OLD_NAMES = DATA / "format2_names.keras", DATA / "format1_names.keras"  # 8 units, 27 characters
PROSE, OLD_PROSE = DATA / "format2_prose.keras", DATA / "format1_prose.keras"  # 8 units, 37 characters
CONTENT, CONFIG, WEIGHTS, TENSORS = "kerasgen.json", "config.json", "model.weights.h5", "model.safetensors"
KERNEL = "layers/simple_rnn/cell/vars/0"  # (27, 8)
EVIL = "open('code-of-the-file-was-run', 'w').close()"
SEEN = "written-to-be-seen"


def members(path=NAMES):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(parts, packed=(), sign=True):
    """Make an archive of members, and note the checksums that they have."""
    parts = dict(parts)
    if sign:
        content = json.loads(parts[CONTENT])
        content["checksums"] = {name: sha256(parts[name]) for name in (CONFIG, WEIGHTS, TENSORS) if name in parts}
        content["checksums"]["content"] = _content_hash(content)
        parts[CONTENT] = json.dumps(content).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data, zipfile.ZIP_DEFLATED if name in packed else zipfile.ZIP_STORED)
    return buffer.getvalue()


def config(change, path=NAMES):
    """Change the configuration: `change` takes the whole of it and changes it or returns another."""
    parts = members(path)
    value = json.loads(parts[CONFIG])
    parts[CONFIG] = json.dumps(change(value) or value).encode()
    return pack(parts)


def setting(**values):
    return config(lambda value: value["config"].update(values))


def layer(number, item):
    return config(lambda value: value["config"]["layers"].__setitem__(number, item), PROSE)


def layer_setting(number, **values):
    return config(lambda value: value["config"]["layers"][number]["config"].update(values), PROSE)


def config_text(change):
    parts = members()
    parts[CONFIG] = change(parts[CONFIG])
    return pack(parts)


def keras_object(module, name, config=None, registered=None):
    return {"module": module, "class_name": name, "config": config or {}, "registered_name": registered}


def compiled(**values):
    return config(lambda value: value["compile_config"].update(values))


def optimizer(**values):
    return config(lambda value: value["compile_config"]["optimizer"]["config"].update(values))


def header(change, path=NAMES, data=lambda data: data):
    """Change the arrays: `change` takes their header and changes it or returns another; `data` changes their bytes."""
    parts = members(path)
    start = 8 + int.from_bytes(parts[TENSORS][:8], "little")
    value = json.loads(parts[TENSORS][8:start])
    text = change(value) or value
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    parts[TENSORS] = len(text).to_bytes(8, "little") + text + data(parts[TENSORS][start:])
    return pack(parts)


def tensor(path, **values):
    return header(lambda value: value[path].update(values))


def tensors(change):
    """Change the arrays: `change` takes them by their paths."""
    from safetensors.numpy import load, save

    parts = members()
    arrays = load(parts[TENSORS])
    change(arrays)
    parts[TENSORS] = save(arrays)
    return pack(parts)


def weights(change, path=OLD_NAMES):
    """Change the HDF5 file: `change` takes it, open for writing."""
    parts = members(path)
    buffer = io.BytesIO(parts[WEIGHTS])
    with h5py.File(buffer, "r+") as file:
        change(file)
    parts[WEIGHTS] = buffer.getvalue()
    return pack(parts)


def patched(changes):
    """Change bytes of the HDF5 file, by their places."""
    parts = members(OLD_NAMES)
    data = bytearray(parts[WEIGHTS])
    for place, value in changes.items():
        data[place] = value
    return pack(parts | {WEIGHTS: bytes(data)})


def instead(path, make):
    """Change the HDF5 file: another object in the place of one."""

    def change(file):
        old = file[path][()]
        del file[path]
        make(file, path, old)

    return weights(change)


def virtual(file, path, old):
    layout = h5py.VirtualLayout(old.shape, "<f4")
    layout[...] = h5py.VirtualSource("/etc/passwd", "data", old.shape)
    file.create_virtual_dataset(path, layout)


def unwritten(shape):
    """Return what declares numbers that the file does not have."""
    return lambda file, path, old: file.create_dataset(path, shape, "<f4")


def content(change, path=NAMES):
    """Change the vocabulary, the card and the known hashes."""
    parts = members(path)
    value = json.loads(parts[CONTENT])
    parts[CONTENT] = json.dumps(change(value) or value).encode()
    return pack(parts)


def card(**values):
    return content(lambda value: value["card"].update(values))


def scores(**values):
    return content(lambda value: value["card"]["scores"].update(values))


def nested(depth):
    return b"[" * depth + b"]" * depth


def entry(change, name=CONTENT, data=None):
    """Change an entry of the archive's directory: `change` takes its `zipfile.ZipInfo` once all is written."""
    buffer = io.BytesIO(data or pack(members()))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"x"  # has the directory written anew
        change(archive.getinfo(name))
    return buffer.getvalue()[:-3] + b"\0\0"  # without the comment


def more(*names):
    """Add members."""
    buffer = io.BytesIO(pack(members()))
    with zipfile.ZipFile(buffer, "a") as archive, warnings.catch_warnings(action="ignore"):  # of a name that is twice
        for name in names:
            archive.writestr(name, b"x")
    return buffer.getvalue()


def symlink():
    parts = members()
    parts["metadata.json"] = b"/etc/passwd"
    return entry(lambda info: setattr(info, "external_attr", 0o120777 << 16), "metadata.json", pack(parts))


def overlapping():
    """Both members say that their bytes begin at the same place."""

    def change(info):
        info.header_offset = 0

    return entry(change, CONFIG)


def second_directory():
    """Before the end stands a directory's end of the kind for large archives, hidden in the entry before."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 10**6, 10**6, 10**8, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    return entry(lambda info: setattr(info, "comment", record + locator))


def bomb(size, says=None):
    """A member that unpacks to a thousand times its size, and may say that it does not."""
    parts = members()
    parts[CONTENT] = b" " * size + parts[CONTENT]
    data = pack(parts, packed=[CONTENT], sign=False)
    return data if says is None else entry(lambda info: setattr(info, "file_size", says), CONTENT, data)


def many_members():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"assets/{number}", b"")
    return buffer.getvalue()


class Evil:
    """What a pickle runs code with."""

    def __reduce__(self):
        return exec, (EVIL,)


CODE = base64.b64encode(marshal.dumps(compile(EVIL, "x", "exec"))).decode()
LAMBDA = {"class_name": "__lambda__", "config": {"code": CODE, "defaults": None, "closure": None}}


def framework(data):
    """Return the places in an HDF5 file that are no numbers, ints ``(places,)``."""
    free = np.ones(len(data), bool)

    def take(name, item):
        if isinstance(item, h5py.Dataset):
            free[item.id.get_offset() : item.id.get_offset() + item.nbytes] = False

    with h5py.File(io.BytesIO(data), "r") as file:
        file.visititems(take)
    return np.flatnonzero(free)


WATCHED = {"subprocess", "socket", "shutil", "pickle", "marshal", "ctypes"}
CHANGES = {"system", "exec", "fork", "posix_spawn", "remove", "rename", "rmdir", "mkdir", "symlink", "link", "chmod"}


def most_memory():
    """Return the most memory that this program has had, bytes.

    `resource.getrusage` would count that of the process that started this one, too: it is kept across ``exec``.
    """
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def main(folder):
    """Load every file in all ways and print what came of it, what was done meanwhile, and what memory it took."""
    import contextlib

    import kerasgen
    from kerasgen import inspect
    from kerasgen.base.errors import KerasgenError
    from kerasgen.modelfile import store

    for path in (NAMES, PROSE):  # so that what is imported, and what TensorFlow writes for itself, is done
        kerasgen.load(path)
        loader.keras_model(store.read(path), compile=True)
    events, outcomes, before = [], {}, most_memory()

    def watch(event, arguments):
        room, _, action = event.partition(".")
        writes = event == "open" and (arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        if writes or room in WATCHED or (room == "os" and action in CHANGES):
            events.append(f"{event} {arguments!r:.80}")

    sys.addaudithook(watch)
    for path in sorted(Path(folder).iterdir()):
        uses = [
            lambda path=path: kerasgen.load(path),
            lambda path=path: loader.keras_model(store.read(path), compile=True),
            lambda path=path: inspect.main(["--json", str(path)]),
        ]
        outcomes[path.name] = []
        for use in uses:
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    use()
                outcomes[path.name].append("")
            except KerasgenError as error:
                outcomes[path.name].append(str(error))
    Path(SEEN).touch()
    print(json.dumps({"outcomes": outcomes, "events": events, "grown": most_memory() - before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
