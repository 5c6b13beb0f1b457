/* SPDX-License-Identifier: Apache-2.0 */
/* coroutine.c - see coroutine.h. */
#include "scheduler/coroutine.h"

#include "base/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

/*
 * Boost.Context's C symbols. Its headers are C++, so they are declared here; they have not changed
 * since 1.61.
 */
struct transfer {
    void *context;    /* where the one that was left goes on */
    void *data;
};
extern struct transfer jump_fcontext(void *to, void *data);
extern void           *make_fcontext(void *high, size_t bytes, void (*entry)(struct transfer from));

/* Sanitizers make frames several times as large. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FRAME_FACTOR 4
#else
#define FRAME_FACTOR 1
#endif

/* More than one, as a function with a large frame may reach over one page; they take no memory. */
#define GUARD_PAGES 4u

static void asan_leave(struct qk__coroutine *from, const struct qk__coroutine *to)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&from->asan_frames, to->asan_low, to->asan_bytes);
#else
    (void)from;
    (void)to;
#endif
}

/*
 * Also learns the bounds of the stack that was left: of a thread's own stack nobody else tells
 * them.
 */
static void asan_arrive(struct qk__coroutine *here, struct qk__coroutine *left)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(here->asan_frames, &left->asan_low, &left->asan_bytes);
#else
    (void)here;
    (void)left;
#endif
}

static void tsan_switch(const struct qk__coroutine *to)
{
#ifdef __SANITIZE_THREAD__
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
#else
    (void)to;
#endif
}

/* What a switch carries over. */
struct passage {
    struct qk__coroutine *from, *to;
};

static void arrive(struct transfer transfer, struct qk__coroutine *here)
{
    struct qk__coroutine *left = ((struct passage *)transfer.data)->from;

    left->context = transfer.context;
    asan_arrive(here, left);
    qk__worker_landed();
}

static void first_arrival(struct transfer transfer)
{
    struct qk__coroutine *here = ((struct passage *)transfer.data)->to;

    arrive(transfer, here);
    here->entry();
    __builtin_trap();    /* a loop never returns */
}

void qk__coroutine_switch(struct qk__coroutine *from, struct qk__coroutine *to)
{
    struct passage passage = {from, to};

    asan_leave(from, to);
    tsan_switch(to);
    arrive(jump_fcontext(to->context, &passage), from);
}

struct qk__coroutine *qk__coroutine_create(size_t stack_bytes, void (*entry)(void))
{
    const size_t          page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t          guard = GUARD_PAGES * page;
    const size_t          wanted = stack_bytes * FRAME_FACTOR + sizeof(struct qk__coroutine);
    const size_t          usable = (wanted + page - 1) / page * page;
    struct qk__coroutine *self;
    char                 *mapping;

    mapping = mmap(NULL, usable + guard, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED)
        return NULL;
    if (mprotect(mapping, guard, PROT_NONE) != 0) {
        munmap(mapping, usable + guard);
        return NULL;
    }
    self =
        (struct qk__coroutine *)(void *)(mapping + guard + usable - (sizeof *self + 63) / 64 * 64);
    *self = (struct qk__coroutine){.low = mapping + guard, .mapping = mapping,
                                   .mapping_bytes = usable + guard, .entry = entry};
    self->asan_low = self->low;
    self->asan_bytes = (size_t)((char *)self - self->low);
    self->context = make_fcontext(self, self->asan_bytes, first_arrival);
#ifdef __SANITIZE_THREAD__
    self->tsan_fiber = __tsan_create_fiber(0);
#endif
    return self;
}

void qk__coroutine_destroy(struct qk__coroutine *coroutine)
{
#ifdef __SANITIZE_THREAD__
    __tsan_destroy_fiber(coroutine->tsan_fiber);
#endif
#ifdef __SANITIZE_ADDRESS__
    /*
     * Its frames were left, not returned from; what comes to lie at these addresses next must not
     * be blamed for them.
     */
    __asan_unpoison_memory_region(coroutine->mapping, coroutine->mapping_bytes);
#endif
    munmap(coroutine->mapping, coroutine->mapping_bytes);
}

void qk__coroutine_of_thread(struct qk__coroutine *root)
{
    *root = (struct qk__coroutine){0};
#ifdef __SANITIZE_THREAD__
    root->tsan_fiber = __tsan_get_current_fiber();
#endif
}
