/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Message ids of what an administrator acts on; each is explained in units/md-manager.catalog. Made with systemd-id128 new. */

#define MESSAGE_RENEWAL_STARTED "6f0d5b8a3c1e4b7f9a2d8c5e1f3b7a90"
#define MESSAGE_RENEWED "b2a9e6c4d81f4f6ea07c3b5d9e2f1a64"
#define MESSAGE_INSTALLED "1d7c5e9f02ab4c38b6f4a8d3e5907c12"
#define MESSAGE_RENEWAL_FAILED "c85f3a1e7d264b09a1e2f6c7b8d90e35"
#define MESSAGE_RELOAD_FAILED "e47b9d2c6a0f4d51836cf1a5b7e2d908"
#define MESSAGE_RELOAD_PENDING "3e8a6f1b5d9c4e72a0b4c7d2f6e81539"
#define MESSAGE_SERVED_DIFFERS "97d1c4b8e2f64a3db5a90e7c6f3d2810"
#define MESSAGE_SNAPSHOT_REFUSED "a6e3f0d7c9b14582b7d8e1f2a4c5369b"
#define MESSAGE_STORE_DAMAGED "58c2e7a4f1d34b96930fd5b8e6c7a21d"
#define MESSAGE_DOMAIN_CONFLICT "0b9f4d6e8a2c4713a5e6d1f7c3b8902e"
#define MESSAGE_EXPIRING "7ac1d3e9b5f24086b2c4e8f0a6d7915b"
#define MESSAGE_ACCOUNT_CREATED "f3b6a8d0e2c54917ae1f7d9c5b4e3860"
#define MESSAGE_UNMANAGED "29e8c6b4a0d74f13958e7b2d1f6c3a0e"
#define MESSAGE_RENEWAL_INFO "4be1c0a97d3f4f5c8a26d1e97b40f3c8"
#define MESSAGE_HOOK_FAILED "8d0e2f4a6c1b4935b7f9e3d5a1c2860f"
