#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the digit reader of the vision sample and writes what the sample ships.

    train.py            writes ../models/digits/1/model.onnx and ../digits.png
    train.py --quick    a tenth of the steps, to try a change; writes nothing

Data: the UCI optical digits that come with scikit-learn. Rows 1..1078 train; rows 1079..1797 were
written by other people and only measure. The frames of the sample are drawn with the second part
alone, so what the sample reads at run time was never seen here.

The reader gets regions that find.c cut out of a frame: 16x16 gray, dark ink on light paper, ink
touching the borders here and there. So training draws each digit anew every time it is seen
(turned, slanted, bent, next to neighbours, under lines, in bad light), and an eleventh class is
trained on what is no digit: clutter, and digits cut badly. One seed, one thread: the same file
every time on one machine.

Needs numpy, scikit-learn and onnx, as packaged by Debian. Ten minutes on one core with OpenBLAS
(package libopenblas0), four times as long with the reference BLAS.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one thread: sums in one order

import struct
import sys
import zlib

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL_PATH = os.path.join(HERE, "..", "models", "digits", "1", "model.onnx")
SHEET_PATH = os.path.join(HERE, "..", "digits.png")

SEED = 20
TRAIN_ROWS = 1078
SIDE = 16           # of the network's input
FINE = 2 * SIDE     # regions are drawn twice as fine, then averaged down
CLASSES = 11        # ten digits and "not a digit"
NOT_A_DIGIT = 10
MEAN, SCALE = 127.5, 1 / 127.5   # input = (pixel - MEAN) * SCALE; vision.c does the same
MARGIN = 0.14       # paper kept around the ink on each side, as find.c does
BATCH = 128
STEPS = 5000
SHEET_COLUMNS = 64  # sprites for each digit in digits.png


# --- Digits -------------------------------------------------------------------------------------

def load_digits():
    from sklearn.datasets import load_digits as load
    data = load()
    return data.images.astype(np.float32) / 16, data.target.astype(np.int64)


def cubic_weights(size, factor):
    """Matrix that scales a row of `size` samples up by `factor` (Catmull-Rom, as scene.c)."""
    weights = np.zeros((size * factor, size), np.float32)
    for i in range(size * factor):
        at = (i + 0.5) / factor - 0.5
        base = int(np.floor(at))
        t = at - base
        taps = (-0.5 * t + t * t - 0.5 * t ** 3, 1 - 2.5 * t * t + 1.5 * t ** 3,
                0.5 * t + 2 * t * t - 1.5 * t ** 3, -0.5 * t * t + 0.5 * t ** 3)
        for k, tap in enumerate(taps):
            if 0 <= base - 1 + k < size:
                weights[i, base - 1 + k] += tap
    return weights


UP = 4             # sprites are scaled up once; drawing then samples them bilinearly
PAD = 2            # paper around a sprite, in sprite pixels
SPRITE = (8 + 2 * PAD) * UP


def enlarge(images):
    padded = np.pad(images, ((0, 0), (PAD, PAD), (PAD, PAD)))
    weights = cubic_weights(8 + 2 * PAD, UP)
    large = np.einsum("yi,nij,xj->nyx", weights, padded, weights, optimize=True)
    return np.ascontiguousarray(np.clip(large, 0, 1))


# --- Drawing regions, a batch at a time ---------------------------------------------------------

def sample(sprites, which, x, y):
    """Bilinear look-up of sprites[which] at coordinates in sprite pixels, the middle being 0."""
    column = np.clip((x + 4 + PAD) * UP - 0.5, 0, SPRITE - 1.001)
    row = np.clip((y + 4 + PAD) * UP - 0.5, 0, SPRITE - 1.001)
    left, top = column.astype(np.int32), row.astype(np.int32)
    across, down = column - left, row - top
    flat = sprites.reshape(-1)
    at = (which[:, None, None] * SPRITE + top) * SPRITE + left
    upper = flat[at] * (1 - across) + flat[at + 1] * across
    lower = flat[at + SPRITE] * (1 - across) + flat[at + SPRITE + 1] * across
    return upper * (1 - down) + lower * down


