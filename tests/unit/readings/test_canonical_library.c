/* What the writer writes, libclamav takes apart into the very bytes it was given, as parts of a
 * mail, and Python's email as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "signatures/content/readings/canonical.h"
#include "signatures/scanner/engine.h"

#define PATH_BYTES 64u
#define BODY_ROOM  5000u

static char base[PATH_BYTES];
static const char *reader; /* the Python script */

static uint8_t body[BODY_ROOM];

static const struct reading_part parts[] = {
    {(const uint8_t *)"MZ, and no more", 15, "application/x-dosexec", "a.exe"},
    {(const uint8_t *)"text\r\nof two lines, ends", 24, "text/plain", ""},
    {(const uint8_t *)"text\r\nof two lines, ends\r\n", 26, "text/plain", ""},
    {(const uint8_t *)"--=_reading_--\r\n\0\xff after it", 27, "multipart/mixed",
     "b\"; x=\r\n\r\n"},
    {(const uint8_t *)"From: a\r\nSubject: b\r\n\r\nc is long enough\r\n", 41, "message/rfc822",
     ""},
    {body, 4999, "", "../../etc/passwd%00.jpg"},
    {(const uint8_t *)"<html>eight</html>", 18, "text/html", "\xe4.html"},
};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (uint8_t)(i * 7 + i / 251);
    (void)snprintf(base, sizeof(base), "/tmp/postern-canonical-XXXXXX");
    return mkdtemp(base) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    char command[PATH_BYTES + 16];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", base);
    return system(command); /* NOLINT(cert-env33-c): our own directory */
}

static void path_of(const char *name, char path[2 * PATH_BYTES])
{
    (void)snprintf(path, 2 * (size_t)PATH_BYTES, "%s/%s", base, name);
}

static void put(const char *name, const void *bytes, size_t length)
{
    char path[2 * PATH_BYTES];
    FILE *file;

    path_of(name, path);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void write_mail(struct canonical *mail)
{
    assert_int_equal(canonical_begin(mail), STATUS_OK);
    for (unsigned i = 0; i < PARTS; i++)
        assert_int_equal(canonical_add(mail, &parts[i]), STATUS_OK);
    assert_int_equal(canonical_end(mail), STATUS_OK);
}

static off_t read_mail(void *context, void *to, size_t count, off_t offset)
{
    const struct canonical *mail = context;

    if (offset < 0 || (size_t)offset > mail->length)
        return -1;
    if (count > mail->length - (size_t)offset)
        count = mail->length - (size_t)offset;
    memcpy(to, mail->bytes + offset, count);
    return (off_t)count;
}

/* What the mail is called with that database alone; empty: clean. */
static void scan(const char *database, const char *text, char name[SCAN_NAME_BYTES])
{
    struct engine_options options;
    struct config_scanner scanner;
    struct engine *engine;
    struct why why = {""};
    char path[2 * PATH_BYTES];
    struct canonical mail = {0};
    struct scan_result result = {0};
    struct engine_input input;

    put(database, text, strlen(text));
    path_of(database, path);
    config_scanner_defaults(&scanner);
    engine_options_set(&options, &scanner);
    options.database = path;
    if (engine_open(&engine, &options, &why) != STATUS_OK)
        fail_msg("%s", why.text);
    assert_int_equal(engine_use_scratch(engine, base), STATUS_OK);
    write_mail(&mail);
    input = (struct engine_input){read_mail, &mail, (uint32_t)mail.length};
    engine_scan(engine, &input, &result);
    assert_int_equal(result.verdict, result.name[0] != '\0' ? VERDICT_INFECTED : VERDICT_CLEAN);
    memcpy(name, result.name, SCAN_NAME_BYTES);
    canonical_free(&mail);
    engine_close(engine);
}

static void hash_line(const struct reading_part *part, size_t length, char line[160])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];

    (void)SHA256(part->bytes, length, digest);
    for (unsigned i = 0; i < sizeof(digest); i++)
        (void)snprintf(line + 2 * (size_t)i, 3, "%02x", digest[i]);
    (void)snprintf(line + 64, 96, ":%zu:Test.Hash:73\n", length);
}

/* Each part's hash is found, and that of one byte less is not. */
static void test_hashes(void **state)
{
    char line[160];
    char name[SCAN_NAME_BYTES];

    (void)state;
    for (unsigned i = 0; i < PARTS; i++) {
        hash_line(&parts[i], parts[i].length, line);
        scan("test.hsb", line, name);
        assert_string_equal(name, "Test.Hash.UNOFFICIAL");
        hash_line(&parts[i], parts[i].length - 1, line);
        scan("test.hsb", line, name);
        assert_string_equal(name, "");
    }
}

/* A part is inside a mail to a rule that asks for it, and has its name. */
static void test_containers(void **state)
{
    char name[SCAN_NAME_BYTES];

    (void)state;
    scan("test.ldb",
         "Test.Inside;Engine:81-255,Container:CL_TYPE_MAIL,Target:0;0;0:4d5a2c20616e64\n", name);
    assert_string_equal(name, "Test.Inside.UNOFFICIAL");
    scan("test.ldb",
         "Test.Inside;Engine:81-255,Container:CL_TYPE_ZIP,Target:0;0;0:4d5a2c20616e64\n", name);
    assert_string_equal(name, "");
    scan("test.cdb", "Test.Name:CL_TYPE_MAIL:*:^a\\.exe$:*:*:*:*:*:*\n", name);
    assert_string_equal(name, "Test.Name.UNOFFICIAL");
    scan("test.cdb", "Test.Name:CL_TYPE_MAIL:*:^b\\.exe$:*:*:*:*:*:*\n", name);
    assert_string_equal(name, "");
}

static void test_python(void **state)
{
    struct canonical mail = {0};
    char command[512];
    char name[16];

    (void)state;
    write_mail(&mail);
    put("mail.eml", mail.bytes, mail.length);
    for (unsigned i = 0; i < PARTS; i++) {
        (void)snprintf(name, sizeof(name), "part%u", i);
        put(name, parts[i].bytes, parts[i].length);
    }
    (void)snprintf(command, sizeof(command), "/usr/bin/python3 %s %s %zu", reader, base, PARTS);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): our own words */
    canonical_free(&mail);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_python),
    };

    if (argc != 2)
        return EXIT_FAILURE;
    reader = argv[1];
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
