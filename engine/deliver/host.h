/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/host.h - what include/jb/host.h promises, for one delivery. */
#ifndef JB_DELIVER_HOST_H
#define JB_DELIVER_HOST_H

#include "engine/deliver/delivery_priv.h"

/* Fill d->host, which lives as long as the delivery. */
void jb_delivery_lend(struct jb_delivery *d);

#endif