class Hand:
    """How a batch of digits is written: slant, turn, stretch, bend and pen."""

    def __init__(self, rng, count, strength):
        def spread(width):
            return rng.uniform(-width, width, (count, 1, 1)).astype(np.float32) * strength

        turn, slant = spread(0.22), spread(0.22)
        wide, high = np.exp(spread(0.22)), np.exp(spread(0.12))
        cos, sin = np.cos(turn), np.sin(turn)
        self.a, self.b = cos / wide, (sin + slant) / wide
        self.c, self.d = -sin / high, cos / high
        self.bend_x, self.bend_y = spread(0.55), spread(0.55)
        self.phase_x, self.phase_y = spread(3.1), spread(3.1)
        self.threshold = 0.42 + spread(0.14)
        self.sharpness = np.exp(0.9 + spread(0.7))

    def draw(self, sprites, which, x, y):
        """Ink, 0 to 1, at coordinates relative to the digit's middle."""
        u = self.a * x + self.b * y + self.bend_x * np.sin(0.6 * y + self.phase_x)
        v = self.c * x + self.d * y + self.bend_y * np.sin(0.6 * x + self.phase_y)
        raw = sample(sprites, which, u, v)
        return np.clip((raw - self.threshold) * self.sharpness + 0.5, 0, 1)


def grid(count, side, left, top, size):
    step = (np.arange(side, dtype=np.float32) + 0.5) / side
    x = left[:, None, None] + size[:, None, None] * step[None, None, :]
    y = top[:, None, None] + size[:, None, None] * step[None, :, None]
    shape = (count, side, side)
    return np.broadcast_to(x, shape), np.broadcast_to(y, shape)


def ink_bounds(ink, span):
    """Left, top, right, bottom of the ink of a batch drawn on a canvas of `span` sprite pixels."""
    def edges(any_ink):
        first = any_ink.argmax(1)
        last = any_ink.shape[1] - any_ink[:, ::-1].argmax(1)
        return first.astype(np.float32), last.astype(np.float32)

    dark = ink > 0.5
    left, right = edges(dark.any(1))
    top, bottom = edges(dark.any(2))
    step = span / ink.shape[1]
    return [edge * step - span / 2 for edge in (left, top, right, bottom)]


SPAN = 14.0  # of the canvas on which a digit is measured before it is cut


def draw_digits(rng, sprites, which, others, strength, bad_cuts=None):
    """Ink of a batch of regions, each cut around a digit as find.c would, or badly if bad_cuts."""
    count = len(which)
    hand = Hand(rng, count, strength)
    full = np.full(count, SPAN, np.float32)
    x, y = grid(count, FINE, -full / 2, -full / 2, full)
    left, top, right, bottom = ink_bounds(hand.draw(sprites, which, x, y), SPAN)
    width, height = right - left, bottom - top
    size = np.maximum(width, height)

    def jitter(spread):
        return rng.uniform(-spread, spread, count).astype(np.float32) * strength

    middle_x = (left + right) / 2 + jitter(0.06) * size
    middle_y = (top + bottom) / 2 + jitter(0.06) * size
    cut = size * (1 + 2 * MARGIN + jitter(0.14))
    if bad_cuts is not None:
        middle_x, middle_y, cut = bad_cuts(rng, middle_x, middle_y, width, size, cut)
    x, y = grid(count, FINE, middle_x - cut / 2, middle_y - cut / 2, cut)
    ink = hand.draw(sprites, which, x, y)
    if strength > 0:
        shift = (0.5 * width + 2.6 + rng.uniform(0.9, 3.5, count))[:, None, None].astype(np.float32)
        middle = ((left + right) / 2)[:, None, None]
        for side, other in zip((-1, 1), others):
            there = (rng.random(count) < 0.4)[:, None, None]
            ink = np.maximum(ink, there * hand.draw(sprites, other, x - middle - side * shift, y))
    return ink


