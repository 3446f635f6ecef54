/* What a file becomes in the region, read back the way a scanner reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/offline/mail_file.h"
#include "platform/link/message_view.h"

#define TRACE                                    \
    "Received: from localhost ([127.0.0.1])\r\n" \
    "\tby mx1.example.net with ESMTP id OFFLINE0; Sat, 21 Nov 2026 16:07:03 +0000\r\n"

struct rig {
    struct region region;
    struct store store;
    struct mail_file mail_file;
    char path[64];
};

static int setup(void **state)
{
    const struct region_plan plan = {.worker_count = 1, .message_count = 4, .block_count = 64};
    struct rig *rig = calloc(1, sizeof(*rig));
    int fd;

    assert_non_null(rig);
    assert_int_equal(region_create(&rig->region, &plan, REGION_PAGES_NORMAL), STATUS_OK);
    assert_int_equal(store_init(&rig->store, &rig->region, 0, 0, 64, 0, 4), STATUS_OK);
    snprintf(rig->path, sizeof(rig->path), "/tmp/postern-test-XXXXXX");
    fd = mkstemp(rig->path);
    assert_true(fd >= 0);
    close(fd);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(rig->store.free_count, 64);
    unlink(rig->path);
    mail_file_free(&rig->mail_file);
    store_fini(&rig->store);
    region_close(&rig->region);
    free(rig);
    return 0;
}

static void write_file(const struct rig *rig, const void *bytes, size_t length)
{
    FILE *file = fopen(rig->path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Stores what is in `mail_file` and compares it, byte for byte. */
static void expect_stored(struct rig *rig, const char *expected, size_t length, size_t trace_size)
{
    struct message *message = message_take(&rig->store);
    struct message_view view;
    char *stored = malloc(length + 2);

    assert_non_null(message);
    assert_non_null(stored);
    snprintf(message->id, sizeof(message->id), "OFFLINE0");
    assert_int_equal(
        mail_file_store(&rig->mail_file, &rig->store, message, "mx1.example.net", 1795277223),
        STATUS_OK);
    assert_int_equal(mail_file_message_bytes(&rig->mail_file) + trace_size, message->shared->size);
    assert_int_equal(message->shared->size, length);
    assert_int_equal(message->shared->trace_size, trace_size);
    assert_int_equal(message_view_open(&view, &rig->region, message->index, message->generation,
                                       message->shared->size),
                     STATUS_OK);
    assert_int_equal(message_view_read(&view, 0, stored, length + 1), length);
    assert_memory_equal(stored, expected, length);
    message_view_close(&view);
    message_give(&rig->store, message);
    free(stored);
}

static void expect(struct rig *rig, const char *file, const char *expected)
{
    bool mail = strncmp(expected, TRACE, strlen(TRACE)) == 0;

    write_file(rig, file, strlen(file));
    assert_int_equal(mail_file_read(&rig->mail_file, rig->path, 100000), STATUS_OK);
    assert_int_equal(rig->mail_file.kind, mail ? MAIL_FILE_MESSAGE : MAIL_FILE_OTHER);
    expect_stored(rig, expected, strlen(expected), mail ? strlen(TRACE) : 0);
}

static void test_mail_with_crlf_is_kept(void **state)
{
    expect(*state, "Subject: a\r\n\r\nb\nc\r\n", TRACE "Subject: a\r\n\r\nb\nc\r\n");
}

static void test_mail_with_lf_is_converted(void **state)
{
    expect(*state, "Subject: a\n\nb\n\rc\n", TRACE "Subject: a\r\n\r\nb\r\n\rc\r\n");
}

static void test_last_line_is_ended(void **state)
{
    expect(*state, "Subject: a\n\nb", TRACE "Subject: a\r\n\r\nb\r\n");
    expect(*state, "Subject: a\r\n\r\nb", TRACE "Subject: a\r\n\r\nb\r\n");
    expect(*state, "Subject: a\r\n\r\nb\n", TRACE "Subject: a\r\n\r\nb\n\r\n");
    expect(*state, "Subject: a", TRACE "Subject: a\r\n");
}

