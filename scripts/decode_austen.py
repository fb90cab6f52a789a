#!/usr/bin/env python3
"""Writes the novels of Debian's r-cran-janeaustenr as one text file, without R.

Usage: decode_austen.py .../janeaustenr/data/Rdata austen.txt

The package holds each novel as a character vector in R's lazy-load format: an index (.rdx) of places in a file of
compressed blocks (.rdb), both in R's serialisation (R Internals, section 1.8). The novels follow each other in the order
of their names, a line of the vector a line of the file.
"""

import struct
import sys
import zlib

NIL, REFERENCE, SYMBOL, PAIRS, CHARACTERS = 254, 255, 1, 2, 9
LOGICAL, INTEGER, REAL, STRINGS, LIST = 10, 13, 14, 16, 19


class Reader:
    """The kinds of values that the index and the novels are made of."""

    def __init__(self, data):
        if data[:2] != b"X\n":
            raise SystemExit("decode_austen: the serialisation is not in XDR format")
        self.data = data
        self.at = 2
        self.references = []
        version, _, _ = self.integers(3)
        if version == 3:  # names its encoding
            length = self.integer()
            self.at += length

    def integers(self, n):
        values = struct.unpack_from(">%di" % n, self.data, self.at)
        self.at += 4 * n
        return values

    def integer(self):
        return self.integers(1)[0]

    def flags(self):
        flags = self.integer()
        return flags & 0xFF, bool(flags & 0x200), bool(flags & 0x400), flags >> 8

    def value(self):
        kind, has_attributes, has_tag, index = self.flags()
        if kind == NIL:
            return None
        if kind == REFERENCE:
            return self.references[(index or self.integer()) - 1]
        if kind == SYMBOL:
            self.references.append(self.value())
            return self.references[-1]
        if kind == CHARACTERS:
            length = self.integer()
            text = self.data[self.at : self.at + max(length, 0)]
            self.at += max(length, 0)
            return text
        if kind == PAIRS:
            pairs = {}
            while kind == PAIRS:
                if has_attributes:
                    self.value()
                tag = self.value() if has_tag else None
                pairs[tag] = self.value()
                kind, has_attributes, has_tag, _ = self.flags()
            return pairs
        if kind in (LOGICAL, INTEGER):
            values = list(self.integers(self.integer()))
        elif kind == REAL:
            n = self.integer()
            values = list(struct.unpack_from(">%dd" % n, self.data, self.at))
            self.at += 8 * n
        elif kind in (STRINGS, LIST):
            values = [self.value() for _ in range(self.integer())]
        else:
            raise SystemExit("decode_austen: a value of R's type %d is not expected here" % kind)
        names = self.value().get(b"names") if has_attributes else None
        return dict(zip(names, values)) if names else values


def main():
    base, output = sys.argv[1:]
    with open(base + ".rdx", "rb") as file:
        index = Reader(zlib.decompress(file.read(), 47)).value()  # 47: gzip or zlib
    with open(base + ".rdb", "rb") as file:
        blocks = file.read()
    with open(output, "wb") as text:
        for name in sorted(index[b"variables"]):
            start, length = index[b"variables"][name]
            # Behind the length of what it holds.
            lines = Reader(zlib.decompress(blocks[start + 4 : start + length])).value()
            text.write(b"\n".join(lines) + b"\n")


main()
