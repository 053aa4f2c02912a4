/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/service.h"

#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#define STATUS_SIZE 256

void jb_service_ready(void)
{
	sd_notify(0, "READY=1");
}

void jb_service_status(const char *fmt, ...)
{
	char text[STATUS_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	/* A newline would begin another assignment. */
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	sd_notifyf(0, "STATUS=%s", text);
}

void jb_service_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

uint64_t jb_service_watchdog_us(void)
{
	uint64_t us;

	return sd_watchdog_enabled(0, &us) > 0 ? us : 0;
}

void jb_service_watchdog_ping(void)
{
	sd_notify(0, "WATCHDOG=1");
}
