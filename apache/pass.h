/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* httpd reads its configuration twice at a cold start, and once for each graceful restart, configuration test and dump. */

#include "http_core.h"

#include "base/macro.h"

/* The server goes to work with this configuration. */
static inline bool pass_is_for_work(void) {
        return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL && ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_CONFIG;
}

/* Somebody wants to know what is wrong with the configuration. */
static inline bool pass_is_test(void) {
        return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST;
}

/* Complaints belong to these passes, so that they are told once. */
static inline bool pass_is_told(void) {
        return pass_is_for_work() || pass_is_test();
}
