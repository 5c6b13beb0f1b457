/* SPDX-License-Identifier: Apache-2.0 */
/*
 * placement.c - see placement.h.
 *
 * Candidates are the devices that are up, fit the need and have room. Each is priced in nanoseconds
 * until the next inference would be done there: work ahead of it, its run time, and, where the
 * model is not resident, the load. A term that nobody has measured yet is zero for all alike, so
 * that an unknown device is tried rather than shunned.
 */
#include "scheduler/placement.h"

#include "base/memory.h"
#include "scheduler/cost_model.h"

#include <inttypes.h>
#include <stdio.h>

struct qk__placement {
    qk__device_set            *devices;
    struct qk_placement_policy policy;
    qk__cost_model            *costs;
};

static int choose_least_cost(void *arg, const struct qk_placement_candidate *candidates,
                             size_t count)
{
    size_t best = 0;

    (void)arg;
    for (size_t i = 1; i < count; i++) {
        if (candidates[i].cost_ns < candidates[best].cost_ns)
            best = i;
    }
    return (int)best;
}

qk_status qk__placement_create(qk__device_set *devices, const struct qk_placement_policy *policy,
                               qk__placement **out_placement)
{
    static const struct qk_placement_policy least_cost = {
        .size = sizeof least_cost, .name = "least-cost", .choose = choose_least_cost};
    qk__placement *placement = qk__alloc_zero(sizeof *placement);
    qk_status      status;

    if (placement == NULL)
        return QK_NO_MEMORY;
    status = qk__cost_model_create(&placement->costs);
    if (status != QK_OK) {
        qk__free(placement);
        return status;
    }
    placement->devices = devices;
    placement->policy = policy != NULL ? *policy : least_cost;
    *out_placement = placement;
    return QK_OK;
}

void qk__placement_destroy(qk__placement *placement)
{
    if (placement == NULL)
        return;
    qk__cost_model_destroy(placement->costs);
    qk__free(placement);
}

static bool is_native_cpu(const qk__device *device)
{
    return qk__device_info(device)->kind == QK_DEVICE_CPU;
}

/* Time for what is submitted there: each piece as long as pieces there took until now. */
static uint64_t queue_ns(const qk__device *device)
{
    struct qk__device_usage usage;
    uint64_t                pieces;

    qk__device_usage(device, &usage);
    pieces = usage.launches + usage.uploads + usage.downloads;
    return pieces == 0 ? 0 : usage.busy_ns / pieces * usage.in_flight;
}

static void price_load(qk__placement *placement, const char *model,
                       struct qk_placement_candidate *candidate)
{
    double bytes_per_s;

    if (candidate->is_resident)
        return;
    if (qk__cost_model_load_ns(placement->costs, model, candidate->device_id,
                               &candidate->cold_ns) == QK_OK)
        return;    /* the measured load has the transfer in it */
    if (qk__cost_model_bytes_per_s(placement->costs, candidate->device_id, &bytes_per_s) == QK_OK)
        candidate->transfer_ns = (uint64_t)((double)candidate->needed_bytes * 1e9 / bytes_per_s);
}

static void price(qk__placement *placement, const struct qk__placement_request *request,
                  qk__device *device, struct qk_placement_candidate *candidate)
{
    const struct qk_device_info *info = qk__device_info(device);
    qk__ledger                  *ledger = qk__device_ledger(device);
    const uint64_t               limit = qk__ledger_limit(ledger), used = qk__ledger_used(ledger);

    *candidate = (struct qk_placement_candidate){
        .size = sizeof *candidate,
        .device_id = info->id,
        .is_cpu = is_native_cpu(device),
        .is_resident = request->is_resident != NULL && request->is_resident(request->arg, device),
        .numa_node = qk__device_numa_node(device),
        .free_bytes = limit > used ? limit - used : 0,
        .queue_ns = queue_ns(device),
    };
    candidate->needed_bytes = candidate->is_resident ? 0 : request->model_bytes;
    candidate->run_is_measured = qk__cost_model_run_ns(placement->costs, request->model, info->id,
                                                       &candidate->run_ns) == QK_OK;
    price_load(placement, request->model, candidate);
    candidate->cost_ns =
        candidate->queue_ns + candidate->run_ns + candidate->transfer_ns + candidate->cold_ns;
}

/* How the search went, for the sentence when it found nothing. */
struct search {
    size_t   suitable, down, full;
    uint64_t largest_free_bytes;
};

