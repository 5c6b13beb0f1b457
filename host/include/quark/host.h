/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.h - a host of virtual actors: create, register types, start, stop.
 *
 *     create --> register types and models --> start --> (calls from anywhere) --> stop --> destroy
 *
 * A host owns its workers, devices, store and streams. No global state: two hosts live in one
 * process.
 */
#ifndef QUARK_HOST_H
#define QUARK_HOST_H

#include "quark/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct qk_host qk_host;    /* opaque; qk_host_create() makes one */

struct qk_host_opts {
    /* Set by qk_host_opts_init(), so that old callers keep working */
    size_t      size;
    const char *name;                 /* in logs and status; NULL: "quark" */
    uint32_t    worker_count;         /* 0: one for each core in the cpuset */
    bool        no_pinning;           /* workers stay unpinned */
    /* Deactivate after this long without a message, unless the type says; 0: 15 min */
    uint64_t    idle_timeout_ns;
    uint64_t    call_timeout_ns;      /* deadline of calls that name none; 0: 30 s */
    /* LMDB files; NULL: state is kept in memory and lost at the end */
    const char *state_folder;
    uint64_t    state_max_bytes;      /* size of the store's map; 0: 1 GiB */
    const char *cache_folder;         /* compiled device programs; NULL: none are kept */
    bool        no_opencl;            /* never look for OpenCL devices */
    /* YAML machine description with simulated devices; NULL: none */
    const char *simulate_file;
    /* Limit on each device but the CPU, to emulate a small one; 0: what it has */
    uint64_t    device_memory_bytes;
    int         log_fd;               /* 0: standard error; -1: no log */
    bool        log_debug;
    /* A model that nobody uses leaves its device after this long; 0: when its memory is wanted */
    uint64_t    model_keep_ns;
    /* How many dead letters are kept, see dead_letter.h; 0: 10 000 */
    uint32_t    dead_letters;
    /* Keeps them in the state folder too, beyond the end of the host */
    bool        dead_letters_durable;
    bool        no_profile;           /* turns are counted, but none is timed: see profiling.md */
    /* A handler that holds its worker so long is named in the log; 0: 250 ms; UINT64_MAX: never */
    uint64_t    stall_ns;
    /*
     * Memory for activations: their self, and what the host keeps beside it (not state in a store,
     * nor models). Beyond it actors at rest are deactivated, those unused for longest first; 0: no
     * limit. Soft: an actor that is called is activated all the same.
     */
    uint64_t    memory_limit_bytes;
    /* Messages take a context along (context.h) also when there are no filters */
    bool        carry_context;
    /* Append only. Zero always means today's behaviour. */
};

#define qk_host_opts_init(opts) qk_host_opts_init_sized((opts), sizeof *(opts))
QK_API void qk_host_opts_init_sized(struct qk_host_opts *opts, size_t size);

/*
 * Makes a stopped host, the caller's until qk_host_destroy(). `opts` is copied; NULL: defaults.
 * Opens devices and the store. QK_INVALID_ARGUMENT, QK_NO_MEMORY, QK_PERMISSION_DENIED and others
 * of the store, each with a sentence that names the file. Thread: any. Blocks while devices open.
 */
QK_API qk_status qk_host_create(const struct qk_host_opts *opts, qk_host **out_host,
                                struct qk_error *error);

/*
 * Starts workers. From here on actors can be called. QK_FAILED_PRECONDITION when it was
 * started before. Blocks briefly.
 */
QK_API qk_status qk_host_start(qk_host *host, struct qk_error *error);

/*
 * Refuses new calls from outside with QK_UNAVAILABLE, lets admitted work finish until `drain_ns`
 * has passed (0: 30 s), then deactivates every actor and stops the workers. QK_DEADLINE_EXCEEDED
 * when work was cut off. Thread: none of the host's own. Blocks.
 */
QK_API qk_status qk_host_stop(qk_host *host, uint64_t drain_ns);

/* Frees a host that is stopped or was never started. NULL is fine. */
QK_API void qk_host_destroy(qk_host *host);

/*
 * Asks whoever runs the host to stop it, as Ctrl-C does: `quark serve` watches.
 * Thread: any. Never blocks.
 */
QK_API void qk_host_request_stop(qk_host *host, int exit_code);

/*
 * Waits for qk_host_request_stop(), at most `timeout_ns` (UINT64_MAX: for ever).
 * QK_DEADLINE_EXCEEDED. Thread: not a worker. Blocks.
 */
QK_API qk_status qk_host_wait_stop(qk_host *host, uint64_t timeout_ns, int *out_exit_code);

/* One line in the host's log. `source` is a short name without spaces. Thread: any. */
QK_API void qk_host_log(qk_host *host, const char *source, const char *format, ...) QK_PRINTF(3, 4);

#endif
