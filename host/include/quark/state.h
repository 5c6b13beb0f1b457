/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.h - named, versioned state of an actor.
 *
 * What a turn saves is written in one atomic batch when it ends, before the reply leaves: a caller
 * that has its reply knows that the state is on disk (LMDB, synchronous). A turn that fails saves
 * nothing. Each save raises the state's version by one; a version that is not the expected one is
 * QK_VERSION_CONFLICT and names both.
 */
#ifndef QUARK_STATE_H
#define QUARK_STATE_H

#include "quark/actor.h"

/*
 * Saves a declared state (qk_named_state) as it stands in `self` at the end of the turn.
 * QK_NOT_FOUND: not declared.
 */
QK_API qk_status qk_state_save(qk_turn *turn, const char *name);

/* Removes it at the end of the turn; `self` is left as it is. */
QK_API qk_status qk_state_delete(qk_turn *turn, const char *name);

/* Writes what was saved so far now, and waits for it. For long turns. */
QK_API qk_status qk_state_commit(qk_turn *turn);

/* Version as of the last load or commit; 0: never saved. */
QK_API uint64_t qk_state_version(const qk_turn *turn, const char *name);

#endif
