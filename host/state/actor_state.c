/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actor_state.c - the named states of an activation: read in turn zero, written when a turn ends.
 *
 *     load (turn zero) --> in `self` --qk_state_save--> marked --turn succeeded--> version + 1
 *                                                         '-----turn failed------> mark dropped
 *
 * A commit that conflicts means that `self` is not built on what the store has: the actor is then
 * deactivated, and its next message reads the states afresh.
 * Thread: the activation's own turn; an activation has one at a time, so the marks need no lock.
 */
#include "host/host.h"
#include "host/state/store.h"

#include "base/memory.h"

#include <string.h>

enum mark { UNCHANGED, TO_SAVE, TO_DELETE };

struct state {
    uint64_t  version;    /* as of the last load or commit; 0: not in the store */
    enum mark mark;
};

/* In the activation's slot; states[i] goes with type->states[i]. */
struct states {
    size_t       marked_count;
    struct state states[];
};

static struct states *states_of(const qk_turn *turn)
{
    return qk__activation_room(qk__turn_activation(turn), QK__SLOT_STATE);
}

static struct qk__state_id id_of(const qk__activation        *activation,
                                 const struct qk_named_state *declared)
{
    return (struct qk__state_id){.type = qk__activation_type(activation)->name,
                                 .key = qk__activation_key(activation),
                                 .name = declared->name};
}

static char *bytes_of(const qk__activation *activation, const struct qk_named_state *declared)
{
    return (char *)qk__activation_self(activation) + declared->offset;
}

static qk_status no_memory(qk_turn *turn)
{
    return qk_fail(turn, QK_NO_MEMORY, "no memory for the states of %s/%s",
                   qk__activation_type(qk__turn_activation(turn))->name, qk_turn_key(turn));
}

/* A struct that grew or shrank can't be read by its old bytes: better to stop than to guess. */
static qk_status check_size(qk_turn *turn, const struct qk__state_read *read)
{
    if (!read->is_there || read->size_bytes == read->capacity)
        return QK_OK;
    return qk_fail(turn, QK_FAILED_PRECONDITION,
                   "state %s of %s/%s was saved with %zu bytes, and this program's struct has %zu",
                   read->id.name, read->id.type, read->id.key, read->size_bytes, read->capacity);
}

static qk_status read_states(qk_turn *turn, struct qk__state_read *reads, struct states *states)
{
    const qk__activation *activation = qk__turn_activation(turn);
    const struct qk_type *type = qk__activation_type(activation);
    struct qk_error       error = {0};
    qk_status             status;

    for (size_t i = 0; i < type->state_count; i++) {
        reads[i].id = id_of(activation, &type->states[i]);
        reads[i].into = bytes_of(activation, &type->states[i]);
        reads[i].capacity = type->states[i].size_bytes;
    }
    status = qk__store_load(qk__host_store(qk_turn_host(turn)), reads, type->state_count, &error);
    if (status != QK_OK)
        return qk__turn_fail(turn, &error);
    for (size_t i = 0; i < type->state_count && status == QK_OK; i++) {
        status = check_size(turn, &reads[i]);
        states->states[i].version = reads[i].version;
    }
    return status;
}

qk_status qk__actor_state_load(qk_turn *turn)
{
    qk__activation        *activation = qk__turn_activation(turn);
    const size_t           count = qk__activation_type(activation)->state_count;
    struct qk__state_read *reads;
    struct states         *states;
    void                 **slot;
    qk_status              status;

    if (count == 0)
        return QK_OK;
    slot = qk__activation_slot(activation, QK__SLOT_STATE);
    states = slot != NULL ? qk__alloc_zero(sizeof *states + count * sizeof states->states[0]) : NULL;
    if (states == NULL)
        return no_memory(turn);
    *slot = states;
    reads = qk__alloc_array(count, sizeof *reads);
    if (reads == NULL)
        return no_memory(turn);
    status = read_states(turn, reads, states);
    qk__free(reads);
    return status;
}

void qk__actor_state_close(qk__activation *activation)
{
    struct states *states = qk__activation_room(activation, QK__SLOT_STATE);

    if (states == NULL)
        return;
    qk__free(states);
    *qk__activation_slot(activation, QK__SLOT_STATE) = NULL;
}

/* The state of that name, NULL when the type declares none. */
static struct state *find(const qk_turn *turn, const char *name)
{
    const struct qk_type *type = qk__activation_type(qk__turn_activation(turn));
    struct states        *states = states_of(turn);