def badly(rng, middle_x, middle_y, width, size, cut):
    """Cuts that show no digit: half of one, two halves, a detail, or a whole line of them."""
    count = len(cut)
    kind = rng.integers(0, 4, count)
    sign = rng.choice([-1.0, 1.0], count)
    aside = rng.uniform(0.62, 0.9, count) * cut
    x = np.where(kind == 0, middle_x + sign * aside, middle_x)
    y = np.where(kind == 1, middle_y + sign * aside, middle_y)
    detail = rng.uniform(0.25, 0.42, count) * size
    x = np.where(kind == 2, middle_x + rng.uniform(-0.3, 0.3, count) * width, x)
    y = np.where(kind == 2, middle_y + rng.uniform(-0.3, 0.3, count) * size, y)
    cut = np.where(kind == 2, detail, cut)
    cut = np.where(kind == 3, rng.uniform(1.9, 2.8, count) * cut, cut)
    return (value.astype(np.float32) for value in (x, y, cut))


def unit_grid(count):
    zero, one = np.zeros(count, np.float32), np.ones(count, np.float32)
    return grid(count, FINE, zero, zero, one)


def lines(rng, count, most, near_edge):
    """Ink of up to `most` straight strokes; near_edge keeps them off the middle."""
    x, y = unit_grid(count)
    ink = np.zeros_like(x)
    for _ in range(most):
        def column(low, high):
            return rng.uniform(low, high, (count, 1, 1)).astype(np.float32)

        angle = column(0, np.pi)
        if near_edge:
            angle = np.round(angle / (np.pi / 2)) * (np.pi / 2) + column(-0.12, 0.12)
            offset = column(0.36, 0.52) * rng.choice([-1.0, 1.0], (count, 1, 1))
        else:
            offset = column(-0.4, 0.4)
        away = np.abs((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) - offset)
        width = column(0.02, 0.05) if near_edge else column(0.02, 0.14)
        there = rng.random((count, 1, 1)) < (0.12 if near_edge else 0.7)
        ink = np.maximum(ink, there * np.clip((width - away) * 24 + 0.5, 0, 1))
    return ink


def stripes(rng, count):
    """Barcodes and grilles: parallel strokes of uneven width."""
    x, y = unit_grid(count)
    turned = rng.random((count, 1, 1)) < 0.3
    along = np.where(turned, y, x) + rng.uniform(-0.1, 0.1, (count, 1, 1)) * np.where(turned, x, y)
    waves = np.zeros_like(along)
    for _ in range(2):
        waves = waves + np.sin(along * rng.uniform(8, 40, (count, 1, 1))
                               + rng.uniform(0, 6.3, (count, 1, 1)))
    return np.clip(waves * 3, 0, 1)


def blobs(rng, count):
    """Stains, dots, discs, blocks."""
    x, y = unit_grid(count)
    ink = np.zeros_like(x)
    square = rng.random((count, 1, 1)) < 0.4
    for _ in range(3):
        dx = x - rng.uniform(0, 1, (count, 1, 1))
        dy = y - rng.uniform(0, 1, (count, 1, 1))
        dx, dy = dx / rng.uniform(0.3, 1, (count, 1, 1)), dy / rng.uniform(0.3, 1, (count, 1, 1))
        away = np.where(square, np.maximum(np.abs(dx), np.abs(dy)), np.sqrt(dx * dx + dy * dy))
        there = rng.random((count, 1, 1)) < 0.7
        radius = rng.uniform(0.1, 0.5, (count, 1, 1))
        ink = np.maximum(ink, there * np.clip((radius - away) * 20, 0, 1))
    return ink


