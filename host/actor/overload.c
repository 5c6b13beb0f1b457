/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overload.c - see overload.h.
 *
 * Only the consumer takes messages out of a mailbox. So under DROP_OLDEST a sender pushes beyond the
 * capacity and asks the consumer to trim, which comes before its next turn; and as long as that does
 * not come, twice the capacity is the end.
 */
#include "host/actor/overload.h"

#include "host/actor/push.h"
#include "host/actor/undelivered.h"

#include "base/memory.h"

qk_status qk__overload_check(const struct qk_type *type, struct qk_error *error)
{
    if (type->mailbox->size < sizeof(struct qk_mailbox_opts))
        return qk_error_set(error, QK_INVALID_ARGUMENT, "type %s: .mailbox->size is not set",
                            type->name);
    if ((unsigned)type->mailbox->overload > QK_OVERLOAD_DROP_OLDEST)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "type %s: .mailbox->overload is %d",
                            type->name, (int)type->mailbox->overload);
    return QK_OK;
}

static void drop(struct qk__envelope *envelope)
{
    struct qk_error error;

    qk__send_full(envelope->to, &error);
    qk__undelivered(envelope, QK_DEAD_OVERLOAD, &error);
}

static qk_status drop_newest(struct qk__envelope *envelope, struct qk_error *error)
{
    if (envelope->kind != QK__TELL)
        return qk__send_full(envelope->to, error);
    drop(envelope);
    return QK_OK;
}

static qk_status push_over(struct qk__home *home, struct qk__envelope *envelope, bool is_awaited,
                           struct qk_error *error)
{
    qk_actor *to = envelope->to;

    if (qk__mailbox_depth(&to->mailbox) >= 2 * (uint64_t)to->mailbox.capacity)
        return drop_newest(envelope, error);
    qk_actor_retain(to);    /* from the push on the message may be gone, and a tell holds no actor */
    qk__actor_push_over(home, to, &envelope->node, is_awaited);
    qk__actor_post(to, QK__CONTROL_TRIM);
    qk_actor_release(to);
    return QK_OK;
}

qk_status qk__overload_send(struct qk__home *home, struct qk__envelope *envelope, bool is_awaited,
                            struct qk_error *error)
{
    switch (envelope->to->type->declared.mailbox->overload) {
    case QK_OVERLOAD_DROP_NEWEST: return drop_newest(envelope, error);
    case QK_OVERLOAD_DROP_OLDEST: return push_over(home, envelope, is_awaited, error);
    case QK_OVERLOAD_WAIT:
    case QK_OVERLOAD_REJECT: break;
    }
    return qk__send_full(envelope->to, error);
}

void qk__overload_trim(qk_actor *actor)
{
    struct qk__full_lot  *lot = &actor->type->actors->full_lot;
    struct qk__mpsc_node *node;

    while (qk__mailbox_depth(&actor->mailbox) > actor->mailbox.capacity &&
           (node = qk__mailbox_pop(lot, &actor->mailbox)) != NULL)
        drop(QK__CONTAINER_OF(node, struct qk__envelope, node));
}
