/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/config_check.h - what one key alone can't tell: do the sections
 * fit together? Part of jb_config_load(); one thread. */
#ifndef JB_BASE_CONFIG_CHECK_H
#define JB_BASE_CONFIG_CHECK_H

#include "engine/base/config.h"

/* Two roots of one path, names that lead nowhere, targets inside one another or
 * inside their own root, rings of roots: as far as the text can tell.
 * JB_ECONFIG: "FILE:LINE: what is wrong, what to do". */
int jb_config_check_text(const struct jb_config *config, struct jb_error *err);

#endif
