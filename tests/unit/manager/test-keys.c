/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/keys.h"

#include <string.h>

#include "base/clock.h"
#include "base/macro.h"
#include "crypto/key.h"
#include "lib/test.h"

static const KeySpec rsa = { .type = KEY_TYPE_RSA, .bits = 2048 };
static const KeySpec curve = { .type = KEY_TYPE_EC, .curve = "P-256" };
static const KeySpec nonsense = { .type = KEY_TYPE_EC, .curve = "P-0" };

typedef struct Asked {
        KeyRequest *request;
        const KeySpec *spec;
        bool answered, fits, complained;
} Asked;

static void on_key(KeyRequest *request, EVP_PKEY *key, const Problem *problem, void *userdata) {
        Asked *a = userdata;

        a->answered = true;
        a->fits = key && key_matches_spec(key, a->spec);
        a->complained = problem && problem->detail;
        CHECK(request == a->request);
        a->request = key_request_free(request);
}

static void ask(KeyMaker *k, Asked *a, const KeySpec *spec) {
        *a = (Asked){ .spec = spec };
        REQUIRE(key_request_new(k, spec, on_key, a, &a->request) == 0);
}

static void on_key_freed_first(KeyRequest *request, EVP_PKEY *key, const Problem *problem, void *userdata) {
        Asked *a = userdata;

        a->request = key_request_free(request);
        a->answered = true;
        a->fits = key && key_matches_spec(key, a->spec);
        a->complained = problem && problem->detail && strlen(problem->detail) > 0;
}

static void wait_for(sd_event *event, const Asked *a) {
        uint64_t end = clock_monotonic_usec() + 60 * USEC_PER_SEC;

        while (!a->answered && clock_monotonic_usec() < end)
                REQUIRE(sd_event_run(event, USEC_PER_SEC) >= 0);
}

static KeyMaker *start(sd_event **ret_event) {
        KeyMaker *k = NULL;

        if (sd_event_new(ret_event) < 0 || key_maker_new(*ret_event, &k) < 0)
                return NULL;
        return k;
}

TEST(each_request_is_answered_with_its_kind) {
        sd_event *event = NULL;
        KeyMaker *k = start(&event);
        Asked a, b, c;

        REQUIRE(k);
        ask(k, &a, &curve);
        ask(k, &b, &rsa);
        ask(k, &c, &nonsense);
        wait_for(event, &c);
        CHECK(a.answered && a.fits && !a.complained);
        CHECK(b.answered && b.fits && !b.complained);
        CHECK(c.answered && !c.fits && c.complained);
        key_maker_free(k);
        sd_event_unref(event);
}

TEST(what_is_told_outlives_the_request) {
        sd_event *event = NULL;
        KeyMaker *k = start(&event);
        Asked a = { .spec = &nonsense }, b = { .spec = &curve };

        REQUIRE(k);
        REQUIRE(key_request_new(k, &nonsense, on_key_freed_first, &a, &a.request) == 0);
        wait_for(event, &a);
        REQUIRE(key_request_new(k, &curve, on_key_freed_first, &b, &b.request) == 0);
        wait_for(event, &b);
        CHECK(a.answered && !a.fits && a.complained && !a.request);
        CHECK(b.answered && b.fits && !b.complained && !b.request);
        key_maker_free(k);
        sd_event_unref(event);
}

TEST(a_request_that_nobody_waits_for_is_not_answered) {
        sd_event *event = NULL;
        KeyMaker *k = start(&event);
        Asked a, b;

        REQUIRE(k);
        ask(k, &a, &rsa);
        ask(k, &b, &curve);
        a.request = key_request_free(a.request);
        wait_for(event, &b);
        CHECK(!a.answered);
        CHECK(b.answered && b.fits);
        key_maker_free(k);
        sd_event_unref(event);
}

TEST(keys_are_taken_from_the_stock_and_it_is_filled_again) {
        sd_event *event = NULL;
        KeyMaker *k = start(&event);
        Asked asked[4];

        REQUIRE(k);
        key_maker_stock(k, &rsa);
        key_maker_stock(k, &rsa); /* once is enough */
        key_maker_stock(k, &curve); /* needs none */
        for (size_t i = 0; i < ELEMENTSOF(asked); i++) {
                ask(k, &asked[i], &rsa);
                wait_for(event, &asked[i]);
                CHECK(asked[i].answered && asked[i].fits);
        }
        key_maker_free(k);
        sd_event_unref(event);
}

TEST(the_end_in_the_middle_of_everything) {
        sd_event *event = NULL;
        KeyMaker *k = start(&event);
        Asked a, b;

        REQUIRE(k);
        key_maker_stock(k, &rsa);
        ask(k, &a, &rsa);
        ask(k, &b, &rsa);
        a.request = key_request_free(a.request);
        b.request = key_request_free(b.request);
        key_maker_free(k);
        sd_event_unref(event);
        CHECK(!a.answered && !b.answered);
}
