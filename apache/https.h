/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* MDRequireHttps: visitors on http are sent to https, and with 'permanent' their browsers are told to stay there. */

/* The hooks for requests, as the server's user in a child. */
void https_register(void);
