/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find.c - local threshold, connected marks, and those that could be digits.
 *
 * (1) A pixel is ink when it is clearly darker than the mean around it, so light
 *     may vary over the picture.
 * (2) Ink that touches, corners included, is one mark.
 * (3) A mark is kept when its size and proportions may be a digit's. A digit broken in two is
 *     proposed once more as a whole: two marks above each other that together have a digit's
 *     proportions are a third. A bar among bars looks just like a 1, so barcodes are left out here:
 *     the reader sees one mark at a time and could not tell.
 */
#include "find.h"

#include <stdlib.h>
#include <string.h>

#define DARKER    0.18f    /* ink is below the mean around it by this share, */
#define AT_LEAST  22       /* and by so many levels: a shadow on something dark is not ink */
#define MARGIN    0.14f    /* of the larger side, on each side; the reader is trained with it */
#define MIN_SIDE  12       /* pixels: with its margin less than the 16 that the reader sees */
#define MAX_MARKS 4096     /* looked at before proportions are judged */

struct mark {
    int    left, top, right, bottom;    /* right and bottom exclusive */
    size_t area;
};

struct field {
    uint32_t  width, height;
    uint8_t  *gray;
    uint8_t  *ink;      /* 1: ink not yet in a mark */
    uint32_t *stack;    /* of pixels to visit */
};

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int most(int a, int b)
{
    return a > b ? a : b;
}

static void to_gray(const qk_image *image, uint8_t *gray)
{
    const size_t count = (size_t)image->width * image->height;

    if (image->channels == 1) {
        memcpy(gray, image->pixels, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *pixel = image->pixels + 3 * i;

        gray[i] = (uint8_t)((77 * pixel[0] + 150 * pixel[1] + 29 * pixel[2]) >> 8);
    }
}

/*
 * sums[(y + 1) * (width + 1) + x + 1] is the sum of all pixels above and left of
 * (x, y), itself included.
 */
static void sum_table(const struct field *field, uint64_t *sums)
{
    const size_t stride = (size_t)field->width + 1;

    memset(sums, 0, stride * sizeof *sums);
    for (size_t y = 0; y < field->height; y++) {
        uint64_t row = 0;

        sums[(y + 1) * stride] = 0;
        for (size_t x = 0; x < field->width; x++) {
            row += field->gray[y * field->width + x];
            sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1] + row;
        }
    }
}

static void mark_ink(struct field *field, const uint64_t *sums)
{
    const uint32_t shorter = field->width < field->height ? field->width : field->height;
    const uint32_t reach = shorter / 14 < 8 ? 8 : shorter / 14;
    const size_t   stride = (size_t)field->width + 1;

    for (uint32_t y = 0; y < field->height; y++) {
        const size_t top = y > reach ? y - reach : 0;
        const size_t bottom = y + reach + 1 < field->height ? y + reach + 1 : field->height;

        for (uint32_t x = 0; x < field->width; x++) {
            const size_t   left = x > reach ? x - reach : 0;
            const size_t   right = x + reach + 1 < field->width ? x + reach + 1 : field->width;
            const uint64_t sum = sums[bottom * stride + right] - sums[top * stride + right]
                                 - sums[bottom * stride + left] + sums[top * stride + left];
            const float  mean = (float)sum / (float)((bottom - top) * (right - left));
            const size_t at = (size_t)y * field->width + x;

            field->ink[at] = mean - (float)field->gray[at]
                             > (DARKER * mean > AT_LEAST ? DARKER * mean : AT_LEAST);
        }
    }
}

/* Takes all ink connected to pixel `start` off the field and answers what it spans. */
static struct mark take_mark(struct field *field, uint32_t start)
{
    const int   width = (int)field->width, height = (int)field->height;
    struct mark mark = {width, height, 0, 0, 0};
    size_t      waiting = 0;

    field->ink[start] = 0;
    field->stack[waiting++] = start;
    while (waiting > 0) {
        const uint32_t at = field->stack[--waiting];
        const int      x = (int)(at % field->width), y = (int)(at / field->width);

        mark.left = least(mark.left, x);
        mark.top = least(mark.top, y);
        mark.right = most(mark.right, x + 1);
        mark.bottom = most(mark.bottom, y + 1);
        mark.area++;
        for (int ny = y > 0 ? y - 1 : 0; ny <= y + 1 && ny < height; ny++)
            for (int nx = x > 0 ? x - 1 : 0; nx <= x + 1 && nx < width; nx++) {
                const uint32_t next = (uint32_t)ny * field->width + (uint32_t)nx;

                if (field->ink[next]) {
                    field->ink[next] = 0;
                    field->stack[waiting++] = next;
                }
            }
    }
    return mark;
}