def texture(rng, count):
    """Speckle of a random grain, soft or hard; with little contrast it is plain cardboard."""
    out = np.empty((count, FINE, FINE), np.float32)
    for grain in (2, 4, 8):
        cells = FINE // grain
        chosen = np.arange(count) % 3 == (2, 4, 8).index(grain)
        noise = rng.random((int(chosen.sum()), cells, cells)).astype(np.float32)
        out[chosen] = noise.repeat(grain, 1).repeat(grain, 2)
    hard = rng.uniform(1, 8, (count, 1, 1)).astype(np.float32)
    return np.clip((out - rng.uniform(0.4, 0.8, (count, 1, 1))) * hard + 0.5, 0, 1)


def shapes(rng, count):
    """Marks printed on parcels: corners, crosses, triangles, arrows; strokes that meet."""
    x, y = unit_grid(count)
    ink = np.zeros_like(x)
    corners = rng.uniform(0.02, 0.98, (5, 2, count, 1, 1)).astype(np.float32)
    width = rng.uniform(0.03, 0.09, (count, 1, 1)).astype(np.float32)
    closed = rng.random((count, 1, 1)) < 0.5
    for start in range(4):
        end = 0 if start == 3 else start + 1
        (ax, ay), (bx, by) = corners[start], corners[end]
        there = (closed if start == 3 else True) & (start < 2 + rng.integers(0, 3, (count, 1, 1)))
        px, py, qx, qy = x - ax, y - ay, bx - ax, by - ay
        t = np.clip((px * qx + py * qy) / (qx * qx + qy * qy + 1e-6), 0, 1)
        away = np.sqrt((px - t * qx) ** 2 + (py - t * qy) ** 2)
        ink = np.maximum(ink, there * np.clip((width - away) * 24 + 0.5, 0, 1))
    return ink


def light(rng, ink, strength):
    """Ink to 16x16 pixels: paper and pen of some gray, a slope of light, blur, noise, rounding."""
    count = len(ink)

    def column(low, high):
        return rng.uniform(low, high, (count, 1, 1)).astype(np.float32)

    if strength == 0:
        pixels = 235 - 200 * ink
    else:
        paper = column(120, 255)
        pen = np.maximum(column(0, 90), 0) * column(0.2, 1)
        pen = np.minimum(pen, paper - 60)
        x, y = unit_grid(count)
        slope = column(-25, 25) * (x - 0.5) + column(-25, 25) * (y - 0.5)
        pixels = paper + slope + (pen - paper) * ink
    blurred = pixels.copy()
    blurred[:, 1:-1, 1:-1] = (pixels[:, :-2, 1:-1] + pixels[:, 2:, 1:-1] + pixels[:, 1:-1, :-2]
                              + pixels[:, 1:-1, 2:] + 2 * pixels[:, 1:-1, 1:-1]) / 6
    if strength > 0:
        pixels = np.where(rng.random((count, 1, 1)) < 0.5, blurred, pixels)
    coarse = pixels.reshape(count, SIDE, 2, SIDE, 2).mean((2, 4))
    if strength > 0:
        # Cutting a small region samples points, cutting a large one skips some: learn both.
        coarse = np.where(rng.random((count, 1, 1)) < 0.3, pixels[:, ::2, ::2], coarse)
        coarse = coarse + column(0, 14) * rng.standard_normal(coarse.shape).astype(np.float32)
    return np.clip(np.round(coarse), 0, 255)


def prepare(pixels):
    return ((pixels - MEAN) * SCALE).astype(np.float32)[..., None]   # NHWC


def training_batch(rng, sprites, labels):
    digits = BATCH * 3 // 4
    rest = BATCH - digits
    cut = rest // 3
    which = rng.integers(0, TRAIN_ROWS, digits + cut)
    others = rng.integers(0, TRAIN_ROWS, (2, digits + cut))
    good = draw_digits(rng, sprites, which[:digits], others[:, :digits], 1.0)
    good = np.maximum(good, lines(rng, digits, 2, near_edge=True))
    bad = draw_digits(rng, sprites, which[digits:], others[:, digits:], 1.0, badly)
    share = (rest - cut) // 5
    clutter = [lines(rng, share, 5, near_edge=False), stripes(rng, share), blobs(rng, share),
               shapes(rng, share), texture(rng, rest - cut - 4 * share)]
    ink = np.concatenate([good, bad] + clutter)
    target = np.concatenate([labels[which[:digits]], np.full(rest, NOT_A_DIGIT)])
    return prepare(light(rng, ink, 1.0)), target


