/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene.c - a belt, parcels on it, and on each parcel a label with a handwritten
 * number among other print.
 *
 * Everything is painted by one function: a shape tells how far it covers a point, a pose tells
 * where the shape lies in the picture, and each pixel is mixed with the shape's colour by that
 * much. Later paint covers earlier paint. Last comes what a camera adds: uneven light and noise.
 *
 * C leaves open in which order arguments are computed, so no two dice are thrown in one expression:
 * the same seed must give the same frame whoever compiles this.
 */
#include "scene.h"

#include "dice.h"

#include <math.h>
#include <string.h>

#define SPRITE_SIDE 8

struct color {
    float r, g, b;
};

/* Where a shape lies: its middle in the picture, and its turn. */
struct pose {
    float x, y, cos, sin;
};

/* Cover, 0 to 1, of a point in the shape's own coordinates (pixels, middle at 0). */
typedef float (*cover_fn)(const void *shape, float u, float v);

static float clamp01(float value)
{
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

static struct pose pose_at(float x, float y, float turn)
{
    return (struct pose){x, y, cosf(turn), sinf(turn)};
}

/* A pose given in the coordinates of another one. */
static struct pose pose_on(struct pose base, float u, float v)
{
    base.x += u * base.cos - v * base.sin;
    base.y += u * base.sin + v * base.cos;
    return base;
}

static uint8_t mix(uint8_t below, float above, float cover)
{
    return (uint8_t)((float)below + ((above - (float)below) * cover) + 0.5f);
}

/* Paints what of the shape lies within `reach` pixels of its middle. */
static void paint(qk_image *image, struct pose pose, float reach, cover_fn cover, const void *shape,
                  struct color color)
{
    const int left = (int)fmaxf(0, pose.x - reach),
              right = (int)fminf((float)image->width, pose.x + reach + 1);
    const int top = (int)fmaxf(0, pose.y - reach),
              bottom = (int)fminf((float)image->height, pose.y + reach + 1);

    for (int y = top; y < bottom; y++) {
        uint8_t *row = image->pixels + (size_t)y * image->width * 3;

        for (int x = left; x < right; x++) {
            const float dx = (float)x + 0.5f - pose.x, dy = (float)y + 0.5f - pose.y;
            const float share =
                cover(shape, dx * pose.cos + dy * pose.sin, dy * pose.cos - dx * pose.sin);

            if (share <= 0)
                continue;
            row[3 * x] = mix(row[3 * x], color.r, share);
            row[3 * x + 1] = mix(row[3 * x + 1], color.g, share);
            row[3 * x + 2] = mix(row[3 * x + 2], color.b, share);
        }
    }
}

/* --- Shapes ---------------------------------------------------------------------------------- */

struct box {
    float half_width, half_height;
    float softness;    /* pixels over which the edge fades; 1 is sharp */
    float opacity;
};

static float box_cover(const void *shape, float u, float v)
{
    const struct box *box = shape;
    const float       inside = fminf(box->half_width - fabsf(u), box->half_height - fabsf(v));

    return box->opacity * clamp01(inside / box->softness + 0.5f);
}

static void paint_box(qk_image *image, struct pose pose, float width, float height,
                      struct color color)
{
    const struct box box = {width / 2, height / 2, 1, 1};

    paint(image, pose, hypotf(width, height) / 2 + 1, box_cover, &box, color);
}

static void paint_shadow(qk_image *image, struct pose pose, float width, float height,
                         float opacity)
{
    const struct box box = {width / 2, height / 2, 10, opacity};

    paint(image, pose, hypotf(width, height) / 2 + 6, box_cover, &box, (struct color){12, 12, 16});
}

struct stroke {
    float bx, by, length2;    /* from (0, 0) to (bx, by) */
    float half_width;
};

static float stroke_cover(const void *shape, float u, float v)
{
    const struct stroke *stroke = shape;
    const float          along = clamp01((u * stroke->bx + v * stroke->by) / stroke->length2);

    return clamp01(stroke->half_width - hypotf(u - along * stroke->bx, v - along * stroke->by)
                   + 0.5f);
}

/* A straight line between two points of a pose. */
static void paint_stroke(qk_image *image, struct pose base, float au, float av, float bu, float bv,
                         float width, struct color color)
{
    const float         du = bu - au, dv = bv - av;
    const struct stroke stroke = {du, dv, du * du + dv * dv + 1e-3f, width / 2};

    paint(image, pose_on(base, au, av), hypotf(du, dv) + width + 1, stroke_cover, &stroke, color);
}

struct blot {
    float radius, phase, ragged, opacity;
};

static float blot_cover(const void *shape, float u, float v)
{
    const struct blot *blot = shape;
    const float        angle = atan2f(v, u);
    const float edge =
        blot->radius * (1 + blot->ragged * (sinf(3 * angle + blot->phase) + sinf(5 * angle)));

    return blot->opacity * clamp01((edge - hypotf(u, v)) / 3 + 0.5f);
}

/* --- Digits ---------------------------------------------------------------------------------- */

struct digit {
    const uint8_t *pixels;    /* of the sprite's first row */
    size_t         stride;
    float          pixel;    /* size of a sprite's pixel in the picture */
    float          slant;
};

static float sprite_at(const struct digit *digit, int x, int y)
{
    if (x < 0 || y < 0 || x >= SPRITE_SIDE || y >= SPRITE_SIDE)
        return 0;
    return (float)digit->pixels[(size_t)y * digit->stride + (size_t)x] / 255;
}

/*
 * Weights of the four neighbours of a point between two samples (Catmull-Rom): smooth,
 * and true at the samples.
 */
static void cubic_weights(float t, float weights[4])
{
    weights[0] = ((2 - t) * t - 1) * t / 2;
    weights[1] = ((3 * t - 5) * t * t + 2) / 2;
    weights[2] = ((4 - 3 * t) * t + 1) * t / 2;
    weights[3] = (t - 1) * t * t / 2;
}

/*
 * The sprite as a pen would have drawn it: smooth between its few pixels, then with a clear edge.
 */
static float digit_cover(const void *shape, float u, float v)
{
    const struct digit *digit = shape;
    const float         x = (u + digit->slant * v) / digit->pixel + SPRITE_SIDE / 2 - 0.5f;
    const float         y = v / digit->pixel + SPRITE_SIDE / 2 - 0.5f;
    const int           left = (int)floorf(x), top = (int)floorf(y);
    float               across[4], down[4], ink = 0;

    if (left < -2 || top < -2 || left > SPRITE_SIDE || top > SPRITE_SIDE)
        return 0;
    cubic_weights(x - (float)left, across);
    cubic_weights(y - (float)top, down);
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 4; i++)
            ink += down[j] * across[i] * sprite_at(digit, left - 1 + i, top - 1 + j);
    return clamp01((ink - 0.42f) * 2.6f + 0.5f);
}

