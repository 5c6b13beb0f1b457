/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quark.h - run virtual actors where their work is cheapest. Includes the whole public API.
 *
 * An actor always exists: call its identity and the host activates it on demand, on the device
 * where its model is or would be cheapest. Read in order: host.h, actor.h, state.h, stream.h,
 * timer.h, model.h, module.h.
 */
#ifndef QUARK_QUARK_H
#define QUARK_QUARK_H

#include "quark/actor.h"
#include "quark/call.h"
#include "quark/context.h"
#include "quark/contract.h"
#include "quark/dead_letter.h"
#include "quark/filter.h"
#include "quark/host.h"
#include "quark/metrics.h"
#include "quark/model.h"
#include "quark/module.h"
#include "quark/protect.h"
#include "quark/state.h"
#include "quark/stream.h"
#include "quark/supervise.h"
#include "quark/timer.h"
#include "quark/version.h"

#endif
