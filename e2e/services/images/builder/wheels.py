#!/usr/bin/env python3
"""Makes a wheel of each of Debian's packages of pure Python below a directory: wheels.py ROOT FOLDER"""

import base64
import hashlib
import pathlib
import sys
import zipfile

root, folder = map(pathlib.Path, sys.argv[1:])
packages = root / "usr/lib/python3/dist-packages"


def digest(content):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def wheel(info):
    """Packs what belongs to a NAME-VERSION.egg-info."""
    name, version = info.name.removesuffix(".egg-info").split("-")[:2]
    tops = (info / "top_level.txt").read_text().split()
    files = {}
    for top in tops:
        module = packages / f"{top}.py"
        for path in [module] if module.exists() else sorted((packages / top).rglob("*.py")):
            files[str(path.relative_to(packages))] = path.read_bytes()
    dist = f"{name}-{version}.dist-info"
    files[f"{dist}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    files[f"{dist}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    lines = [f"{path},{digest(content)},{len(content)}\n" for path, content in files.items()]
    files[f"{dist}/RECORD"] = "".join([*lines, f"{dist}/RECORD,,\n"]).encode()
    # Stored, at the same time: the wheel's hash, which lock files name, is that of the sources alone.
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content)


for info in packages.glob("*.egg-info"):
    wheel(info)