/* Where the sprite has ink, in its own pixels from its middle: left, top, right, bottom. */
static void sprite_bounds(const struct digit *digit, float bounds[4])
{
    bounds[0] = bounds[1] = SPRITE_SIDE;
    bounds[2] = bounds[3] = 0;
    for (int y = 0; y < SPRITE_SIDE; y++)
        for (int x = 0; x < SPRITE_SIDE; x++)
            if (sprite_at(digit, x, y) > 0.35f) {
                bounds[0] = fminf(bounds[0], (float)x);
                bounds[1] = fminf(bounds[1], (float)y);
                bounds[2] = fmaxf(bounds[2], (float)x + 1);
                bounds[3] = fmaxf(bounds[3], (float)y + 1);
            }
    for (int side = 0; side < 4; side++)
        bounds[side] -= SPRITE_SIDE / 2;
}

/*
 * Writes one digit whose ink begins at `left` on the label's line, and answers where its ink ends.
 */
static float write_digit(struct scene *scene, const qk_image *sprites, struct dice *dice,
                         struct pose line, float left, float height, struct color pen)
{
    const uint32_t value = dice_below(dice, 10),
                   column = dice_below(dice, sprites->width / SPRITE_SIDE);
    struct digit   digit = {.stride = sprites->width, .pixel = height / SPRITE_SIDE};
    float          bounds[4];

    digit.pixels = sprites->pixels + (size_t)value * SPRITE_SIDE * sprites->width
                   + (size_t)column * SPRITE_SIDE;
    digit.slant = dice_between(dice, -0.12f, 0.12f);
    sprite_bounds(&digit, bounds);

    const float       raised = dice_between(dice, -0.06f, 0.06f) * height;
    const struct pose middle = pose_on(line, left - bounds[0] * digit.pixel, raised);
    const float width = (bounds[2] - bounds[0]) * digit.pixel,
                tall = (bounds[3] - bounds[1]) * digit.pixel;
    const struct pose ink = pose_on(middle, (bounds[0] + bounds[2]) / 2 * digit.pixel,
                                    (bounds[1] + bounds[3]) / 2 * digit.pixel);

