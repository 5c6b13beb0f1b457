/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fallback.c - the book of fallbacks: each is counted, and each device and reason is said once in
 * the log, so that a thousand actors without a device are one line and not a thousand.
 */
#include "host/model/residency.h"

#include "base/memory.h"

#include <stdio.h>

/* True the first time. Without memory for the note it is said again, which is better than never. */
static bool is_news(struct qk__models *models, const char *device, qk_status status)
{
    char name[160];

    snprintf(name, sizeof name, "%s %d", device, (int)status);
    if (qk__map_get(&models->told, name) != NULL)
        return false;
    (void)qk__map_put(&models->told, name, models);
    return true;
}

void qk__models_note_fallback(struct qk__models *models, const char *device, const char *model,
                              const struct qk_error *why)
{
    bool news;

    pthread_mutex_lock(&models->fallback_lock);
    if (models->fallback_count++ == 0)
        snprintf(models->first_reason, sizeof models->first_reason, "%s", why->text);
    news = is_news(models, device, why->status);
    pthread_mutex_unlock(&models->fallback_lock);
    if (news)
        qk__log(qk__host_log(models->host), QK__LOG_WARN, "model", "%s goes on on the CPU: %s",
                model, why->text);
}

uint64_t qk_host_fallbacks(const qk_host *host, char *out_first_reason, size_t size)
{
    struct qk__models *models = qk__host_models(host);
    uint64_t           count;

    pthread_mutex_lock(&models->fallback_lock);
    count = models->fallback_count;
    if (size > 0)
        snprintf(out_first_reason, size, "%s", models->first_reason);
    pthread_mutex_unlock(&models->fallback_lock);
    return count;
}
