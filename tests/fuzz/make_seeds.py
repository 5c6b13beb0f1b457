#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the binary seeds: small pictures and models of every shape that the readers know. Standard library only."""
import pathlib
import struct
import zlib

SEEDS = pathlib.Path(__file__).parent / "seeds"


def write(kind, name, data):
    (SEEDS / kind).mkdir(parents=True, exist_ok=True)
    (SEEDS / kind / name).write_bytes(data)


# --- pictures ---------------------------------------------------------------------------------------------------------

def chunk(tag, data):
    return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))


def png(width, height, depth, colour, interlaced=0, extra=b""):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]

    def rows(w, h):
        row_bytes = (w * channels * depth + 7) // 8
        return b"".join(bytes([y % 5]) + bytes((37 * y + 11 * x) % 256 if colour != 3 else 0x12
                                               for x in range(row_bytes)) for y in range(h))

    passes = [(8, 8, 0, 0), (8, 8, 4, 0), (4, 8, 0, 4), (4, 4, 2, 0), (2, 4, 0, 2), (2, 2, 1, 0), (1, 2, 0, 1)]
    if interlaced:
        raw = b"".join(rows((width - x + dx - 1) // dx, (height - y + dy - 1) // dy)
                       for dx, dy, x, y in passes if width > x and height > y)
    else:
        raw = rows(width, height)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(raw, 9))
            + chunk(b"IEND", b""))


def jpeg(components, scan, frame=0xC0, spectral_end=63):
    """One MCU of mean gray: both Huffman tables hold the single symbol 0, so the scan is nearly empty."""
    def segment(marker, data):
        return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data

    side = 8 if components == 1 else 16
    sampling = [0x11] if components == 1 else [0x22, 0x11, 0x11] + [0x22] * (components - 3)
    frame_data = struct.pack(">BHHB", 8, side, side, components)
    frame_data += b"".join(bytes([i + 1, s, 0]) for i, s in enumerate(sampling))
    scan_head = bytes([components]) + b"".join(bytes([i + 1, 0]) for i in range(components)) + bytes([0, spectral_end, 0])
    one_symbol = bytes([1] + [0] * 15 + [0])
    return (b"\xff\xd8" + segment(0xDB, b"\0" + bytes([16] * 64)) + segment(frame, frame_data)
            + segment(0xC4, b"\x00" + one_symbol) + segment(0xC4, b"\x10" + one_symbol)
            + segment(0xDA, scan_head) + scan + b"\xff\xd9")


def images():
    palette = chunk(b"PLTE", bytes(range(48)))
    transparency = chunk(b"tRNS", bytes(range(16)))
    for name, args in {"gray1": (9, 5, 1, 0), "gray8": (7, 5, 8, 0), "gray16": (3, 3, 16, 0), "rgb8": (8, 8, 8, 2),
                       "rgb16": (2, 2, 16, 2), "gray-alpha8": (4, 4, 8, 4), "rgba8": (5, 6, 8, 6),
                       "rgba16": (3, 2, 16, 6), "gray2-interlaced": (13, 11, 2, 0, 1),
                       "rgb8-interlaced": (9, 9, 8, 2, 1)}.items():
        write("image", f"{name}.png", png(*args))
    write("image", "palette4.png", png(6, 6, 4, 3, 0, palette))
    write("image", "palette4-alpha.png", png(6, 6, 4, 3, 0, palette + transparency))
    whole = png(8, 8, 8, 2)
    write("image", "truncated.png", whole[:len(whole) // 2])
    huge = chunk(b"IHDR", struct.pack(">IIBBBBB", 0x7FFFFFFF, 0x7FFFFFFF, 8, 2, 0, 0, 0))
    write("image", "huge-header.png", whole[:8] + huge + whole[8 + len(huge):])
    text = struct.pack(">I", 0x70000000) + b"iTXt" + b"XML\0\0\0\0\0text"
    write("image", "text-chunk-of-1.8-gigabytes.png", whole[:33] + text + whole[33:])
    write("image", "gray.jpg", jpeg(1, b"\x3f"))
    write("image", "ycc420.jpg", jpeg(3, b"\x00\x0f"))
    write("image", "cmyk.jpg", jpeg(4, b"\x00\x00\x00\x0f"))
    write("image", "progressive.jpg", jpeg(1, b"\x7f", 0xC2, 0))
    write("image", "gray.pgm", b"P5\n# comment\n3 2\n255\n" + bytes(range(6)))
    write("image", "rgb.ppm", b"P6 2 2 255\n" + bytes(range(12)))
    write("image", "gray16.pgm", b"P5 2 1 65535\n" + bytes(4))
    write("image", "huge.ppm", b"P6 99999999999999999999 4294967297 255\n")
    write("image", "nothing", b"")


# --- models -----------------------------------------------------------------------------------------------------------

def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def attribute(name, value):
    if isinstance(value, float):
        return field(1, name) + field(2, value) + field(20, 1)
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    if isinstance(value, str):
        return field(1, name) + field(4, value) + field(20, 3)
    return field(1, name) + b"".join(field(8, v) for v in value) + field(20, 7)


def node(op, inputs, outputs, **attributes):
    return (b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs) + field(3, f"a {op}")
            + field(4, op) + b"".join(field(5, attribute(k, v)) for k, v in attributes.items()))


def floats(name, dims, values=None):
    count = 1
    for d in dims:
        count *= d
    raw = struct.pack(f"<{count}f", *(values or [0.25 * i for i in range(count)]))
    return b"".join(field(1, d) for d in dims) + field(2, 1) + field(8, name) + field(9, raw)


def integers(name, values):
    return field(1, len(values)) + field(2, 7) + field(7, b"".join(varint(v) for v in values)) + field(8, name)


def value(name, dims, dtype=1):
    shape = b"".join(field(1, field(2, d) if isinstance(d, str) else field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, dtype) + field(2, shape)))


