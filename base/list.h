/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.h - a circular doubly linked list whose links lie in the elements. No locks, no allocation.
 * An unlinked element points at itself, so removing it twice is harmless.
 */
#ifndef QUARK_BASE_LIST_H
#define QUARK_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct qk__list {
    struct qk__list *next, *prev;
};

static inline void qk__list_init(struct qk__list *list)
{
    list->next = list->prev = list;
}

static inline bool qk__list_is_empty(const struct qk__list *list)
{
    return list->next == list;
}

static inline void qk__list_push_back(struct qk__list *list, struct qk__list *element)
{
    element->prev = list->prev;
    element->next = list;
    list->prev->next = element;
    list->prev = element;
}

static inline void qk__list_push_front(struct qk__list *list, struct qk__list *element)
{
    qk__list_push_back(list->next, element);
}

static inline void qk__list_remove(struct qk__list *element)
{
    element->prev->next = element->next;
    element->next->prev = element->prev;
    qk__list_init(element);
}

/* The first element, unlinked; NULL when there is none. */
static inline struct qk__list *qk__list_pop_front(struct qk__list *list)
{
    struct qk__list *first = list->next;

    if (first == list)
        return NULL;
    qk__list_remove(first);
    return first;
}

#define QK__LIST_FOR_EACH(it, list)                                                               \
    for (struct qk__list *it = (list)->next, *it##_next = it->next; it != (list);                 \
         it = it##_next, it##_next = it->next)    /* the body may remove `it` */

#endif
