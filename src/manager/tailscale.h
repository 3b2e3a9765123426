/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* MDCertificateProtocol tailscale: certificate and private key come together, from the daemon of Tailscale on this machine. It hands out a private key, so it is
 * not for a worker to ask, and it is asked over a Unix socket, which the manager may do: the renewal is a task like every other, with a place and a
 * deadline, and without a worker. The daemon is believed no more than a CA. */

#include "manager/renewal.h"

/* "/run/…" of "file://localhost/run/…"; NULL: that is none. */
const char *tailscale_socket(const char *url) _pure_;

/* Asks; the end comes later, by task_end(), or at once. */
void tailscale_start(Renewal *r);
