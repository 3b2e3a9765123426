/* SPDX-License-Identifier: Apache-2.0 */
#include "targets/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "lib/test.h"

#define DOMAIN "[Target]\nDomain=example.org\n"
#define WHOLE DOMAIN "[FullChain]\nPath=/etc/x/chain.pem\n"
#define TEN "1234567890"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static Target *parse(const char *text, size_t size) {
        Target *t = NULL;
        FILE *f = fmemopen((char *) text, size, "r");

        if (f && target_parse("/etc/md-manager/targets.d/one.conf", f, &t) < 0)
                t = NULL;
        if (f)
                (void) fclose(f);
        return t;
}

static const struct {
        const char *text;
        const char *refused; /* a part of it, with the line's number; NULL: it is not */
} cases[] = {
        { WHOLE, NULL },
        { "# Some words\n\n" WHOLE, NULL },
        { "# Words, " HUNDRED HUNDRED " Mode=0777\n" WHOLE, NULL },
        { WHOLE "; " HUNDRED " a comment whose end would be read as a setting of its own if it were cut where the buffer ends:\tReloadUnit=evil.service\n", NULL },
        { "[Target]\nDomain=EXAMPLE.org.\n[FullChain]\nPath=/x\n", NULL },
        { "[Target]\nDomain=*.example.org\n[FullChain]\nPath=/x\n", NULL },
        { "[Target]\nDomain=2001:DB8::1\n[FullChain]\nPath=/x\n", NULL },
        { "[Target]\nDomain=example.org www.example.org\n[FullChain]\nPath=/x\n", "one.conf:2" },
        { DOMAIN "[FullChain]\nPath=/" HUNDRED HUNDRED "\n", "one.conf:4: This line is too long" },
        { "[Target]\n[FullChain]\nPath=/x\n", "no 'Domain='" },
        { "[Target]\nDomain=../x\n[FullChain]\nPath=/x\n", "one.conf:2" },
        { DOMAIN, "No file is wanted" },
        { DOMAIN "[FullChain]\nMode=0600\n", "[FullChain] has no 'Path='" },
        { DOMAIN "[FullChain]\nPath=x\n", "one.conf:4" },
        { DOMAIN "[FullChain]\nPath=/\n", "one.conf:4" },
        { DOMAIN "[FullChain]\nPath=/x/\n", "one.conf:4" },
        { DOMAIN "[FullChain]\nPath=/x//y\n", "one.conf:4" },
        { DOMAIN "[FullChain]\nPath=/x/../y\n", "one.conf:4" },
        { DOMAIN "[FullChain]\nPath=/x/.\n", "one.conf:4" },
        { DOMAIN "[FullChain]\nPath=/x.pem # for Postfix\n", "one.conf:4: Path=/x.pem # for Postfix: comments stand in lines of their own" },
        { DOMAIN "[FullChain]\nPath=/x.pem\t# for Postfix\n", "comments stand" },
        { DOMAIN "[FullChain]\nPath=/a b/x#1.pem\n", NULL },
        { DOMAIN "[FullChain]\nPath=/x\nPath=/y\n", "one.conf:5" },
        { DOMAIN "[FullChain]\nPath=/x\n /y\n", "one.conf:5" }, /* a line that goes on is one more of the name */
        { WHOLE "Mode=0644\n", NULL },
        { WHOLE "Mode=0666\n", "others may not write" },
        { WHOLE "Mode=0755\n", "one.conf:5" },
        { WHOLE "Mode=4644\n", "one.conf:5" },
        { WHOLE "Mode=u=rw\n", "one.conf:5" },
        { WHOLE "Mode=00644\n", "one.conf:5" },
        { WHOLE "Mode=\n", "one.conf:5" },
        { DOMAIN "[PrivateKey]\nPath=/x\nMode=0640\n", NULL },
        { DOMAIN "[PrivateKey]\nPath=/x\nMode=0644\n", "others may not read" },
        { DOMAIN "[Combined]\nMode=0604\nPath=/x\n", "one.conf:4" },
        { WHOLE "Owner=root\nGroup=0\n", NULL },
        { WHOLE "Owner=4294967295\n", "no such user" }, /* no change of owner, to the kernel */
        { WHOLE "Group=4294967295\n", "no such group" },
        { WHOLE "Owner=-1\n", "no such user" },
        { WHOLE "Owner=\n", "no such user" },
        { WHOLE "PasswordFile=/x\n", "no 'PasswordFile=' in [FullChain]" },
        { DOMAIN "[PKCS12]\nPath=/x\n", "wants a 'PasswordFile='" },
        { DOMAIN "[PKCS12]\nPath=/x\nPasswordFile=/y\n", NULL },
        { DOMAIN "[PKCS12]\nPath=/x\nPasswordFile=y\n", "one.conf:5" },
        { DOMAIN "[PKCS12]\nPath=/x\nPasswordCredential=p\n", NULL },
        { DOMAIN "[PKCS12]\nPath=/x\nPasswordCredential=../p\n", "one.conf:5" },
        { DOMAIN "[PKCS12]\nPath=/x\nPasswordFile=/y\nPasswordCredential=p\n", "one.conf:4" },
        { DOMAIN "ReloadUnit=postfix.service dovecot.service\nReloadUnit=x@a.service\n[FullChain]\nPath=/x\n", NULL },
        { DOMAIN "ReloadUnit=postfix\n[FullChain]\nPath=/x\n", "one.conf:3: ReloadUnit=postfix: every unit has its whole name, such as postfix.service" },
        { DOMAIN "RestartUnit=../x.service\n[FullChain]\nPath=/x\n", "one.conf:3" },
        { DOMAIN "ReloadUnit=1.service 2.service 3.service 4.service 5.service 6.service 7.service 8.service 9.service\n"
          "ReloadUnit=11.service 12.service 13.service 14.service 15.service 16.service 17.service 18.service\n[FullChain]\nPath=/x\n", "more than 16 units" },
        { DOMAIN "KeyType=P-384\n[FullChain]\nPath=/x\n", NULL },
        { DOMAIN "KeyType=P-384 P-256\n[FullChain]\nPath=/x\n", "one.conf:3" },
        { DOMAIN "KeyType=RSA 1\n", "one.conf:3" },
        { DOMAIN "Exec=/bin/sh\n", "no 'Exec='" },
        { DOMAIN "[Service]\nUser=root\n", "no section [Service]" },
        { "Domain=example.org\n", "one.conf:1: 'Domain=' stands before the first [Section]" },
        { DOMAIN "[FullChain\nPath=/x\n", "one.conf:4: There is no 'Path=' in [Target]" },
        { DOMAIN "something\n[FullChain]\nPath=/x\n", "one.conf:3" },
};

