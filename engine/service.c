/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/service.h"

#include "engine/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#define STORE_SIZE 256
#define SYNC_US	   5000000

void jb_service_ready(void)
{
	sd_notify(0, "READY=1");
}

bool jb_service_is_managed(void)
{
	return getenv("NOTIFY_SOCKET") != NULL;
}

void jb_service_store(int fd, const char *name)
{
	char text[STORE_SIZE];

	/* Not polled: every event would wake the service manager. */
	snprintf(text, sizeof text, "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}

void jb_service_unstore(const char *name)
{
	sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

void jb_service_each_stored(jb_service_stored_fn *fn, void *arg)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);

	for (int i = 0; i < n; i++) {
		fn(arg, SD_LISTEN_FDS_START + i, names[i]);
		free(names[i]);
	}
	free(names);
}

void jb_service_sync(void)
{
	sd_notify_barrier(0, SYNC_US);
}

void jb_service_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		   (long long)jb_clock_us(CLOCK_MONOTONIC));
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
