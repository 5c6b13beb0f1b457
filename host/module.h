/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.h - the program's side of quark/module.h: the options that a module asks for. For `quark
 * serve` and tests. Thread: one at a time.
 */
#ifndef QUARK_HOST_MODULE_H
#define QUARK_HOST_MODULE_H

#include "quark/module.h"

#include "base/yaml.h"

/*
 * Options from `section`, NULL meaning that none are given; paths are relative to `folder`. Both
 * are borrowed and outlive the options. The caller's until destroy; NULL: out of memory.
 */
qk_module_options *qk__module_options_create(qk__yaml_node *section, const char *folder);
void               qk__module_options_destroy(qk_module_options *options);

/*
 * After the module's init: QK_INVALID_ARGUMENT for a value that was no text, or a key of the
 * section that was not asked for.
 */
qk_status qk__module_options_check(qk_module_options *options, struct qk_error *error);

#endif
