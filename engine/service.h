/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/service.h - what the daemon tells the service manager (sd_notify).
 *
 * Without a service manager ($NOTIFY_SOCKET unset) every call does nothing.
 * None can fail: nothing that the daemon does may depend on being heard.
 * Any thread may call. */
#ifndef JB_ENGINE_SERVICE_H
#define JB_ENGINE_SERVICE_H

#include <stdint.h>

/* The start is over: units ordered after this one may go on. */
void jb_service_ready(void);

/* One line for `systemctl status`; control characters are replaced. */
__attribute__((format(printf, 1, 2))) void jb_service_status(const char *fmt,
							     ...);

/* The stop has begun. */
void jb_service_stopping(void);

/* How often jb_service_watchdog_ping() must be called at least, in us; call it
 * twice as often. 0: nobody watches this process. */
uint64_t jb_service_watchdog_us(void);

void jb_service_watchdog_ping(void);

#endif
