/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.c - see mailbox.h.
 *
 * No wake-up of a waiting sender is lost: the sender counts itself in `waiting` and then looks at the
 * depth once more; the consumer counts a message as taken out and then looks at `waiting`. The fence
 * that both need between the two is made by the sender for both sides (qk__section_fence_all()),
 * since it waits rarely and the consumer takes messages out all the time. Where the kernel can't do
 * that, the consumer makes one of its own before it goes idle.
 */
#include "host/actor/mailbox.h"

#include "base/memory.h"

#define SENDERS_SHARE 64u    /* places that a woken sender is taken to use: as in qk_tell() */

void qk__full_lot_init(struct qk__full_lot *lot)
{
    for (size_t i = 0; i < QK__FULL_LOT_ROWS; i++) {
        pthread_mutex_init(&lot->rows[i].lock, NULL);
        qk__list_init(&lot->rows[i].senders);
    }
}

void qk__full_lot_fini(struct qk__full_lot *lot)
{
    for (size_t i = 0; i < QK__FULL_LOT_ROWS; i++)
        pthread_mutex_destroy(&lot->rows[i].lock);
}

static struct qk__full_row *row_of(struct qk__full_lot *lot, const struct qk__mailbox *mailbox)
{
    return &lot->rows[((uintptr_t)mailbox >> 6) % QK__FULL_LOT_ROWS];
}

void qk__mailbox_init(struct qk__mailbox *mailbox, uint32_t capacity, uint32_t owner,
                      uint8_t stack_class)
{
    qk__strand_init(&mailbox->strand, owner, stack_class);
    mailbox->capacity = capacity;
    atomic_init(&mailbox->local, 0);
    atomic_init(&mailbox->reserved, 0);
    atomic_init(&mailbox->popped, 0);
    atomic_init(&mailbox->waiting, 0);
    atomic_init(&mailbox->control, 0);
}

bool qk__mailbox_reserve(struct qk__mailbox *mailbox)
{
    uint32_t reserved = atomic_load_explicit(&mailbox->reserved, memory_order_relaxed);

    /*
     * Never counts a place that it does not get, not even for a moment: a turn that came just then
     * would find an empty mailbox full, and wait for a message that nobody sends.
     */
    do {
        const uint32_t popped = atomic_load_explicit(&mailbox->popped, memory_order_relaxed);
        const uint32_t local = atomic_load_explicit(&mailbox->local, memory_order_relaxed);

        /* Signed: what was reserved meanwhile may be popped by now, and then it is below zero. */
        if ((int64_t)(int32_t)(reserved + 1 - popped) + local > (int64_t)mailbox->capacity)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->reserved, &reserved, reserved + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

/* A turn that waits for a place; on its stack. */
struct sender {
    struct qk__list           link;
    const struct qk__mailbox *mailbox;
    struct qk__wait           wait;
};

/*
 * The sender is counted as waiting, and looks once more. Where its own worker owns the mailbox, the
 * consumer runs there, too, or takes the mailbox over in that worker's section: no fence is needed.
 */
static bool has_room_for_sender(struct qk__home *home, const struct qk__mailbox *mailbox)
{
    bool is_ours, has_room;

    qk__section_enter(&home->section);
    is_ours = qk__strand_is_owned(home, &mailbox->strand);
    has_room = qk__mailbox_has_room(mailbox);
    qk__section_leave(&home->section);
    if (is_ours)
        return has_room;
    qk__section_fence_all();
    return qk__mailbox_has_room(mailbox);
}

qk_status qk__mailbox_await_room(struct qk__full_lot *lot, struct qk__home *home,
                                 struct qk__mailbox *mailbox, uint64_t deadline_ns)
{
    struct qk__full_row *row = row_of(lot, mailbox);
    struct sender        sender = {.mailbox = mailbox};
    qk_status            status = QK_OK;

    qk__wait_init(&sender.wait);
    qk__list_init(&sender.link);
    pthread_mutex_lock(&row->lock);
    atomic_fetch_add_explicit(&mailbox->waiting, 1, memory_order_seq_cst);
    if (!has_room_for_sender(home, mailbox))
        qk__list_push_back(&row->senders, &sender.link);
    else
        qk__wait_signal(&sender.wait);
    pthread_mutex_unlock(&row->lock);

    status = qk__wait_until(&sender.wait, deadline_ns);

    /* Signals are given under the lock, so behind it nobody knows of `sender` any more. */
    pthread_mutex_lock(&row->lock);
    qk__list_remove(&sender.link);
    atomic_fetch_sub_explicit(&mailbox->waiting, 1, memory_order_seq_cst);
    pthread_mutex_unlock(&row->lock);
    return status;
}

/*
 * The longest waiting first, and not more than find places when each has a few messages: the others
 * would only come to wait again.
 */
void qk__mailbox_wake_senders(struct qk__full_lot *lot, const struct qk__mailbox *mailbox)
{
    struct qk__full_row *row = row_of(lot, mailbox);
    const uint32_t       depth = qk__mailbox_depth(mailbox);
    uint32_t left = depth < mailbox->capacity ? 1 + (mailbox->capacity - depth) / SENDERS_SHARE : 1;

    pthread_mutex_lock(&row->lock);
    QK__LIST_FOR_EACH(it, &row->senders)
    {
        struct sender *sender = QK__CONTAINER_OF(it, struct sender, link);

        if (left == 0)
            break;
        if (sender->mailbox == mailbox) {
            qk__list_remove(it);
            qk__wait_signal(&sender->wait);
            left--;
        }
    }
    pthread_mutex_unlock(&row->lock);
}

struct qk__mpsc_node *qk__mailbox_pop_remote(struct qk__mailbox *mailbox)
{
    struct qk__mpsc_node *node = qk__mpsc_pop(&mailbox->strand.remote);

    if (node != NULL)
        atomic_store_explicit(&mailbox->popped,
                              atomic_load_explicit(&mailbox->popped, memory_order_relaxed) + 1,
                              memory_order_release);
    return node;
}

/* Where the sender's fence is not one for this thread. */
void qk__mailbox_wake_all(struct qk__full_lot *lot, const struct qk__mailbox *mailbox)
{
    qk__section_fence();
    if (atomic_load_explicit(&mailbox->waiting, memory_order_relaxed) > 0)
        qk__mailbox_wake_senders(lot, mailbox);
}
