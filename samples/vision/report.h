/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - a run as one page of HTML that needs no other file, and as a table for the
 * terminal. Pure; any thread.
 */
#ifndef VISION_REPORT_H
#define VISION_REPORT_H

#include "record.h"

/* The page, light or dark as the reader's system is. The caller's to free(). QK_NO_MEMORY. */
qk_status report_html(const struct record *record, char **out_html, size_t *out_size);

/*
 * The same in short, plain text of at most 100 columns, for the end of a run. The caller's
 * to free(). QK_NO_MEMORY.
 */
qk_status report_table(const struct record *record, char **out_text);

#endif