    paint(&scene->image, middle, height, digit_cover, &digit, pen);
    scene->digits[scene->digit_count++] = (struct scene_digit){
        .box = {ink.x - width / 2, ink.y - tall / 2, width, tall}, .value = (uint8_t)value};
    return left + width;
}

/* --- Parcels --------------------------------------------------------------------------------- */

static struct color shade(struct color color, float by)
{
    return (struct color){color.r * by, color.g * by, color.b * by};
}

/* A barcode: bars of uneven width, from (u, v) to the right and down. */
static void print_barcode(qk_image *image, struct dice *dice, struct pose base, float u, float v,
                          float width, float height)
{
    for (float at = 0; at < width;) {
        const float bar = dice_between(dice, 1, 3.2f);

        paint_box(image, pose_on(base, u + at + bar / 2, v + height / 2), bar, height,
                  (struct color){30, 30, 34});
        at += bar + dice_between(dice, 1.2f, 3.5f);
    }
}

/* Lines of print too small to read: an address, terms. */
static void print_lines(qk_image *image, struct dice *dice, struct pose base, float u, float v,
                        float width, uint32_t count, struct color ink)
{
    for (uint32_t line = 0; line < count; line++) {
        float at = 0;

        while (at < width * dice_between(dice, 0.6f, 1)) {
            const float word = dice_between(dice, 3, 12);

            paint_box(image, pose_on(base, u + at + word / 2, v + 4.5f * (float)line), word, 1.8f,
                      ink);
            at += word + 2.5f;
        }
    }
}

/* "This way up": two arrows over a bar. */
static void print_arrows(qk_image *image, struct pose base, float u, float v, float size,
                         struct color ink)
{
    for (int side = 0; side < 2; side++) {
        const float x = u + (float)side * size * 0.6f;

        paint_stroke(image, base, x, v, x, v + size, 2, ink);
        paint_stroke(image, base, x, v, x - size * 0.22f, v + size * 0.35f, 2, ink);
        paint_stroke(image, base, x, v, x + size * 0.22f, v + size * 0.35f, 2, ink);
    }
    paint_stroke(image, base, u - size * 0.3f, v + size * 1.2f, u + size * 0.9f, v + size * 1.2f, 2,
                 ink);
}

/* A sign in a frame: a triangle, or a cross. */
static void print_sign(qk_image *image, struct dice *dice, struct pose base, float u, float v,
                       float size, struct color ink)
{
    if (dice_chance(dice, 0.5f)) {
        paint_stroke(image, base, u - size / 2, v + size / 2, u + size / 2, v + size / 2, 2, ink);
        paint_stroke(image, base, u - size / 2, v + size / 2, u, v - size / 2, 2, ink);
        paint_stroke(image, base, u + size / 2, v + size / 2, u, v - size / 2, 2, ink);
    } else {
        paint_stroke(image, base, u - size / 2, v - size / 2, u + size / 2, v + size / 2, 2, ink);
        paint_stroke(image, base, u + size / 2, v - size / 2, u - size / 2, v + size / 2, 2, ink);
    }
}

struct parcel {
    struct pose  pose;
    float        width, height;
    struct color card;
};

/* What is printed on the cardboard itself, below and above the label. */
static void decorate(qk_image *image, struct dice *dice, const struct parcel *parcel)
{
    const struct color ink = shade(parcel->card, dice_between(dice, 0.35f, 0.6f));
    const float        right = parcel->width / 2, bottom = parcel->height / 2;

    if (dice_chance(dice, 0.7f)) {
        const float aside = dice_between(dice, -0.3f, 0.3f) * parcel->width,
                    tape = dice_between(dice, 8, 14);

        paint_box(image, pose_on(parcel->pose, aside, 0), tape, parcel->height,
                  shade(parcel->card, 1.12f));
    }
    if (dice_chance(dice, 0.6f))
        print_arrows(image, parcel->pose, right - 22, -bottom + 6, 12, ink);
    if (dice_chance(dice, 0.5f))
        print_sign(image, dice, parcel->pose, -right + 14, bottom - 13, 12, ink);
    if (dice_chance(dice, 0.6f))
        print_lines(image, dice, parcel->pose, -right + 30, bottom - 12, parcel->width * 0.4f, 2,
                    ink);
    if (dice_chance(dice, 0.35f)) {
        const float       aside = dice_between(dice, -0.4f, 0.4f) * parcel->width;
        const float       radius = dice_between(dice, 4, 11), phase = dice_between(dice, 0, 6);
        const struct blot stain = {radius, phase, 0.12f, 0.5f};

        paint(image, pose_on(parcel->pose, aside, bottom - 14), 18, blot_cover, &stain,
              shade(parcel->card, 0.55f));
    }
}

