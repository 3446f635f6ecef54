/* The one promise: wherever a signature could match, a group of it fires.
 *
 * For every signature of the public sets, every domain it applies to and every way its formula can
 * hold (sampled), a buffer is made up that satisfies the formula and nothing else, and searched
 * with the compiled databases as the dataplane searches. Without the sets (POSTERN_DATA, or
 * argv[1]) only the signatures written here are tried, and the test says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <dirent.h>
#include <zlib.h>

#include "platform/why.h"
#include "signatures/choose/verify.h"
#include "signatures/compile/build.h"
#include "signatures/content/mime/start.h"
#include "signatures/read/source.h"
#include "tests/unit/compile/search.h"

#define TRIES_MIN 6u
#define TRIES_MAX 60u

static const char *data;
static char directory[] = "/tmp/test_sound.XXXXXX";
static char database[128], table[128], output[128];

/* Signatures with the shapes that choosing has to get right. */
static const char own_ndb[] =
    "Own.Plain:0:*:58354f2150254041505b345c505a58353428505e29374343297d\n"
    "Own.Jump:0:*:646f63756d656e742e{5-20}77726974652875*6e65736361706528\n"
    "Own.Choice:3:*:3c6966(72616d65|6f6f6f6f)207372633d(22|27)6a6176617363\n"
    "Own.Nibble:7:*:6576616c28?173747?746f2870617373776f7264\n"
    "Own.Odd:0:*:ffd8ffe000104a46494600010101004800480000\n"
    "Own.Mail:4:*:5375626a6563743a2049204c4f564520594f55\n"
    "Own.Image:5:*:89504e470d0a1a0a{-30}7a545874\n"
    "Own.Zeros:0:*:0000000000000000000000007469746c00\n"
    "Own.White:0:*:61202062090a630d0a642065206620672068\n"
    "Own.Other:14:*:d0cf11e0a1b11ae1\n"
    "Own.Start:0:0:504b\n"
    "Own.StartAnd:0:0:4d5a??{2}2e6a73*6162\n"
    "Own.StartLong:0:0:52617221a1b2c3d4e5f60718\n";
static const char own_ldb[] =
    "Own.And;Engine:51-255,Target:0;0&1&2;68746d6c;7363726970743a;616c65727428\n"
    "Own.Or;Engine:51-255,Target:7;0|1|2;66697273742066697273;7365636f6e64207365;746869726421\n"
    "Own.Both;Engine:51-255,Target:3;(0|1)&(2|3);616161616262;63636363;6464646465;65656566666767\n"
    "Own.Case;Engine:51-255,Target:0;0&1;4d697865644361736554657874::i;57696465::w\n"
    "Own.Count;Engine:51-255,Target:0;0>2&1=0;636f756e746564206672616d65;6e65766572\n";

struct seen {
    const struct prefilter *prefilter;
    struct searcher *searcher;
    struct verifier verifier;
    uint32_t next; /* signature of the prefilter */
    unsigned signatures;
    unsigned buffers;
    unsigned missing; /* not in the prefilter */
    unsigned silent;  /* a buffer in which nothing fired */
};

/* The domains of a target, by libclamav's roots; written out again on purpose. */
static uint32_t target_domains(unsigned target)
{
    switch (target) {
    case 3:
        return PREFILTER_HTML;
    case 4:
        return PREFILTER_RAW;
    case 5:
        return PREFILTER_IMAGE;
    case 7:
        return PREFILTER_TEXT;
    case 14:
        return PREFILTER_BINARY;
    case 1:
    case 2:
    case 6:
    case 9:
    case 10:
    case 11:
    case 12:
        return 0;
    default:
        return PREFILTER_ALL;
    }
}

/* No message begins with anything but our own field. */
static bool never_in(const struct verifier *verifier, uint32_t domain)
{
    size_t length =
        verifier->start.length < MIME_START_BYTES ? verifier->start.length : MIME_START_BYTES;

    return domain == PREFILTER_RAW && length > 0 &&
           memcmp(verifier->start.bytes, MIME_START, length) != 0;
}

static void try_domain(struct seen *seen, const struct source_signature *signature, uint32_t domain,
                       unsigned tries)
{
    for (unsigned i = 0; i < tries; i++) {
        if (!verify_make(&seen->verifier, signature->necessary) ||
            never_in(&seen->verifier, domain))
            continue;
        searcher_reset(seen->searcher);
        searcher_buffer(seen->searcher, domain, seen->verifier.buffer.bytes,
                        seen->verifier.buffer.length);
        seen->buffers++;
        if (!searcher_fires(seen->searcher, seen->next)) {
            seen->silent++;
            print_error("%s (%s:%u): nothing fires in domain %u\n", signature->name,
                        signature->file, signature->line, domain);
            return;
        }
    }
}

