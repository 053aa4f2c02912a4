/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/grow.h - an array that grows by doubling. Any thread, one
 * owner. */
#ifndef JB_BASE_GROW_H
#define JB_BASE_GROW_H

#include <stddef.h>

/* Room for one more behind @n members of @size bytes: @array, or what takes its
 * place, with *cap. NULL without memory: @array is as it was. */
void *jb_grow(void *array, size_t n, size_t *cap, size_t size);

#endif