/* What is written with: paper, pen, and how they are cut. */
struct label {
    struct pose  pose;
    float        width, height;
    struct color paper, pen;
};

static struct label choose_label(struct dice *dice, const struct parcel *parcel)
{
    const float  height = dice_between(dice, 0.52f, 0.68f) * parcel->height;
    const float  width = dice_between(dice, 0.66f, 0.84f) * parcel->width;
    const float  u = dice_between(dice, -0.5f, 0.5f) * (parcel->width - width - 6);
    const float  v = dice_between(dice, -0.5f, 0.5f) * (parcel->height - height - 6);
    const float  bright = dice_between(dice, 185, 250), dark = dice_between(dice, 10, 70);
    struct label label = {.pose = pose_on(parcel->pose, u, v), .width = width, .height = height};

    label.paper = (struct color){bright, bright * dice_between(dice, 0.96f, 1), 0};
    label.paper.b = bright * dice_between(dice, 0.88f, 1);
    label.pen = (struct color){dark, dark, dark + dice_between(dice, 0, 60)};
    return label;
}

/* The number, from the left, until the hand sees the paper end. */
static void write_number(struct scene *scene, const qk_image *sprites, struct dice *dice,
                         const struct label *label, float line)
{
    const float       height = fminf(36, dice_between(dice, 0.4f, 0.48f) * label->height);
    const uint32_t    wanted = 2 + dice_below(dice, 4);
    const struct pose pose = pose_on(label->pose, 0, line);
    float             at = -label->width / 2 + 7 + dice_between(dice, 0, 6);

    for (uint32_t i = 0; i < wanted && scene->digit_count < SCENE_MAX_DIGITS; i++) {
        if (at + height * 0.95f > label->width / 2 - 4)
            break;
        at = write_digit(scene, sprites, dice, pose, at, height, label->pen);
        at += dice_between(dice, 0.16f, 0.34f) * height;
    }
}

/* The label: paper with printed lines, a barcode or a rule, and the number by hand. */
static void stick_label(struct scene *scene, const qk_image *sprites, struct dice *dice,
                        const struct parcel *parcel)
{
    const struct label label = choose_label(dice, parcel);
    const struct color print = shade(label.paper, 0.5f);
    const float        left = -label.width / 2 + 6, bottom = label.height / 2 - 5,
                       bars = label.height * 0.16f;
    const bool         has_barcode = dice_chance(dice, 0.5f);

    paint_box(&scene->image, label.pose, label.width, label.height, label.paper);
    print_lines(&scene->image, dice, label.pose, left, -bottom, label.width * 0.5f,
                label.height > 50 ? 2 : 1, print);
    if (has_barcode)
        print_barcode(&scene->image, dice, label.pose, left, bottom - bars, label.width * 0.55f,
                      bars);
    else
        paint_stroke(&scene->image, label.pose, left, bottom, -left, bottom, 1.2f, print);
    write_number(scene, sprites, dice, &label, label.height * (has_barcode ? -0.05f : 0.05f));
}

static void put_parcel(struct scene *scene, const qk_image *sprites, struct dice *dice,
                       struct qk_rect cell)
{
    const float         tone = dice_between(dice, 0.75f, 1.1f),
                        turn = dice_between(dice, -0.1f, 0.1f);
    const float         x = cell.x + cell.width / 2 + dice_between(dice, -4, 4);
    const float         y = cell.y + cell.height / 2 + dice_between(dice, -4, 4);
    const float         wide = dice_between(dice, 0.8f, 0.93f),
                        high = dice_between(dice, 0.72f, 0.9f);
    const struct parcel parcel = {
        .pose = pose_at(x, y, turn),
        .width = cell.width * wide,
        .height = cell.height * high,
        .card = {176 * tone, 138 * tone, 96 * tone},
    };

    paint_shadow(&scene->image, pose_on(parcel.pose, 4, 5), parcel.width, parcel.height, 0.6f);
    paint_box(&scene->image, parcel.pose, parcel.width, parcel.height, shade(parcel.card, 0.72f));
    paint_box(&scene->image, parcel.pose, parcel.width - 3, parcel.height - 3, parcel.card);
    decorate(&scene->image, dice, &parcel);
    stick_label(scene, sprites, dice, &parcel);
}

