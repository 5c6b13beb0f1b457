/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stepping.h - steps whose order somebody chooses: manual mode with a chooser.
 *
 * With threads, the machine decides which worker goes first, whether a thief comes by and when a
 * timer is looked at. Here a chooser decides all of that, one step after the other on one thread;
 * with choices drawn from a seed, a schedule replays exactly.
 *
 *     a step of a worker   fires one due timer, or runs what was handed over, or one of its queue
 *                          (any of them), or lets its inbox in, or steals from another worker
 *     nothing to do        parks or stays awake: others treat it differently
 *     inside a step        at qk__scheduler_interleave(), steps of other workers, as if they ran at
 *                          the same time
 *
 * Every order that comes out is one that threads could have produced. The reverse isn't so: inside
 * a few instructions that take no step (a push, a section) nothing else runs here; those are what
 * the models in tests/models and ThreadSanitizer are for.
 */
#ifndef QUARK_SCHEDULER_STEPPING_H
#define QUARK_SCHEDULER_STEPPING_H

#include "scheduler/worker.h"

/* One step, chosen among those that the worker has; false: it has none. As this worker. */
bool qk__stepping_step(struct qk__worker *worker);

#endif