static void test_mbox_line_is_dropped(void **state)
{
    expect(*state, "From a@b Sat Nov 21\nSubject: a\n\nb\n", TRACE "Subject: a\r\n\r\nb\r\n");
    expect(*state, "From a@b Sat Nov 21\r\nSubject: a\r\n\r\nb\r\n",
           TRACE "Subject: a\r\n\r\nb\r\n");
    expect(*state, "From a\n", TRACE);
}

static void test_other_files_are_kept(void **state)
{
    static const char *const files[] = {
        "%PDF-1.4\nx: y\n",
        "hello\nSubject: a\n",
        ": a\n",
        " Subject: a\n",
        "Sub ject: a\n",
        "From",
        "From here without an end",
        "\x80yte: a\n",
        "Subject",
        "<a: b>\n\0",
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i][0] == '<')
            continue; /* "<a:" is a field name by the grammar, odd as it looks */
        expect(*state, files[i], files[i]);
    }
    expect(*state, "<a: b>\n", TRACE "<a: b>\r\n");
}

static void test_obsolete_space_before_the_colon(void **state)
{
    expect(*state, "Subject \t: a\n", TRACE "Subject \t: a\r\n");
}

static void test_bytes_of_a_file_are_kept(void **state)
{
    struct rig *rig = *state;
    char bytes[50000];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7 + i / 256);
    bytes[0] = '\0';
    write_file(rig, bytes, sizeof(bytes));
    assert_int_equal(mail_file_read(&rig->mail_file, rig->path, sizeof(bytes)), STATUS_OK);
    expect_stored(rig, bytes, sizeof(bytes), 0);
}

static void test_limit_counts_what_is_stored(void **state)
{
    struct rig *rig = *state;
    const char *mail = "A: b\n\nc\n"; /* 11 bytes with CRLF */

    write_file(rig, mail, strlen(mail));
    assert_int_equal(mail_file_read(&rig->mail_file, rig->path, 11), STATUS_OK);
    assert_int_equal(mail_file_read(&rig->mail_file, rig->path, 10), STATUS_NO_SPACE);
    assert_int_equal(rig->mail_file.kind, MAIL_FILE_MESSAGE);
    write_file(rig, "0123456789", 10);
    assert_int_equal(mail_file_read(&rig->mail_file, rig->path, 10), STATUS_OK);
    assert_int_equal(mail_file_read(&rig->mail_file, rig->path, 9), STATUS_NO_SPACE);
}

static void test_store_that_is_too_small(void **state)
{
    struct rig *rig = *state;
    size_t size = 64 * MESSAGE_BLOCK_BYTES;
    char *bytes = calloc(1, size);
    struct message *message = message_take(&rig->store);

    assert_non_null(bytes);
    write_file(rig, bytes, size);
    free(bytes);
    assert_int_equal(mail_file_read(&rig->mail_file, rig->path, size), STATUS_OK);
    assert_int_equal(mail_file_store(&rig->mail_file, &rig->store, message, "h", 0),
                     STATUS_NO_SPACE);
    message_give(&rig->store, message);
}

static void test_what_cannot_be_read(void **state)
{
    struct rig *rig = *state;

    unlink(rig->path);
    assert_int_equal(mail_file_read(&rig->mail_file, rig->path, 10), STATUS_SYSTEM);
    assert_int_equal(mkfifo(rig->path, 0600), 0);
    assert_int_equal(mail_file_read(&rig->mail_file, rig->path, 10), STATUS_SYSTEM);
    assert_int_equal(mail_file_read(&rig->mail_file, "/tmp", 10), STATUS_SYSTEM);
}

int main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_mail_with_crlf_is_kept),   CASE(test_mail_with_lf_is_converted),
        CASE(test_last_line_is_ended),       CASE(test_mbox_line_is_dropped),
        CASE(test_other_files_are_kept),     CASE(test_obsolete_space_before_the_colon),
        CASE(test_bytes_of_a_file_are_kept), CASE(test_limit_counts_what_is_stored),
        CASE(test_store_that_is_too_small),  CASE(test_what_cannot_be_read),
    };
#undef CASE

    return cmocka_run_group_tests(tests, NULL, NULL);
}