def model(nodes, inputs, outputs, weights=(), opset=13):
    graph = (b"".join(field(1, n) for n in nodes) + field(2, "g") + b"".join(field(5, w) for w in weights)
             + b"".join(field(11, i) for i in inputs) + b"".join(field(12, o) for o in outputs))
    return field(1, 8) + field(2, "seeds") + field(7, graph) + field(8, field(1, "") + field(2, opset))


def models():
    x, y = [value("x", [1, 2])], [value("y", [1, 2])]
    write("onnx", "relu", model([node("Relu", ["x"], ["y"])], x, y))
    write("onnx", "add-constant", model([node("Add", ["x", "w"], ["y"])], x, y, [floats("w", [1, 2])]))
    write("onnx", "open-batch", model([node("Softmax", ["x"], ["y"], axis=-1)], [value("x", ["N", 4])], [value("y", ["N", 4])]))
    write("onnx", "gemm", model([node("Gemm", ["x", "w", "b"], ["y"], alpha=0.5, transB=1)],
                                [value("x", [1, 3])], [value("y", [1, 2])], [floats("w", [2, 3]), floats("b", [2])]))
    write("onnx", "conv-pool-reshape", model(
        [node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1], group=1),
         node("Relu", ["c"], ["r"]),
         node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
         node("Reshape", ["p", "s"], ["y"])],
        [value("x", [1, 1, 4, 4])], [value("y", [1, 8])], [floats("w", [2, 1, 3, 3]), integers("s", [1, -1])]))
    write("onnx", "auto-pad", model([node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER", dilations=[2, 2])],
                                    [value("x", [1, 1, 5, 5])], [value("y", [1, 1, 5, 5])], [floats("w", [1, 1, 3, 3])]))
    write("onnx", "concat-transpose", model(
        [node("Transpose", ["x"], ["t"], perm=[1, 0]), node("Concat", ["t", "t"], ["y"], axis=1)],
        [value("x", [2, 3])], [value("y", [3, 4])]))
    write("onnx", "cycle", model([node("Add", ["x", "y"], ["z"]), node("Relu", ["z"], ["y"])], x, y))
    write("onnx", "unknown-operator", model([node("Frobnicate", ["x"], ["y"])], x, y))
    write("onnx", "missing-input", model([node("Add", ["x", "nowhere"], ["y"])], x, y))
    write("onnx", "same-name-twice", model([node("Relu", ["x"], ["y"]), node("Relu", ["x"], ["y"])], x, y))
    write("onnx", "old-opset", model([node("Relu", ["x"], ["y"])], x, y, opset=6))
    write("onnx", "huge-dims", model([node("Relu", ["x"], ["y"])], [value("x", [1 << 40, 1 << 40])], [value("y", [1 << 40, 1 << 40])]))
    write("onnx", "negative-pads", model([node("MaxPool", ["x"], ["y"], kernel_shape=[-1, 0], pads=[-9, -9, 9, 9], strides=[0, 0])],
                                         [value("x", [1, 1, 4, 4])], [value("y", [1, 1, 4, 4])]))
    short = field(1, 1000) + field(2, 1) + field(8, "w") + field(9, b"\0\0\0\0")
    write("onnx", "weights-shorter-than-dims", model([node("Add", ["x", "w"], ["y"])], x, y, [short]))
    write("onnx", "no-graph", field(1, 8))
    write("onnx", "nothing", b"")


images()
models()