static void see_signature(void *context, const struct source_signature *signature)
{
    struct seen *seen = context;
    const struct prefilter *prefilter = seen->prefilter;
    uint32_t domains = target_domains(signature->target);
    uint32_t at = seen->next;
    unsigned tries = signature->necessary->nodes + TRIES_MIN;

    if (domains == 0 || signature->container_never)
        return;
    seen->signatures++;
    while (at < prefilter->header->signatures.count &&
           strcmp(prefilter_name(prefilter, at), signature->name) != 0)
        at++;
    if (at == prefilter->header->signatures.count) {
        seen->missing++;
        print_error("%s (%s:%u): not in the prefilter\n", signature->name, signature->file,
                    signature->line);
        return;
    }
    seen->next = at;
    for (uint32_t domain = 1; domain <= PREFILTER_BINARY; domain *= 2) {
        if ((domains & domain) != 0)
            try_domain(seen, signature, domain, tries < TRIES_MAX ? tries : TRIES_MAX);
    }
    seen->next++;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Builds from `path` and tries every signature of it. */
static void try_database(const char *path, unsigned signatures_min)
{
    struct build_options options = {.database = path, .library_table = table, .output = output};
    struct build_report report = {0};
    struct prefilter prefilter;
    struct seen seen = {.prefilter = &prefilter, .verifier = {.random = 88172645463325252}};
    struct source_sink sink = {.context = &seen, .signature = see_signature};
    struct why why;

    if (build_prefilter(&options, &report, &why) != STATUS_OK)
        fail_msg("%s", why.text);
    assert_int_equal(prefilter_open(&prefilter, output, &why), STATUS_OK);
    seen.searcher = searcher_create(&prefilter);
    assert_int_equal(source_read(path, &sink, &why), STATUS_OK);
    print_message("%s: %u signatures that mail could match (%llu always), %u buffers\n", path,
                  seen.signatures, (unsigned long long)report.always.count, seen.buffers);
    assert_int_equal(seen.missing, 0);
    assert_int_equal(seen.silent, 0);
    assert_true(seen.signatures >= signatures_min);
    assert_true(seen.buffers >= seen.signatures);
    searcher_destroy(seen.searcher);
    verifier_free(&seen.verifier);
    prefilter_close(&prefilter);
    build_report_free(&report);
    unlink(output);
}

static void test_own(void **state)
{
    (void)state;
    snprintf(database, sizeof(database), "%s/own.ndb", directory);
    write_text(database, own_ndb);
    try_database(database, 13);
    unlink(database);
    snprintf(database, sizeof(database), "%s/own.ldb", directory);
    write_text(database, own_ldb);
    try_database(database, 5);
    unlink(database);
}

/* Unpacks when it has to. */
static void copy_database(const char *from, const char *to)
{
    static char buffer[65536];
    gzFile in = gzopen(from, "rb"); /* reads plain files as well */
    FILE *out = fopen(to, "wb");
    int length;

    assert_non_null(in);
    assert_non_null(out);
    while ((length = gzread(in, buffer, sizeof(buffer))) > 0)
        assert_int_equal(fwrite(buffer, 1, (size_t)length, out), length);
    assert_int_equal(length, 0);
    assert_int_equal(gzclose(in), Z_OK);
    assert_int_equal(fclose(out), 0);
}

/* Whether it is a body signature file; `name` loses its ".gz". */
static bool body_file(char *name)
{
    static const char *const endings[] = {".ndb", ".ldb", ".yar", ".yara"};
    size_t length = strlen(name);

    if (length > 3 && strcmp(name + length - 3, ".gz") == 0)
        name[length - 3] = '\0';
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        const char *dot = strrchr(name, '.');

        if (dot != NULL && strcmp(dot, endings[i]) == 0)
            return true;
    }
    return false;
}

static unsigned try_folder(const char *folder)
{
    DIR *listing = opendir(folder);
    struct dirent *entry;
    unsigned count = 0;

    if (listing == NULL)
        return 0;
    while ((entry = readdir(listing)) != NULL) {
        char from[1024], name[256];

        snprintf(name, sizeof(name), "%s", entry->d_name);
        if (!body_file(name))
            continue;
        snprintf(from, sizeof(from), "%s/%s", folder, entry->d_name);
        snprintf(database, sizeof(database), "%s/%.64s", directory, name);
        copy_database(from, database);
        try_database(database, 0);
        unlink(database);
        count++;
    }
    closedir(listing);
    return count;
}

static void test_public_sets(void **state)
{
    static const char *const folders[] = {"", "/ditekshen", "/mandiant", "/clamav-unit"};
    unsigned count = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char folder[512];

        snprintf(folder, sizeof(folder), "%s/signatures%s", data, folders[i]);
        count += try_folder(folder);
    }
    if (count == 0) {
        print_message("SKIPPED: no signatures below %s/signatures\n", data);
        skip();
    }
}

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(table, sizeof(table), "%s/table", directory);
    snprintf(output, sizeof(output), "%s/prefilter", directory);
    write_text(table, "version 1.4.6\nflevel 216\n"
                      "type 0:0:255044462d:PDF document:CL_TYPE_ANY:CL_TYPE_PDF\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(table) != 0 || rmdir(directory) != 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_public_sets),
    };

    data = getenv("POSTERN_DATA");
    if (data == NULL)
        data = argc > 1 ? argv[1] : "../shared/data";
    return cmocka_run_group_tests(tests, setup, teardown);
}
