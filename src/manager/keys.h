/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Keys made off the event loop: one thread makes them one after the other, the loop hears of each. An RSA key may take seconds; the
 * loop never waits for it. Of kinds that take long some are kept in stock: the next key is made ahead. */

#include <systemd/sd-event.h>

#include "base/key-spec.h"
#include "base/problem.h"
#include "crypto/openssl-util.h"

typedef struct KeyMaker KeyMaker;
typedef struct KeyRequest KeyRequest;

/* 'key' is NULL when it could not be made, and then 'problem' says why; the handler takes neither, and may free the request first. The request is over. */
typedef void (*KeyHandler)(KeyRequest *request, EVP_PKEY *key, const Problem *problem, void *userdata);

int key_maker_new(sd_event *event, KeyMaker **ret);
KeyMaker *key_maker_free(KeyMaker *k); /* waits for the key in the making */

/* This kind will be asked for: when the thread has nothing else to do, it makes some ahead. Curves need no stock. */
void key_maker_stock(KeyMaker *k, const KeySpec *spec);

int key_request_new(KeyMaker *k, const KeySpec *spec, KeyHandler handler, void *userdata, KeyRequest **ret);
KeyRequest *key_request_free(KeyRequest *r); /* before or after its end: the handler will not be called any more */
