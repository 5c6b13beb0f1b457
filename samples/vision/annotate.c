/* SPDX-License-Identifier: Apache-2.0 */
/*
 * annotate.c - a rectangle's outline, and a label above it in letters of 5x7 dots.
 *
 * Line width and letters grow with the picture, so that a box on a large photograph is
 * seen in a small preview.
 */
#include "annotate.h"

#include <ctype.h>
#include <string.h>

#define GLYPH_WIDTH  5
#define GLYPH_HEIGHT 7
#define ENOUGH       480    /* a picture whose shorter side has fewer pixels is enlarged */

struct glyph {
    char    letter;
    uint8_t columns[GLYPH_WIDTH];    /* left to right, the lowest bit on top */
};

static const struct glyph glyphs[] = {
    {'0', {0x3e, 0x51, 0x49, 0x45, 0x3e}}, {'1', {0x00, 0x42, 0x7f, 0x40, 0x00}},
    {'2', {0x42, 0x61, 0x51, 0x49, 0x46}}, {'3', {0x21, 0x41, 0x45, 0x4b, 0x31}},
    {'4', {0x18, 0x14, 0x12, 0x7f, 0x10}}, {'5', {0x27, 0x45, 0x45, 0x45, 0x39}},
    {'6', {0x3c, 0x4a, 0x49, 0x49, 0x30}}, {'7', {0x01, 0x71, 0x09, 0x05, 0x03}},
    {'8', {0x36, 0x49, 0x49, 0x49, 0x36}}, {'9', {0x06, 0x49, 0x49, 0x29, 0x1e}},
    {'A', {0x7e, 0x11, 0x11, 0x11, 0x7e}}, {'B', {0x7f, 0x49, 0x49, 0x49, 0x36}},
    {'C', {0x3e, 0x41, 0x41, 0x41, 0x22}}, {'D', {0x7f, 0x41, 0x41, 0x22, 0x1c}},
    {'E', {0x7f, 0x49, 0x49, 0x49, 0x41}}, {'F', {0x7f, 0x09, 0x09, 0x09, 0x01}},
    {'G', {0x3e, 0x41, 0x49, 0x49, 0x7a}}, {'H', {0x7f, 0x08, 0x08, 0x08, 0x7f}},
    {'I', {0x00, 0x41, 0x7f, 0x41, 0x00}}, {'J', {0x20, 0x40, 0x41, 0x3f, 0x01}},
    {'K', {0x7f, 0x08, 0x14, 0x22, 0x41}}, {'L', {0x7f, 0x40, 0x40, 0x40, 0x40}},
    {'M', {0x7f, 0x02, 0x0c, 0x02, 0x7f}}, {'N', {0x7f, 0x04, 0x08, 0x10, 0x7f}},
    {'O', {0x3e, 0x41, 0x41, 0x41, 0x3e}}, {'P', {0x7f, 0x09, 0x09, 0x09, 0x06}},
    {'Q', {0x3e, 0x41, 0x51, 0x21, 0x5e}}, {'R', {0x7f, 0x09, 0x19, 0x29, 0x46}},
    {'S', {0x46, 0x49, 0x49, 0x49, 0x31}}, {'T', {0x01, 0x01, 0x7f, 0x01, 0x01}},
    {'U', {0x3f, 0x40, 0x40, 0x40, 0x3f}}, {'V', {0x1f, 0x20, 0x40, 0x20, 0x1f}},
    {'W', {0x3f, 0x40, 0x38, 0x40, 0x3f}}, {'X', {0x63, 0x14, 0x08, 0x14, 0x63}},
    {'Y', {0x07, 0x08, 0x70, 0x08, 0x07}}, {'Z', {0x61, 0x51, 0x49, 0x45, 0x43}},
    {'%', {0x23, 0x13, 0x08, 0x64, 0x62}}, {'.', {0x00, 0x60, 0x60, 0x00, 0x00}},
    {'-', {0x08, 0x08, 0x08, 0x08, 0x08}}, {':', {0x00, 0x36, 0x36, 0x00, 0x00}},
};

