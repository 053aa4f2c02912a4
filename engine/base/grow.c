/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/grow.h"

#include <stdlib.h>

#define FIRST 64

void *jb_grow(void *array, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap != 0 ? *cap * 2 : FIRST;
	void *bigger;

	if (n < *cap)
		return array;
	bigger = reallocarray(array, more, size);
	if (bigger != NULL)
		*cap = more;
	return bigger;
}