TEST(parse) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Target *t = parse(cases[i].text, strlen(cases[i].text));

                test_case("%s", cases[i].text);
                REQUIRE(t);
                if (cases[i].refused)
                        CHECK(t->refused && strstr(t->refused, cases[i].refused));
                else
                        CHECK_STR(t->refused, NULL);
                target_free(t);
        }
}

TEST(values) {
        static const char text[] = "[Target]\nDomain=Example.ORG\nKeyType=P-256\nReloadUnit=a.service\n b.service\nRestartUnit=c.service\n"
                                   "[PrivateKey]\nPath=/etc/x/key.pem\nOwner=7\nGroup=8\nMode=0640\n[Certificate]\nPath=/etc/x/cert.pem\n";
        Target *t = parse(text, strlen(text));
        char *const reload[] = { (char *) "a.service", (char *) "b.service", NULL };

        REQUIRE(t);
        CHECK_STR(t->refused, NULL);
        CHECK_STR(t->name, "one");
        CHECK_STR(t->domain, "example.org");
        CHECK(t->has_key && t->key.type == KEY_TYPE_EC);
        CHECK(strv_equal(t->reload, reload));
        CHECK_UINT(strv_length(t->restart), 1);
        CHECK_STR(t->files[TARGET_PRIVATE_KEY].path, "/etc/x/key.pem");
        CHECK_UINT(t->files[TARGET_PRIVATE_KEY].uid, 7);
        CHECK_UINT(t->files[TARGET_PRIVATE_KEY].gid, 8);
        CHECK_UINT(t->files[TARGET_PRIVATE_KEY].mode, 0640);
        CHECK_UINT(t->files[TARGET_CERTIFICATE].mode, 0644);
        CHECK_UINT(t->files[TARGET_CERTIFICATE].line, 13);
        CHECK_UINT(t->files[TARGET_CHAIN].line, 0);
        target_free(t);
}

/* --- Whatever it is: a target that is not refused is one that can be written --- */

static void check_file(const Target *t, TargetFormat format) {
        const TargetFile *f = &t->files[format];

        if (f->line == 0)
                return;
        CHECK(f->path && f->path[0] == '/' && f->path[1] && !strstr(f->path, "//") && !strstr(f->path, "/../") && !strstr(f->path, "/./"));
        CHECK((f->mode & ~(mode_t) 0664) == 0);
        CHECK(!target_format_has_key(format) || (f->mode & 0007) == 0);
        CHECK(f->uid != (uid_t) -1 && f->gid != (gid_t) -1);
}

static void check_target(const Target *t) {
        bool any = false;

        if (t->refused)
                return;
        CHECK(t->domain && *t->domain);
        for (size_t i = 0; i < _TARGET_FORMAT_MAX; i++) {
                any = any || t->files[i].line > 0;
                check_file(t, (TargetFormat) i);
        }
        CHECK(any);
}

static uint32_t next(uint32_t *state) {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        return *state;
}

TEST(mutations) {
        static const char text[] = "[Target]\nDomain=example.org\nKeyType=P-256\nReloadUnit=a.service\nRestartUnit=b.service\n[PrivateKey]\nPath=/etc/x/key.pem\n"
                                   "Owner=0\nGroup=0\nMode=0640\n[PKCS12]\nPath=/etc/x/x.p12\nPasswordFile=/etc/x/password\n";
        static const char odd[] = "\n\n[]=/.;# \t\"'\\%0 7\xff\x01";
        uint32_t state = 20240229;

        for (unsigned i = 0; i < 4000; i++) {
                char copy[sizeof(text)];
                size_t size = sizeof(text) - 1;
                Target *t;

                memcpy(copy, text, sizeof(copy));
                for (uint32_t n = 1 + next(&state) % 4; n > 0; n--) {
                        size_t at = next(&state) % size;

                        switch (next(&state) % 4) {
                        case 0:
                                copy[at] = odd[next(&state) % sizeof(odd)]; /* its NUL, too */
                                break;
                        case 1:
                                memmove(copy + at, copy + at + 1, size - at - 1);
                                size--;
                                break;
                        case 2:
                                copy[at] = copy[next(&state) % size];
                                break;
                        default:
                                copy[at] = (char) (next(&state) & 0xff);
                        }
                }
                test_case("mutation %u", i);
                t = parse(copy, size);
                REQUIRE(t);
                check_target(t);
                target_free(t);
        }
}