static bool could_be_digit(const struct mark *mark, const struct field *field)
{
    const int   width = mark->right - mark->left, height = mark->bottom - mark->top;
    const float filled = (float)mark->area / ((float)width * (float)height);

    return height >= MIN_SIDE && height <= (int)field->height / 2 && width * 10 <= height * 15
           && width * 5 >= height && width >= 2 && filled > 0.1f && filled < 0.92f;
}

static struct mark united(const struct mark *a, const struct mark *b)
{
    return (struct mark){least(a->left, b->left), least(a->top, b->top), most(a->right, b->right),
                         most(a->bottom, b->bottom), a->area + b->area};
}

/*
 * Whether two marks may be the upper and lower part of one digit: above each other,
 * near, and about as wide.
 */
static bool are_halves(const struct mark *a, const struct mark *b)
{
    const int shared = least(a->right, b->right) - most(a->left, b->left);
    const int apart = most(a->top, b->top) - least(a->bottom, b->bottom);
    const int a_width = a->right - a->left, a_height = a->bottom - a->top;
    const int b_width = b->right - b->left, b_height = b->bottom - b->top;

    return shared * 2 >= least(a_width, b_width)
           && least(a_width, b_width) * 3 >= most(a_width, b_width)
           && apart <= most(a_height, b_height) / 5 + 1
           && least(a_height, b_height) * 5 >= most(a_height, b_height)
           && least(a_height, b_height) >= 3;
}

static bool is_thin(const struct mark *mark)
{
    return (mark->right - mark->left) * 2 < mark->bottom - mark->top;
}

/*
 * Whether a mark is one bar of a barcode or grille: three more thin ones stand close
 * beside it, as high as it.
 */
static bool is_bar(const struct mark *all, size_t count, size_t index)
{
    const struct mark *mark = &all[index];
    const int          height = mark->bottom - mark->top;
    int                alike = 0;

    if (!is_thin(mark))
        return false;
    for (size_t i = 0; i < count && alike < 3; i++) {
        const struct mark *other = &all[i];
        const bool         is_level = abs(other->top - mark->top) * 3 <= height
                                      && abs(other->bottom - mark->bottom) * 3 <= height;
        const bool is_near = abs(other->left - mark->left) <= 2 * height;

        alike += i != index && is_level && is_near && is_thin(other);
    }
    return alike == 3;
}

static void propose(struct find_marks *marks, const struct mark *mark)
{
    if (marks->count == FIND_MAX_MARKS) {
        marks->left_out++;
        return;
    }
    marks->boxes[marks->count++] =
        (struct qk_rect){(float)mark->left, (float)mark->top, (float)(mark->right - mark->left),
                         (float)(mark->bottom - mark->top)};
}

static size_t collect(struct field *field, struct mark *all)
{
    const uint32_t pixels = field->width * field->height;
    size_t         count = 0;

    for (uint32_t at = 0; at < pixels && count < MAX_MARKS; at++) {
        if (!field->ink[at])
            continue;
        all[count] = take_mark(field, at);
        count += all[count].area >= 8;
    }
    return count;
}

static void judge(const struct field *field, const struct mark *all, size_t count,
                  struct find_marks *out_marks)
{
    for (size_t i = 0; i < count; i++) {
        if (could_be_digit(&all[i], field) && !is_bar(all, count, i))
            propose(out_marks, &all[i]);
        /* Marks come by their topmost row, so a partner that begins far below ends the search. */
        for (size_t j = i + 1; j < count && all[j].top <= all[i].bottom + (int)field->height / 8;
             j++) {
            const struct mark both = united(&all[i], &all[j]);

            if (are_halves(&all[i], &all[j]) && could_be_digit(&both, field))
                propose(out_marks, &both);
        }
    }
}

qk_status find_marks(const qk_image *image, struct find_marks *out_marks)
{
    const size_t pixels = (size_t)image->width * image->height;
    struct field field = {image->width, image->height, malloc(pixels), malloc(pixels),
                          malloc(pixels * sizeof(uint32_t))};
    uint64_t    *sums =
        malloc(((size_t)image->width + 1) * ((size_t)image->height + 1) * sizeof *sums);
    struct mark *all = malloc((MAX_MARKS + 1) * sizeof *all);
    qk_status    status = QK_NO_MEMORY;

    if (field.gray != NULL && field.ink != NULL && field.stack != NULL && sums != NULL
        && all != NULL) {
        *out_marks = (struct find_marks){.count = 0};
        to_gray(image, field.gray);
        sum_table(&field, sums);
        mark_ink(&field, sums);
        judge(&field, all, collect(&field, all), out_marks);
        status = QK_OK;
    }
    free(all);
    free(sums);
    free(field.stack);
    free(field.ink);
    free(field.gray);
    return status;
}

struct qk_rect find_region(struct qk_rect ink)
{
    const float side = (ink.width > ink.height ? ink.width : ink.height) * (1 + 2 * MARGIN);

    return (struct qk_rect){ink.x + (ink.width - side) / 2, ink.y + (ink.height - side) / 2, side,
                            side};
}