/* One large parcel, two side by side, or up to four small ones. */
static void load_belt(struct scene *scene, const qk_image *sprites, struct dice *dice)
{
    const uint32_t columns = dice_chance(dice, 0.3f) ? 1 : 2;
    const uint32_t rows = columns == 1 || dice_chance(dice, 0.35f) ? 1 : 2;
    const float    width = SCENE_WIDTH / (float)columns, height = SCENE_HEIGHT / (float)rows;
    const uint32_t cells = columns * rows, always = dice_below(dice, cells);

    for (uint32_t cell = 0; cell < cells; cell++) {
        const struct qk_rect place = {(float)(cell % columns) * width,
                                      (float)(cell / columns) * height, width, height};

        if (cell == always || dice_chance(dice, 0.7f))
            put_parcel(scene, sprites, dice, place);
    }
}

/* --- The belt and the camera ------------------------------------------------------------------ */

/* Each camera looks at a belt of its own: color, rollers, scratches. */
static void paint_belt(qk_image *image, struct dice *camera, struct dice *dice)
{
    const float        tone = dice_between(camera, 46, 84), roller = dice_between(camera, 18, 34);
    const struct color belt = {tone * 0.9f, tone * dice_between(camera, 0.95f, 1.05f), tone * 1.1f};
    const float        moved = dice_between(dice, 0, roller);
    const struct pose  origin = pose_at(0, 0, 0);

    paint_box(image, pose_at(SCENE_WIDTH / 2, SCENE_HEIGHT / 2, 0), SCENE_WIDTH, SCENE_HEIGHT,
              belt);
    for (float x = -moved; x < SCENE_WIDTH; x += roller)
        paint_box(image, pose_at(x, SCENE_HEIGHT / 2, 0), 3, SCENE_HEIGHT, shade(belt, 0.7f));
    for (int scratch = 0; scratch < 6; scratch++) {
        const float x = dice_between(camera, 0, SCENE_WIDTH),
                    y = dice_between(camera, 0, SCENE_HEIGHT);
        const float to_x = x + dice_between(camera, -30, 30),
                    to_y = y + dice_between(camera, -12, 12);

        paint_stroke(image, origin, x, y, to_x, to_y, 1, shade(belt, 1.3f));
    }
}

/* Light that falls off to one side, and a sensor's noise. */
static void take_picture(qk_image *image, struct dice *camera, struct dice *dice)
{
    const float lean_x = dice_between(camera, -0.16f, 0.16f),
                lean_y = dice_between(camera, -0.16f, 0.16f);
    const float gain = dice_between(dice, 0.85f, 1.05f), noise = dice_between(dice, 1, 7);
    uint8_t    *pixel = image->pixels;

    for (uint32_t y = 0; y < image->height; y++)
        for (uint32_t x = 0; x < image->width; x++) {
            const float light =
                gain
                * (1 + lean_x * ((float)x / SCENE_WIDTH - 0.5f)
                   + lean_y * ((float)y / SCENE_HEIGHT - 0.5f));
            const float grain = noise * dice_noise(dice);

            for (int channel = 0; channel < 3; channel++, pixel++)
                *pixel = (uint8_t)fminf(255, fmaxf(0, (float)*pixel * light + grain + 0.5f));
        }
}

qk_status scene_draw(const qk_image *sprites, uint64_t seed, uint32_t camera, uint32_t sequence,
                     struct scene *out_scene, struct qk_error *error)
{
    struct dice  own = dice_for(seed, camera), dice = dice_for(own.state, 1 + (uint64_t)sequence);
    struct scene scene = {0};

    if (sprites->channels != 1 || sprites->height != 10 * SPRITE_SIDE
        || sprites->width < SPRITE_SIDE || sprites->width % SPRITE_SIDE != 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "sheet of digits: not gray with ten rows of 8x8 pictures");
    if (qk_image_create(SCENE_WIDTH, SCENE_HEIGHT, 3, &scene.image) != QK_OK)
        return qk_error_set(error, QK_NO_MEMORY, "frame of camera %u: out of memory", camera);

    paint_belt(&scene.image, &own, &dice);
    load_belt(&scene, sprites, &dice);
    take_picture(&scene.image, &own, &dice);
    *out_scene = scene;
    return QK_OK;
}

void scene_fini(struct scene *scene)
{
    qk_image_fini(&scene->image);
    scene->digit_count = 0;
}
