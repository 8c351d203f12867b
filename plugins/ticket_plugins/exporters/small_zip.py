"""The zip that torch writes, written again in fewer bytes, and the same for the same content.

torch pads every member to 64 bytes, leaves most text as it is, and adds what debuggers read: several KB,
beside plans of ten. Its readers take any zip whose members lie in one folder.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib

TOP = "t"  # the folder; every member's name is there twice
# Lines of Python of the exporting program; a number of the file; neither is needed to load it.
_DROPPED = re.compile(r"\.debug_pkl$|^\.data/serialization_id$|^\.storage_alignment$")
# torch counts the classes of a name in a process, and the count gets into the file.
_COUNT = re.compile(rb"(?<=__torch__\.ticket)\.___torch_mangle_\d+(?=[.\n])")
_COUNTED_FILE = re.compile(r"(?<=^code/__torch__/ticket)/___torch_mangle_\d+(?=\.py$)")
_START = (1980, 1, 1, 0, 0, 0)  # no time: equal content, equal bytes


def repacked(archive: bytes) -> bytes:
    """Return the members of a zip from `torch.jit.save` or `torch.export.save` in a smaller one.

    Tensors (`data/...` of no ending) stay stored, so that they are read as they are and found without
    torch; the rest is deflated where that is shorter.
    """
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as given,
        zipfile.ZipFile(buffer, "w") as made,
    ):
        for member in given.infolist():
            name = member.filename.partition("/")[2]
            if not _DROPPED.search(name):
                _put(made, name, given.read(member))
    return buffer.getvalue()


def _put(made: zipfile.ZipFile, name: str, content: bytes) -> None:
    if name == "data.pkl" or name.startswith("code/"):
        content = _COUNT.sub(b"", content)
    info = zipfile.ZipInfo(f"{TOP}/{_COUNTED_FILE.sub('', name)}", _START)
    tensor = name.startswith("data/") and "." not in name
    way = zipfile.ZIP_STORED if tensor else zipfile.ZIP_DEFLATED
    if not tensor and len(_deflated(content)) >= len(content):
        way = zipfile.ZIP_STORED
    made.writestr(info, content, way, compresslevel=9)


def _deflated(content: bytes) -> bytes:
    return zlib.compress(content, 9)[6:]  # without zlib's own header and checksum
