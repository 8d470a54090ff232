"""Flattens the layers of an image by OCI rules, as a witness that shares no code with src/.

Arguments: layer files in order, uncompressed or gzip or zstd. Prints one JSON document: {"files": {path: node}, "faults": [text]}.
A node has type, mode, uid, gid and, by type, size, sha256, text (small UTF-8 files), target, device, xattrs (hex values), links (all
names of a hard-link group). Paths are absolute; bytes that are no UTF-8 are lone surrogates (Python's surrogateescape).
"faults" lists what the image-spec or tsbuild's own layer rules forbid: with --strict N only the last N layers are looked at.
"""
import argparse
import collections
import gzip
import hashlib
import io
import json
import os
import pickle
import posixpath
import subprocess
import sys
import tarfile

KINDS = {tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "symlink", tarfile.LNKTYPE: "hardlink",
         tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block", tarfile.FIFOTYPE: "fifo"}
XATTR = "SCHILY.xattr."


def plain(data):
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout
    return data


def absolute(name):
    return posixpath.normpath("/" + name.lstrip("/"))


def read_layer(data):
    entries = []
    with tarfile.open(fileobj=io.BytesIO(plain(data)), mode="r:", errors="surrogateescape") as tar:
        for t in tar:
            e = {"name": t.name, "path": absolute(t.name), "type": KINDS.get(t.type, "file"), "mode": t.mode & 0o7777,
                 "uid": t.uid, "gid": t.gid, "pax": sorted(t.pax_headers),
                 "xattrs": {k[len(XATTR):]: v.encode("utf-8", "surrogateescape").hex()
                            for k, v in t.pax_headers.items() if k.startswith(XATTR)}}
            if e["type"] in ("symlink", "hardlink"):
                e["target"] = t.linkname
            elif e["type"] in ("char", "block"):
                e["device"] = f"{t.devmajor},{t.devminor}"
            elif e["type"] == "file":
                body = tar.extractfile(t).read()
                e["size"], e["sha256"] = len(body), hashlib.sha256(body).hexdigest()
                if len(body) <= 65536:
                    try:
                        e["text"] = body.decode("utf-8")
                    except UnicodeDecodeError:
                        pass
            entries.append(e)
    return entries


def entries_of(file):
    """Entries of a layer's file; those of a base are kept beside it, since every image of a test run has it again."""
    kept = file + ".entries"
    if os.path.exists(kept):
        with open(kept, "rb") as f:
            return pickle.load(f)
    with open(file, "rb") as f:
        entries = read_layer(f.read())
    if len(entries) > 100:
        with open(f"{kept}.{os.getpid()}", "wb") as f:
            pickle.dump(entries, f)
        os.rename(f.name, kept)
    return entries


def flatten(layers):
    root = {"type": "dir", "mode": 0o755, "uid": 0, "gid": 0, "xattrs": {}}
    tree = {"/": dict(root)}

    def remove(path, keep):
        if tree.get(path, {}).get("type") != "dir":
            # Nothing is below it, and to look for that is what takes long.
            if keep == "nothing":
                tree.pop(path, None)
            return
        inside = path.rstrip("/") + "/"
        for p in [p for p in tree if p.startswith(inside)]:
            del tree[p]
        if keep == "children only":
            return
        tree.pop(path, None)

    def parents_resolved(path):
        """Follows symlinks in every component but the last, inside the image."""
        at, left, hops = "/", [p for p in path.split("/") if p], 0
        while len(left) > 1:
            part = left.pop(0)
            if part == "..":
                at = posixpath.dirname(at)
                continue
            at = posixpath.join(at, part)
            node = tree.get(at)
            if node and node["type"] == "symlink" and hops < 40:
                hops += 1
                target = node["target"]
                left = [p for p in target.split("/") if p and p != "."] + left
                at = "/" if target.startswith("/") else posixpath.dirname(at)
        return posixpath.join(at, left[0]) if left else "/"

    for entries in layers:
        for e in entries:
            folder, name = posixpath.split(e["path"])
            if name == ".wh..wh..opq":
                remove(posixpath.dirname(parents_resolved(posixpath.join(folder, "x"))), "children only")
            elif name.startswith(".wh.") and not name.startswith(".wh..wh."):
                remove(parents_resolved(posixpath.join(folder, name[4:])), "nothing")
        for e in entries:
            if posixpath.basename(e["path"]).startswith(".wh."):
                continue
            path = parents_resolved(e["path"])
            parent = posixpath.dirname(path)
            while parent not in tree:
                tree[parent] = dict(root)
                parent = posixpath.dirname(parent)
            if path in tree and not (e["type"] == "dir" and tree[path]["type"] == "dir"):
                remove(path, "nothing")
            if e["type"] == "hardlink":
                source = parents_resolved(absolute(e["target"]))
                tree[path] = tree[source] if source in tree else dict(root, type="broken hardlink", target=e["target"])
            else:
                tree[path] = {k: v for k, v in e.items() if k not in ("name", "path", "pax")}
    groups = collections.defaultdict(list)
    for path, node in tree.items():
        groups[id(node)].append(path)
    out = {}
    for path, node in sorted(tree.items()):
        names = sorted(groups[id(node)])
        out[path] = dict(node, links=names) if len(names) > 1 else node
    return out


def faults_of(number, entries):
    """Rules for layers that tsbuild writes."""
    seen, last = {}, None
    later = {e["path"] for e in entries if e["type"] == "dir"}
    for e in entries:
        later.discard(e["path"])
        where = f"layer {number}, {e['name']!r}"
        raw, base = e["name"].encode("utf-8", "surrogateescape"), posixpath.basename(e["path"])
        if raw.startswith((b"/", b"./")) or b".." in raw.split(b"/") or e["path"] == "/":
            yield f"{where}: name is not relative and clean"
        if e["path"] in seen:
            yield f"{where}: appears twice"
        # A whiteout stands where the file it removes would.
        order = posixpath.join(posixpath.dirname(e["path"]), base.removeprefix(".wh.")).encode("utf-8", "surrogateescape")
        if last is not None and order < last and e["type"] != "hardlink":
            yield f"{where}: out of byte order"
        if posixpath.dirname(e["path"]) in later:
            yield f"{where}: comes before its folder"
        if e["type"] != "hardlink":
            last = order
        seen[e["path"]] = e["type"]
        if base.startswith(".wh.") and (e.get("size") != 0 or e["mode"] != 0 and base != ".wh..wh..opq"):
            yield f"{where}: a whiteout is an empty file of mode 0"
        if e["type"] == "hardlink" and seen.get(absolute(e["target"])) is None:
            yield f"{where}: hard link to {e['target']!r}, which this layer does not hold before it"
        if e["type"] == "hardlink" and e["target"].startswith(("/", "./")):
            yield f"{where}: link name is not relative"
        for key in e["pax"]:
            if key in ("atime", "ctime", "uname", "gname") or key.startswith("SCHILY.") and not key.startswith(XATTR):
                yield f"{where}: PAX record {key}"
        for name in e["xattrs"]:
            if name.startswith(("trusted.overlay.", "user.overlay.")):
                yield f"{where}: overlay's own xattr {name}"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--strict", type=int, default=0)
    p.add_argument("layers", nargs="*")
    options = p.parse_args()
    layers = []
    for name in options.layers:
        layers.append(entries_of(name))
    own = list(enumerate(layers, 1))[len(layers) - options.strict:] if options.strict else []
    faults = [fault for number, entries in own for fault in faults_of(number, entries)]
    json.dump({"files": flatten(layers), "faults": faults}, sys.stdout)


main()