# --- The network --------------------------------------------------------------------------------
# Four 3x3 convolutions in two pairs, each pair followed by a 2x2 maximum, then two dense layers.

LAYERS = (("conv1", 1, 12), ("conv2", 12, 16), ("conv3", 16, 32), ("conv4", 32, 32))
DENSE = (("dense1", 32 * (SIDE // 4) ** 2, 64), ("dense2", 64, CLASSES))


def initial(rng):
    params = {}
    for name, inputs, outputs in [(n, 9 * i, o) for n, i, o in LAYERS] + list(DENSE):
        spread = np.sqrt(2 / inputs)
        params[name + "_w"] = (rng.standard_normal((inputs, outputs)) * spread).astype(np.float32)
        params[name + "_b"] = np.zeros(outputs, np.float32)
    return params


def unfold(x):
    """Every 3x3 neighbourhood as a row, (row, column, channel) in order."""
    count, high, wide, channels = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    columns = np.empty((count, high, wide, 3, 3, channels), np.float32)
    for row in range(3):
        for column in range(3):
            columns[:, :, :, row, column] = padded[:, row:row + high, column:column + wide]
    return columns.reshape(count * high * wide, 9 * channels)


def fold(columns, shape):
    count, high, wide, channels = shape
    columns = columns.reshape(count, high, wide, 3, 3, channels)
    padded = np.zeros((count, high + 2, wide + 2, channels), np.float32)
    for row in range(3):
        for column in range(3):
            padded[:, row:row + high, column:column + wide] += columns[:, :, :, row, column]
    return padded[:, 1:-1, 1:-1]


def pool(x):
    count, high, wide, channels = x.shape
    cells = x.reshape(count, high // 2, 2, wide // 2, 2, channels)
    best = cells.max((2, 4))
    return best, cells == best[:, :, None, :, None]


def forward(params, x, drop=None):
    """Logits, and what backward() needs."""
    kept = []
    for number, (name, _, outputs) in enumerate(LAYERS):
        columns = unfold(x)
        out = np.maximum(columns @ params[name + "_w"] + params[name + "_b"], 0)
        out = out.reshape(x.shape[:3] + (outputs,))
        kept.append((columns, x.shape, out))
        x = out
        if number % 2 == 1:
            x, mask = pool(x)
            kept.append(mask)
    flat = x.reshape(len(x), -1)
    if drop is not None:
        flat = flat * drop
    hidden = np.maximum(flat @ params["dense1_w"] + params["dense1_b"], 0)
    logits = hidden @ params["dense2_w"] + params["dense2_b"]
    return logits, (kept, x.shape, flat, hidden)


def softmax(logits):
    power = np.exp(logits - logits.max(1, keepdims=True))
    return power / power.sum(1, keepdims=True)


def backward(params, record, slope, drop):
    kept, shape, flat, hidden = record
    grads = {"dense2_w": hidden.T @ slope, "dense2_b": slope.sum(0)}
    slope = (slope @ params["dense2_w"].T) * (hidden > 0)
    grads["dense1_w"], grads["dense1_b"] = flat.T @ slope, slope.sum(0)
    slope = ((slope @ params["dense1_w"].T) * drop).reshape(shape)
    kept = list(kept)
    for number in range(len(LAYERS) - 1, -1, -1):
        name = LAYERS[number][0]
        if number % 2 == 1:
            mask = kept.pop()
            slope = (slope[:, :, None, :, None] * mask).reshape(kept[-1][2].shape)
        columns, in_shape, out = kept.pop()
        slope = (slope * (out > 0)).reshape(len(columns), -1)
        grads[name + "_w"], grads[name + "_b"] = columns.T @ slope, slope.sum(0)
        if number > 0:
            slope = fold(slope @ params[name + "_w"].T, in_shape)
    return grads


def train(rng, sprites, labels, steps):
    """Adam, the rate falling as half a cosine; answers the running mean of the weights."""
    params = initial(rng)
    first = {name: np.zeros_like(value) for name, value in params.items()}
    second = {name: np.zeros_like(value) for name, value in params.items()}
    mean = {name: value.copy() for name, value in params.items()}
    smooth = 0.05
    for step in range(1, steps + 1):
        x, target = training_batch(rng, sprites, labels)
        drop = (rng.random((len(x), DENSE[0][1])) < 0.75).astype(np.float32) / 0.75
        logits, record = forward(params, x, drop)
        likely = softmax(logits)
        slope = likely - smooth / CLASSES
        slope[np.arange(len(x)), target] -= 1 - smooth
        grads = backward(params, record, slope / len(x), drop)
        rate = 0.002 * 0.5 * (1 + np.cos(np.pi * step / steps)) + 1e-5
        keep = min(0.998, step / (step + 10))
        for name, grad in grads.items():
            grad = grad + 1e-4 * params[name] if name.endswith("_w") else grad
            first[name] += 0.1 * (grad - first[name])
            second[name] += 0.001 * (grad * grad - second[name])
            ahead = first[name] / (1 - 0.9 ** step)
            spread = second[name] / (1 - 0.999 ** step)
            params[name] -= (rate * ahead / (np.sqrt(spread) + 1e-8)).astype(np.float32)
            mean[name] += ((1 - keep) * (params[name] - mean[name])).astype(np.float32)
        if step % 250 == 0:
            loss = -np.log(likely[np.arange(len(x)), target] + 1e-9).mean()
            print(f"step {step}/{steps}  loss {loss:.3f}", flush=True)
    return mean


# --- What is shipped ----------------------------------------------------------------------------

def export(params):
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, weights, last = [], [], "pixels"

    def constant(name, value):
        weights.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    def node(kind, inputs, out, **attributes):
        nodes.append(helper.make_node(kind, inputs, [out], name=out, **attributes))
        return out

    for number, (name, inputs, outputs) in enumerate(LAYERS):
        kernel = params[name + "_w"].reshape(3, 3, inputs, outputs).transpose(3, 2, 0, 1)
        last = node("Conv", [last, constant(name + "_w", kernel),
                             constant(name + "_b", params[name + "_b"])], name,
                    kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
        last = node("Relu", [last], name + "_relu")
        if number % 2 == 1:
            last = node("MaxPool", [last], name + "_pool", kernel_shape=[2, 2], strides=[2, 2])
    last = node("Flatten", [last], "flat", axis=1)
    cells, channels = SIDE // 4, LAYERS[-1][2]
    dense1 = params["dense1_w"].reshape(cells, cells, channels, -1)
    dense1 = dense1.transpose(2, 0, 1, 3).reshape(cells * cells * channels, -1)
    for name, weight in (("dense1", dense1), ("dense2", params["dense2_w"])):
        last = node("Gemm", [last, constant(name + "_w", weight),
                             constant(name + "_b", params[name + "_b"])], name)
        if name == "dense1":
            last = node("Relu", [last], "dense1_relu")
    node("Softmax", [last], "probabilities", axis=1)
    graph = helper.make_graph(
        nodes, "digits",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", CLASSES])],
        weights)
    model = helper.make_model(graph, producer_name="quark vision sample",
                              opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    model.doc_string = ("Reads one handwritten digit, or says that there is none (class 10). "
                        "Trained on UCI optical digits (CC BY 4.0) by samples/vision/train.")
    checker.check_model(model, full_check=True)
    os.makedirs(os.path.dirname(MODEL_PATH), exist_ok=True)
    with open(MODEL_PATH, "wb") as out:
        out.write(model.SerializeToString())


def evaluate_file(x):
    """Runs the written file node by node, knowing nothing of forward() above. x: NCHW."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(MODEL_PATH).graph
    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    values[graph.input[0].name] = x
    for item in graph.node:
        args = [values[name] for name in item.input]
        if item.op_type == "Conv":
            padded = np.pad(args[0], ((0, 0), (0, 0), (1, 1), (1, 1)))
            windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
            out = np.einsum("nchwyx,ocyx->nohw", windows, args[1], optimize=True)
            out = out + args[2][:, None, None]
        elif item.op_type == "Relu":
            out = np.maximum(args[0], 0)
        elif item.op_type == "MaxPool":
            n, c, h, w = args[0].shape
            out = args[0].reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))
        elif item.op_type == "Flatten":
            out = args[0].reshape(len(args[0]), -1)
        elif item.op_type == "Gemm":
            out = args[0] @ args[1] + args[2]
        elif item.op_type == "Softmax":
            out = softmax(args[0])
        else:
            raise ValueError(item.op_type)
        values[item.output[0]] = out
    return values[graph.output[0].name]


def write_png(path, gray):
    """8-bit gray PNG, nothing but zlib needed."""
    def chunk(kind, body):
        return (struct.pack(">I", len(body)) + kind + body
                + struct.pack(">I", zlib.crc32(kind + body)))

    high, wide = gray.shape
    rows = b"".join(b"\0" + row.tobytes() for row in gray.astype(np.uint8))
    with open(path, "wb") as out:
        header = struct.pack(">IIBBBBB", wide, high, 8, 0, 0, 0, 0)
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
                  + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def write_sheet(images, labels):
    """Row = label; 8x8 cells of ink, 0 (none) to 255, digits kept out of training only."""
    sheet = np.zeros((80, 8 * SHEET_COLUMNS), np.uint8)
    for digit in range(10):
        rows = TRAIN_ROWS + np.flatnonzero(labels[TRAIN_ROWS:] == digit)[:SHEET_COLUMNS]
        for column, row in enumerate(rows):
            sheet[8 * digit:8 * digit + 8, 8 * column:8 * column + 8] = np.round(images[row] * 255)
    write_png(SHEET_PATH, sheet)


def measure(name, predict, x, target):
    guess = predict(x).argmax(1)
    right = int((guess == target).sum())
    print(f"{name}: {right} of {len(target)} right, {100 * right / len(target):.2f} %")
    return right / len(target)


def main():
    quick = "--quick" in sys.argv[1:]
    rng = np.random.default_rng(SEED)
    images, labels = load_digits()
    sprites = enlarge(images)
    params = train(rng, sprites, labels, STEPS // 10 if quick else STEPS)

    kept = np.arange(TRAIN_ROWS, len(labels))
    plain = prepare(light(rng, draw_digits(rng, sprites, kept, None, 0.0), 0.0))
    others = rng.integers(TRAIN_ROWS, len(labels), (2, 4 * len(kept)))
    hard = draw_digits(rng, sprites, np.tile(kept, 4), others, 1.0)
    hard = prepare(light(rng, hard, 1.0))

    def network(x):
        return softmax(forward(params, x)[0])

    accuracy = measure("held-out digits, plain", network, plain, labels[kept])
    measure("held-out digits, drawn hard", network, hard, np.tile(labels[kept], 4))
    if quick:
        return 0

    export(params)
    write_sheet(images, labels)
    written = evaluate_file(plain.transpose(0, 3, 1, 2))
    print(f"{os.path.relpath(MODEL_PATH)}: {os.path.getsize(MODEL_PATH)} bytes, differs from the "
          f"network by at most {np.abs(written - network(plain)).max():.1e}")
    return 0 if accuracy > 0.97 else 1


if __name__ == "__main__":
    sys.exit(main())
