"""Reads hostile files in a process of its own, and says what came of each: the error, memory, and what else happened.

python tests/hostile_run.py < {"name": "path", ...}
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

#: What no reader does. `exec` is raised by imports too, whose code is called <module>.
FORBIDDEN = (
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "subprocess.Popen", "pickle.find_class"),
    *(
        "socket.connect",
        "socket.getaddrinfo",
        "socket.bind",
        "os.remove",
        "os.rename",
        "os.mkdir",
        "os.symlink",
        "exec",
    ),
)
happened: list[str] = []
watching = False


def canary(event: str, args: tuple) -> None:
    if not watching:
        return
    code = args[0] if event == "exec" else None
    imported = code is not None and getattr(code, "co_name", "") == "<module>" and code.co_filename != "<string>"
    if event in FORBIDDEN and not imported:
        happened.append(f"{event} {args!r}"[:200])
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        happened.append(f"open for writing {args[0]!r}")


def readers():
    """What reads each kind of file."""
    import azogue as az
    from azogue.cli import tables
    from azogue.keys import Key
    from azogue.modalities.pictures import Files, picture_files, survey
    from azogue.modalities.waves import read_wave, wave_files
    from azogue.search.cache import Cache

    key = Key.generate()

    def pictures(path):
        shape = survey([path], None)
        return Files((path,), [path.name], shape).take(slice(None))

    def container(path):
        own = next((Key.load(place / "key") for place in path.parents if (place / "key").exists()), key)
        return az.Cipher(key=own).decrypt(path.read_bytes())

    return {
        "model": az.load,
        "index": az.HammingIndex.load,
        "cache": Cache,
        "table": lambda path: tables.read_table(str(path)),
        "lines": lambda path: tables.read_lines(str(path)),
        "sound": read_wave,
        "pictures": pictures,
        "folder": lambda path: [wave_files(path), picture_files(path)],
        "container": container,
    }


def memory(name: str) -> int:
    """Bytes of this process: VmRSS now, VmHWM at most; 0 where there is no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(name)), 0)


def forget_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def look(read, path: Path) -> dict:
    """Read a file that has to be refused."""
    global watching
    forget_peak()
    before, begun, worked = memory("VmRSS"), time.perf_counter(), time.process_time()
    error = None
    faulthandler.dump_traceback_later(300, exit=True)  # a reader that waits for ever is a finding too
    watching = True
    try:
        read(path)
    except Exception as raised:
        error = raised
    watching = False
    faulthandler.cancel_dump_traceback_later()
    seconds, peak = time.perf_counter() - begun, max(0, memory("VmHWM") - before)
    cpu = time.process_time() - worked
    kinds = [kind.__name__ for kind in type(error).__mro__] if error is not None else []
    return {"error": kinds, "text": str(error), "seconds": seconds, "cpu": cpu, "bytes": peak}


def warmed() -> dict:
    """The readers, after each has read something good, so that what they import is there."""
    import tempfile

    import numpy as np
    import PIL.Image

    import azogue as az
    from hostile_files import good_sound, npy, parquet, zipped

    known = readers()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        az.HammingIndex().add(np.zeros((3, 8), np.uint8)).save(place / "i")
        known["index"](place / "i")
        array = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }", bytes(32))
        for name, content in {
            "a.npy": array,
            "a.npz": zipped({"X.npy": array}),
            "a.csv": b"a,b\n1,x\n",
            "a.parquet": parquet({"a": [1]}),
        }.items():
            (place / name).write_bytes(content)
            known["table"](place / name)
        (place / "a.wav").write_bytes(good_sound())
        known["sound"](place / "a.wav")
        for name in ("a.png", "a.jpg", "a.gif", "a.bmp", "a.tif", "a.webp"):
            PIL.Image.fromarray(np.zeros((8, 8), np.uint8)).save(place / name)
            known["pictures"](place / name)
        cipher = az.Cipher(key=az.Cipher.generate_key())
        cipher.decrypt(cipher.encrypt(b"a" * 100))
        for name in ("model", "cache", "folder", "lines", "container"):
            look(known[name], place / "a.csv")
    return known


def main() -> None:
    os.environ["PYTHONDONTWRITEBYTECODE"] = sys.dont_write_bytecode = "1"
    sys.addaudithook(canary)
    known = warmed()
    happened.clear()
    paths = json.load(sys.stdin)
    found = {}
    for name, path in paths.items():
        found[name] = look(known[name.rpartition(".")[2]], Path(path))
        if "-v" in sys.argv:
            sys.stderr.write(f"{name} {found[name]['seconds']:.3f} s\n")
    json.dump({"files": found, "happened": happened}, sys.stdout)


if __name__ == "__main__":
    main()
