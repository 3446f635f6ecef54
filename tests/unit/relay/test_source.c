/* Messages from a file go the same way as those from the region, and arrive the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/relay/file_source.h"
#include "tests/unit/relay/rig.h"

static size_t put_field(int fd, enum envelope_field field, const char *value)
{
    struct envelope_field_header header = {.field = (uint16_t)field,
                                           .length = (uint16_t)strlen(value)};

    assert_int_equal(write(fd, &header, sizeof(header)), sizeof(header));
    assert_int_equal(write(fd, value, header.length), header.length);
    return sizeof(header) + header.length;
}

static int put_file(const char *body, size_t length, size_t *envelope_bytes)
{
    int fd = memfd_create("message", MFD_CLOEXEC);

    assert_true(fd >= 0);
    *envelope_bytes = put_field(fd, ENVELOPE_SENDER, "sender@example.org");
    *envelope_bytes += put_field(fd, ENVELOPE_RECIPIENT, "user@acme.example");
    *envelope_bytes += put_field(fd, ENVELOPE_CUSTOMER, "acme");
    *envelope_bytes += put_field(fd, ENVELOPE_ENGINE, "ClamAV 1.4.6/27813");
    *envelope_bytes += put_field(fd, ENVELOPE_VERDICT, "clean");
    *envelope_bytes += put_field(fd, ENVELOPE_END, "");
    assert_int_equal(write(fd, RIG_TRACE, strlen(RIG_TRACE)), strlen(RIG_TRACE));
    assert_int_equal(write(fd, body, length), length);
    return fd;
}

static void test_a_file_is_delivered(void **state)
{
    enum { LENGTH = 61 * 5000 };
    static char body[LENGTH];
    const struct relay_job job = {.job = 7, .verdict = VERDICT_CLEAN};
    struct transaction *place = NULL;
    struct rig rig;
    struct source *source;
    size_t envelope_bytes;
    unsigned closed = 0;
    int fd;

    (void)state;
    for (size_t i = 0; i < LENGTH; i++)
        body[i] = (char)(i % 61 == 59 ? '\r' : i % 61 == 60 ? '\n' : i % 61 == 0 ? '.' : 'a');
    rig_open(&rig);
    rig_serve(&rig, "{}", 0);
    fd = put_file(body, LENGTH, &envelope_bytes);
    source = file_source_open(fd, envelope_bytes, strlen(RIG_TRACE), &closed);
    assert_non_null(source);
    relay_submit(rig.relay, &rig.owner, &job, 0, source, &place, loop_now_ns(&rig.loop));
    assert_non_null(place);
    source_give(source);
    assert_int_equal(closed, 0);
    rig_wait(&rig, 1);
    assert_int_equal(rig.results[0].code, 250);
    assert_true(rig.results[0].job == 7);
    assert_null(place);
    assert_int_equal(closed, 1);
    rig_assert_message(&rig, 0, body, LENGTH);
    rig_close(&rig);
}

/* A file that ends too early is not a shorter message. */
static void test_a_cut_file_is_not(void **state)
{
    const struct relay_job job = {.job = 8, .verdict = VERDICT_CLEAN};
    struct rig rig;
    struct source *source;
    size_t envelope_bytes;
    size_t unused;
    unsigned closed = 0;
    int fd;

    (void)state;
    rig_open(&rig);
    rig_serve(&rig, "{}", 0);
    fd = put_file("Subject: x\r\n\r\nx\r\n", 17, &envelope_bytes);
    source = file_source_open(fd, envelope_bytes, strlen(RIG_TRACE), &closed);
    assert_non_null(source);
    assert_int_equal(ftruncate(fd, (off_t)(envelope_bytes + strlen(RIG_TRACE) + 4)), 0);
    relay_submit(rig.relay, &rig.owner, &job, 0, source, NULL, loop_now_ns(&rig.loop));
    source_give(source);
    rig_wait(&rig, 1);
    assert_int_equal(rig.results[0].outcome, RELAY_REFUSED);
    assert_int_equal(closed, 1);
    assert_null(rig_file(&rig, "message.0", &unused));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_is_delivered),
        cmocka_unit_test(test_a_cut_file_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
