/* A log that nobody reads, reads late, or reads slowly: nobody waits for it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "platform/log/writer.h"

#define QUEUE_BYTES 65536u
#define WAIT_NS     (5 * CLOCK_NS_PER_SECOND)

struct rig {
    int ends[2]; /* reading, writing */
    struct log_writer writer;
    char *read; /* all that came out */
    size_t read_bytes;
};

static void rig_open(struct rig *rig, bool socket)
{
    *rig = (struct rig){.read = calloc(1, 4 * 1024 * 1024)};
    assert_non_null(rig->read);
    (void)signal(SIGPIPE, SIG_IGN);
    if (socket)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, rig->ends), 0);
    else
        assert_int_equal(pipe(rig->ends), 0);
    assert_int_equal(fcntl(rig->ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(log_writer_open(&rig->writer, rig->ends[1], QUEUE_BYTES), STATUS_OK);
    assert_true(socket ? rig->writer.socket : rig->writer.own);
}

static void rig_close(struct rig *rig)
{
    log_writer_close(&rig->writer);
    close(rig->ends[0]);
    close(rig->ends[1]);
    free(rig->read);
}

static void rig_read(struct rig *rig)
{
    ssize_t length;

    while ((length = read(rig->ends[0], rig->read + rig->read_bytes, 65536)) > 0)
        rig->read_bytes += (size_t)length;
}

static void rig_read_all(struct rig *rig)
{
    for (unsigned i = 0; i < 1000; i++) {
        rig_read(rig);
        log_writer_flush(&rig->writer);
    }
    rig_read(rig);
    assert_false(log_writer_pending(&rig->writer));
}

static void rig_say(struct rig *rig, enum log_urgency urgency, unsigned number)
{
    char line[256];
    int length = snprintf(line, sizeof(line), "%s %u %0*u\n",
                          urgency == LOG_FIRST ? "mail" : "reject", number, 40 + number % 100, 0);

    log_writer_add(&rig->writer, urgency, line, (size_t)length);
}

/* Counts lines that begin with `word`, in order and whole; returns the number of the last. */
static unsigned count_lines(const struct rig *rig, const char *word)
{
    unsigned count = 0;
    unsigned last = 0;
    const char *next;

    for (const char *line = rig->read; *line != '\0'; line = next + 1) {
        unsigned number;

        next = strchr(line, '\n');
        assert_non_null(next);
        if (strncmp(line, word, strlen(word)) != 0)
            continue;
        number = (unsigned)strtoul(line + strlen(word), NULL, 10);
        assert_true(count == 0 || number > last);
        last = number;
        count++;
    }
    return count;
}

/* Flags of the descriptor that others share stay as they are. */
static void assert_blocking(const struct rig *rig)
{
    assert_int_equal(fcntl(rig->ends[1], F_GETFL) & O_NONBLOCK, 0);
}

static void assert_unread(bool socket)
{
    struct rig rig;
    int64_t began_ns = clock_monotonic_ns();
    unsigned kept;
    unsigned long long lost_first = 0;
    unsigned long long lost_later = 0;
    const char *told;

    rig_open(&rig, socket);
    assert_blocking(&rig);
    for (unsigned i = 0; i < 20000; i++)
        rig_say(&rig, i % 10 == 0 ? LOG_FIRST : LOG_LATER, i);
    /* Nobody waited, though nothing was read. */
    assert_true(clock_monotonic_ns() - began_ns < WAIT_NS);
    assert_true(log_writer_pending(&rig.writer));
    assert_true(rig.writer.lost_total > 1000);
    rig_read_all(&rig);
    kept = count_lines(&rig, "mail ") + count_lines(&rig, "reject ");
    told = strstr(rig.read, "log: nobody read it");
    assert_non_null(told);
    assert_int_equal(sscanf(strstr(told, "lost: "),
                            "lost: %llu, and of refused commands: %llu", /* NOLINT */
                            &lost_first, &lost_later),
                     2);
    assert_int_equal(lost_first + lost_later, rig.writer.lost_total);
    assert_int_equal(kept + lost_first + lost_later, 20000);
    rig_close(&rig);
}

static void test_unread(void **state)
{
    (void)state;
    assert_unread(false);
    assert_unread(true);
}

/* Ten thousand refused commands take nothing from one mail's line, nor its turn. */
static void test_mail_goes_first(void **state)
{
    struct rig rig;
    const char *mail;
    const char *last;

    (void)state;
    rig_open(&rig, false);
    for (unsigned i = 0; i < 10000; i++)
        rig_say(&rig, LOG_LATER, i);
    for (unsigned i = 0; i < 100; i++)
        rig_say(&rig, LOG_FIRST, i);
    rig_read_all(&rig);
    assert_int_equal(count_lines(&rig, "mail "), 100);
    mail = strstr(rig.read, "mail 99 ");
    last = rig.read;
    for (const char *at = rig.read; (at = strstr(at, "reject ")) != NULL; at++)
        last = at;
    assert_non_null(mail);
    assert_true(mail < last);
    rig_close(&rig);
}

/* Lines longer than what a pipe takes at once come out whole, in their place. */
static void test_long_lines(void **state)
{
    enum { LENGTH = 16000 };
    static char line[LENGTH];
    unsigned whole = 0;
    struct rig rig;

    (void)state;
    rig_open(&rig, false);
    memset(line, 'x', sizeof(line));
    line[0] = '<';
    line[LENGTH - 2] = '>';
    line[LENGTH - 1] = '\n';
    for (unsigned i = 0; i < 6; i++) {
        log_writer_add(&rig.writer, i % 2 ? LOG_LATER : LOG_FIRST, line, sizeof(line));
        rig_say(&rig, LOG_FIRST, i);
    }
    rig_read_all(&rig);
    assert_int_equal(count_lines(&rig, "mail "), 6);
    for (const char *at = rig.read; (at = strchr(at, '<')) != NULL; at++) {
        assert_int_equal(at[LENGTH - 2], '>');
        whole++;
    }
    assert_int_equal(whole, 6);
    rig_close(&rig);
}

/* The reader has gone: no signal, no waiting, no growing. */
static void test_nobody_will_ever_read(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, false);
    close(rig.ends[0]);
    for (unsigned i = 0; i < 5000; i++)
        rig_say(&rig, LOG_FIRST, i);
    assert_false(log_writer_pending(&rig.writer));
    rig.ends[0] = dup(rig.ends[1]);
    rig_close(&rig);
}

static void test_file(void **state)
{
    char name[] = "/tmp/postern-writer-XXXXXX";
    int fd = mkstemp(name);
    struct log_writer writer;
    char got[16] = "";

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(log_writer_open(&writer, fd, QUEUE_BYTES), STATUS_OK);
    log_writer_add(&writer, LOG_FIRST, "a\nb\n", 4);
    assert_false(log_writer_pending(&writer));
    log_writer_close(&writer);
    assert_int_equal(pread(fd, got, sizeof(got) - 1, 0), 4);
    assert_string_equal(got, "a\nb\n");
    close(fd);
    assert_int_equal(unlink(name), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unread),     cmocka_unit_test(test_mail_goes_first),
        cmocka_unit_test(test_long_lines), cmocka_unit_test(test_nobody_will_ever_read),
        cmocka_unit_test(test_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