/* NULL for a letter that has no dots, a blank first of all. */
static const struct glyph *glyph_of(char letter)
{
    const char wanted = (char)toupper((unsigned char)letter);

    for (size_t i = 0; i < sizeof glyphs / sizeof glyphs[0]; i++)
        if (glyphs[i].letter == wanted)
            return &glyphs[i];
    return NULL;
}

/* A copy in RGB, each pixel becoming factor x factor. */
static qk_status copy_enlarged(const qk_image *image, uint32_t factor, qk_image *out_copy)
{
    qk_status status = qk_image_create(image->width * factor, image->height * factor, 3, out_copy);

    if (status != QK_OK)
        return status;
    for (size_t y = 0; y < out_copy->height; y++)
        for (size_t x = 0; x < out_copy->width; x++) {
            const size_t   from = (y / factor * image->width + x / factor) * image->channels;
            const uint8_t *pixel = image->pixels + from;
            uint8_t       *to = out_copy->pixels + (y * out_copy->width + x) * 3;

            for (uint32_t channel = 0; channel < 3; channel++)
                to[channel] = pixel[image->channels == 3 ? channel : 0];
        }
    return QK_OK;
}

static int within(float value, uint32_t limit)
{
    return value < 0 ? 0 : value > (float)limit ? (int)limit : (int)value;
}

static void fill(qk_image *image, float left, float top, float width, float height,
                 const uint8_t color[3])
{
    const int right = within(left + width, image->width),
              bottom = within(top + height, image->height);

    for (int y = within(top, image->height); y < bottom; y++)
        for (int x = within(left, image->width); x < right; x++)
            memcpy(image->pixels + ((size_t)y * image->width + (size_t)x) * 3, color, 3);
}

static void outline(qk_image *image, struct qk_rect box, float line, const uint8_t color[3])
{
    fill(image, box.x - line, box.y - line, box.width + 2 * line, line, color);
    fill(image, box.x - line, box.y + box.height, box.width + 2 * line, line, color);
    fill(image, box.x - line, box.y, line, box.height, color);
    fill(image, box.x + box.width, box.y, line, box.height, color);
}

static void write_label(qk_image *image, float left, float top, float dot, const char *label,
                        const uint8_t color[3])
{
    const float width = ((float)strlen(label) * (GLYPH_WIDTH + 1) + 1) * dot;
    /* Dark letters on a bright tag and bright ones on a dark tag. */
    const bool    is_bright = 2 * color[0] + 5 * color[1] + color[2] > 1000;
    const uint8_t ink = is_bright ? 0 : 255, letters[3] = {ink, ink, ink};

    fill(image, left, top, width, (GLYPH_HEIGHT + 2) * dot, color);
    for (left += dot; *label != '\0'; label++, left += (GLYPH_WIDTH + 1) * dot) {
        const struct glyph *glyph = glyph_of(*label);

        for (int x = 0; glyph != NULL && x < GLYPH_WIDTH; x++)
            for (int y = 0; y < GLYPH_HEIGHT; y++)
                if (glyph->columns[x] >> y & 1)
                    fill(image, left + (float)x * dot, top + (float)(y + 1) * dot, dot, dot,
                         letters);
    }
}

qk_status annotate(const qk_image *image, const struct annotation *annotations, size_t count,
                   qk_image *out_image)
{
    const uint32_t shorter = image->width < image->height ? image->width : image->height;
    const uint32_t factor =
        shorter >= ENOUGH || shorter == 0 ? 1 : (ENOUGH + shorter - 1) / shorter;
    const float    dot = (float)(shorter * factor / ENOUGH + 1);
    qk_image       copy = {0};
    qk_status      status = copy_enlarged(image, factor, &copy);

    if (status != QK_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        const struct annotation *item = &annotations[i];
        struct qk_rect           box = item->box;

        box.x *= (float)factor, box.y *= (float)factor, box.width *= (float)factor,
            box.height *= (float)factor;
        outline(&copy, box, dot, item->color);
        if (item->label[0] != '\0') {
            const float above = box.y - (GLYPH_HEIGHT + 3) * dot;

            write_label(&copy, box.x - dot, above >= 0 ? above : box.y + box.height + dot, dot,
                        item->label, item->color);
        }
    }
    *out_image = copy;
    return QK_OK;
}
