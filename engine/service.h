/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/service.h - what the daemon tells the service manager (sd_notify).
 *
 * Without a service manager ($NOTIFY_SOCKET unset) every call does nothing.
 * None can fail: nothing that the daemon does may depend on being heard.
 * Any thread may call. */
#ifndef JB_ENGINE_SERVICE_H
#define JB_ENGINE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

/* The start is over: units ordered after this one may go on. */
void jb_service_ready(void);

/* Is there a service manager that listens? */
bool jb_service_is_managed(void);

/* Let it hold a copy of @fd under @name, also while no process of this service
 * runs; and let go of what it holds under @name. */
void jb_service_store(int fd, const char *name);
void jb_service_unstore(const char *name);

/* What it held when this process was started: the caller of each owns @fd.
 * Once, at the start: the environment that says so is removed. */
typedef void jb_service_stored_fn(void *arg, int fd, const char *name);
void jb_service_each_stored(jb_service_stored_fn *fn, void *arg);

/* Returns when it has read all that was said before, or after a while. */
void jb_service_sync(void);

/* The configuration is read again; jb_service_ready() says that it was. */
void jb_service_reloading(void);

/* The stop has begun. */
void jb_service_stopping(void);

/* How often jb_service_watchdog_ping() must be called at least, in us; call it
 * twice as often. 0: nobody watches this process. */
uint64_t jb_service_watchdog_us(void);

void jb_service_watchdog_ping(void);

#endif