static bool is_suitable(enum qk__device_need need, const qk__device *device)
{
    return need == QK__NEED_NONE ? is_native_cpu(device) : !is_native_cpu(device);
}

/*
 * Fills in the candidates among the devices that the need allows; devices[i] goes with
 * candidates[i].
 */
static void gather(qk__placement *placement, const struct qk__placement_request *request,
                   struct qk__placement_result *result, qk__device **devices, struct search *search)
{
    for (size_t i = 0;
         i < qk__device_count(placement->devices) && result->candidate_count < QK__PLACEMENT_MAX;
         i++) {
        qk__device                    *device = qk__device_at(placement->devices, i);
        struct qk_placement_candidate *candidate = &result->candidates[result->candidate_count];

        if (!is_suitable(request->need, device))
            continue;
        search->suitable++;
        if (!qk__device_is_up(device)) {
            search->down++;
            continue;
        }
        price(placement, request, device, candidate);
        if (candidate->free_bytes < candidate->needed_bytes) {
            search->full++;
            if (candidate->free_bytes > search->largest_free_bytes)
                search->largest_free_bytes = candidate->free_bytes;
            continue;
        }
        devices[result->candidate_count++] = device;
    }
}

static qk_status refuse(const struct qk__placement_request *request, const struct search *search,
                        struct qk_error *error)
{
    if (search->suitable == 0)
        return qk_error_set(error, QK_NO_DEVICE, "%s: no device but the CPU", request->model);
    if (search->full == 0)
        return qk_error_set(error, QK_NO_DEVICE, "%s: all %zu devices are down", request->model,
                            search->down);
    return qk_error_set(error, QK_NO_DEVICE_MEMORY,
                        "%s: needs %" PRIu64 " bytes, no device has more than %" PRIu64 " free",
                        request->model, request->model_bytes, search->largest_free_bytes);
}

static void fall_back(qk__placement *placement, const struct qk__placement_request *request,
                      struct qk__placement_result *result, const struct qk_error *why)
{
    result->device = qk__device_cpu(placement->devices);
    price(placement, request, result->device, &result->candidates[0]);
    result->candidate_count = 1;
    result->chosen = 0;
    result->is_fallback = true;
    snprintf(result->reason, sizeof result->reason, "%.*s", (int)sizeof result->reason - 1,
             why->text);
}

static qk_status choose(qk__placement *placement, struct qk__placement_result *result,
                        qk__device *const *devices, struct qk_error *error)
{
    const int chosen = placement->policy.choose(placement->policy.arg, result->candidates,
                                                result->candidate_count);

    if (chosen < 0)
        return qk_error_set(error, (qk_status)chosen, "policy %s refused", placement->policy.name);
    if ((size_t)chosen >= result->candidate_count)
        return qk_error_set(error, QK_INTERNAL, "policy %s chose candidate %d of %zu",
                            placement->policy.name, chosen, result->candidate_count);
    result->chosen = (size_t)chosen;
    result->device = devices[chosen];
    snprintf(result->reason, sizeof result->reason, "%s: %s, %.3f ms expected",
             placement->policy.name,
             result->candidates[chosen].is_resident ? "resident" : "to be loaded",
             (double)result->candidates[chosen].cost_ns / 1e6);
    return QK_OK;
}

qk_status qk__placement_choose(qk__placement *placement,
                               const struct qk__placement_request *request,
                               struct qk__placement_result *out_result, struct qk_error *error)
{
    struct qk__placement_result result = {0};
    struct search               search = {0};
    struct qk_error             why = {0};
    qk__device                 *devices[QK__PLACEMENT_MAX];
    qk_status                   status;

    gather(placement, request, &result, devices, &search);
    if (result.candidate_count > 0) {
        status = choose(placement, &result, devices, error);
    } else {
        status = refuse(request, &search, &why);
        if (request->need == QK__NEED_PREFERRED) {
            fall_back(placement, request, &result, &why);
            status = QK_OK;
        } else if (error != NULL) {
            *error = why;
        }
    }
    if (status == QK_OK)
        *out_result = result;
    return status;
}

void qk__placement_observe_run(qk__placement *placement, const char *model, qk__device *device,
                               uint64_t run_ns)
{
    qk__cost_model_observe_run(placement->costs, model, qk__device_info(device)->id, run_ns);
}

void qk__placement_observe_load(qk__placement *placement, const char *model, qk__device *device,
                                uint64_t bytes, uint64_t load_ns)
{
    qk__cost_model_observe_load(placement->costs, model, qk__device_info(device)->id, bytes,
                                load_ns);
}