    for (size_t i = 0; states != NULL && i < type->state_count; i++) {
        if (strcmp(type->states[i].name, name) == 0)
            return &states->states[i];
    }
    return NULL;
}

static void set_mark(struct states *states, struct state *state, enum mark mark)
{
    if (state->mark == UNCHANGED && mark != UNCHANGED)
        states->marked_count++;
    if (state->mark != UNCHANGED && mark == UNCHANGED)
        states->marked_count--;
    state->mark = mark;
}

static qk_status mark_named(qk_turn *turn, const char *name, enum mark mark)
{
    struct state *state = find(turn, name);

    if (state == NULL)
        return qk_fail(turn, QK_NOT_FOUND, "type %s declares no state %s",
                       qk__activation_type(qk__turn_activation(turn))->name, name);
    set_mark(states_of(turn), state, mark);
    return QK_OK;
}

qk_status qk_state_save(qk_turn *turn, const char *name)
{
    return mark_named(turn, name, TO_SAVE);
}

qk_status qk_state_delete(qk_turn *turn, const char *name)
{
    return mark_named(turn, name, TO_DELETE);
}

uint64_t qk_state_version(const qk_turn *turn, const char *name)
{
    const struct state *state = find(turn, name);

    return state != NULL ? state->version : 0;
}

/* The marked states as a batch; returns how many. A delete of what was never saved is nothing to
 * do. */
static size_t gather(const qk__activation *activation, const struct states *states,
                     struct qk__state_write *writes)
{
    const struct qk_type *type = qk__activation_type(activation);
    size_t                count = 0;

    for (size_t i = 0; i < type->state_count; i++) {
        const struct state *state = &states->states[i];

        if (state->mark == UNCHANGED || (state->mark == TO_DELETE && state->version == 0))
            continue;
        writes[count++] = (struct qk__state_write){
            .id = id_of(activation, &type->states[i]),
            .is_delete = state->mark == TO_DELETE,
            .bytes = bytes_of(activation, &type->states[i]),
            .size_bytes = type->states[i].size_bytes,
            .expected_version = state->version,
        };
    }
    return count;
}

static void settle(const qk__activation *activation, struct states *states)
{
    for (size_t i = 0; i < qk__activation_type(activation)->state_count; i++) {
        struct state *state = &states->states[i];

        if (state->mark == TO_SAVE)
            state->version++;
        else if (state->mark == TO_DELETE)
            state->version = 0;
        set_mark(states, state, UNCHANGED);
    }
}

static qk_status write_marked(qk_turn *turn, struct states *states, struct qk__state_write *writes)
{
    const qk__activation *activation = qk__turn_activation(turn);
    struct qk_error       error = {0};
    const size_t          count = gather(activation, states, writes);
    qk_status             status = QK_OK;

    if (count > 0)
        status = qk__store_commit(qk__host_store(qk_turn_host(turn)), writes, count, &error);
    if (status == QK_OK) {
        settle(activation, states);
        return QK_OK;
    }
    if (status == QK_VERSION_CONFLICT)
        qk_deactivate(turn);
    return qk__turn_fail(turn, &error);
}

/* What the turn marked and could not write is not written by a later turn unasked. */
qk_status qk__actor_state_commit(qk_turn *turn)
{
    struct states          *states = states_of(turn);
    struct qk__state_write *writes;
    qk_status               status;

    if (states == NULL || states->marked_count == 0)
        return QK_OK;
    writes = qk__alloc_array(states->marked_count, sizeof *writes);
    status = writes != NULL ? write_marked(turn, states, writes) : no_memory(turn);
    qk__free(writes);
    if (status != QK_OK)
        qk__actor_state_discard(turn);
    return status;
}

qk_status qk_state_commit(qk_turn *turn)
{
    return qk__actor_state_commit(turn);
}

void qk__actor_state_discard(qk_turn *turn)
{
    struct states *states = states_of(turn);

    if (states == NULL || states->marked_count == 0)
        return;
    for (size_t i = 0; i < qk__activation_type(qk__turn_activation(turn))->state_count; i++)
        set_mark(states, &states->states[i], UNCHANGED);
}

void qk__host_store_stats(const qk_host *host, struct qk__store_stats *out_stats)
{
    qk__store_stats(qk__host_store(host), out_stats);
}
