/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transports/local.h - a target that is a directory of this machine. */
#ifndef JB_TRANSPORTS_LOCAL_H
#define JB_TRANSPORTS_LOCAL_H

#include "transports/transport.h"

extern const struct jb_target_ops jb_target_local;

#endif
