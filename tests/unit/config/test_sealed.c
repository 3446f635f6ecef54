/* A configuration on its way from the one reader to the programs: sealed, numbered, offered,
 * answered; and what is not as it should be is refused. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/config/changes.h"
#include "platform/config/sealed.h"
#include "platform/config/source.h"
#include "sample.h"

/* Seals the text as `number`; the caller closes. */
static int seal(const char *text, uint32_t number)
{
    struct config_errors errors;
    struct config *config = NULL;
    int fd = -1;

    assert_int_equal(sample_load_all(text, strlen(text), &config, &errors), STATUS_OK);
    config_free(config);
    assert_int_equal(sealed_make(sample_path(), number, &config, &fd, &errors), STATUS_OK);
    assert_int_equal(config->number, number);
    config_free(config);
    return fd;
}

static void what_was_sealed_is_opened(void **state)
{
    int fd = seal(sample_full, 3);
    struct config_errors errors;
    struct config *config = NULL;
    struct config *direct = NULL;

    (void)state;
    assert_int_equal(sealed_open(fd, &config, &errors), STATUS_OK);
    assert_int_equal(config->number, 3);
    assert_int_not_equal(config->digest, 0);
    assert_string_equal(config->file, sample_path());
    assert_int_equal(sample_load_all(sample_full, strlen(sample_full), &direct, &errors),
                     STATUS_OK);
    assert_memory_equal(&config->limits, &direct->limits, sizeof(config->limits));
    assert_int_equal(config->customer_count, direct->customer_count);
    assert_string_equal(config_customer_of(config, "example.com", 11)->name, "other");
    config_free(direct);
    config_free(config);
    close(fd);
}

static void nobody_can_change_it(void **state)
{
    int fd = seal(sample_minimal, 1);

    (void)state;
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 10), -1);
    assert_int_equal(ftruncate(fd, 1 << 20), -1);
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    close(fd);
}

static void a_bad_file_is_not_sealed(void **state)
{
    struct config_errors errors;
    struct config *config = NULL;
    int fd = -1;

    (void)state;
    (void)sample_load_all("nonsense: 1\n", 12, &config, &errors);
    assert_int_equal(sealed_make(sample_path(), 1, &config, &fd, &errors), STATUS_BAD_CONFIG);
    assert_null(config);
    assert_int_equal(fd, -1);
    assert_true(errors.count >= 3);
}

static void refuse(int fd, const char *why)
{
    struct config_errors errors;
    struct config *config = NULL;

    assert_int_equal(sealed_open(fd, &config, &errors), STATUS_BAD_FORMAT);
    assert_null(config);
    if (!strstr(errors.list[0].text, why))
        fail_msg("expected %s: %s", why, errors.list[0].text);
    close(fd);
}

/* A copy of the sealed file with the byte at `at` (from the end when negative) changed. */
static int forge(int original, off_t at, size_t cut, unsigned seals)
{
    static char bytes[1 << 16];
    ssize_t size = pread(original, bytes, sizeof(bytes), 0);
    int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_true(size > 0 && (size_t)size < sizeof(bytes) && fd >= 0);
    bytes[at < 0 ? size + at : at] ^= 1;
    assert_int_equal(write(fd, bytes, (size_t)size - cut), size - (ssize_t)cut);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void what_is_not_as_it_says_is_refused(void **state)
{
    const unsigned all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    int good = seal(sample_minimal, 1);

    (void)state;
    refuse(forge(good, 0, 0, all), "no configuration of this version");
    refuse(forge(good, -3, 0, all), "digest");
    refuse(forge(good, -1, 1, all), "as long as it says");
    refuse(forge(good, -1, 150, all), "as long as it says");
    refuse(forge(good, -3, 0, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), "not sealed");
    refuse(forge(good, -3, 0, F_SEAL_SHRINK), "not sealed");
    refuse(open("/dev/null", O_RDONLY | O_CLOEXEC), "not sealed");
    close(good);
}

static void offers_and_answers(void **state)
{
    struct feed_answer said = {.number = 4, .oldest = 3, .live = 2, .why = "messages"};
    struct feed_answer heard;
    struct feed_view view = {.number = 4, .count = 1};
    struct feed_view seen;
    enum feed_kind kind;
    int fd = seal(sample_minimal, 4);
    int supervisor;
    int program;
    int got = -1;

    (void)state;
    assert_int_equal(feed_pair(&supervisor, &program), STATUS_OK);
    assert_int_equal(feed_take(program, &kind, &got, &seen), STATUS_AGAIN);
    assert_int_equal(feed_wait(program, 1000000), STATUS_TIMED_OUT);
    assert_int_equal(feed_offer(supervisor, fd), STATUS_OK);
    assert_int_equal(feed_wait(program, 1000000), STATUS_OK);
    assert_int_equal(feed_take(program, &kind, &got, &seen), STATUS_OK);
    assert_int_equal(kind, FEED_OFFER);
    assert_true(got >= 0 && (fcntl(got, F_GETFD) & FD_CLOEXEC) != 0);
    close(got);
    (void)snprintf(view.lines[0].name, sizeof(view.lines[0].name), "postern-control");
    assert_int_equal(feed_show(supervisor, &view), STATUS_OK);
    assert_int_equal(feed_take(program, &kind, &got, &seen), STATUS_OK);
    assert_int_equal(kind, FEED_VIEW);
    assert_memory_equal(&seen, &view, sizeof(view));
    feed_answer(program, &said);
    assert_int_equal(feed_hear(supervisor, &heard), STATUS_OK);
    assert_memory_equal(&heard, &said, sizeof(said));
    assert_int_equal(feed_hear(supervisor, &heard), STATUS_AGAIN);
    close(program);
    assert_int_equal(feed_hear(supervisor, &heard), STATUS_CLOSED);
    assert_int_equal(feed_offer(supervisor, fd), STATUS_CLOSED);
    close(supervisor);
    close(fd);
}

static void nonsense_on_a_feed_is_refused(void **state)
{
    struct feed_view view = {.count = FEED_PROGRAMS_MAX + 1};
    struct feed_answer heard;
    enum feed_kind kind;
    int supervisor;
    int program;
    int got = -1;

    (void)state;
    assert_int_equal(feed_pair(&supervisor, &program), STATUS_OK);
    assert_int_equal(send(supervisor, "x", 1, 0), 1);
    assert_int_equal(feed_take(program, &kind, &got, NULL), STATUS_BROKEN_PEER);
    assert_int_equal(feed_show(supervisor, &view), STATUS_OK);
    assert_int_equal(feed_take(program, &kind, &got, &view), STATUS_BROKEN_PEER);
    assert_int_equal(send(program, "xyz", 3, 0), 3);
    assert_int_equal(feed_hear(supervisor, &heard), STATUS_BROKEN_PEER);
    close(program);
    close(supervisor);
}

/* A program's side: the first, the newest of several, nothing older, and what cannot be used. */
static void a_source_takes_the_newest(void **state)
{
    struct config_source source;
    struct config_error error;
    struct feed_answer heard;
    struct config *config = NULL;
    char number[16];
    int supervisor;
    int program;

    (void)state;
    assert_int_equal(feed_pair(&supervisor, &program), STATUS_OK);
    (void)snprintf(number, sizeof(number), "%d", program);
    assert_false(source_parse(&source, "--config-fd", "x"));
    assert_false(source_parse(&source, "--config-fd", "-1"));
    assert_false(source_parse(&source, "--config-fd", "1000"));
    assert_false(source_parse(&source, "-x", number));
    assert_true(source_parse(&source, "--config-fd", number));
    for (uint32_t i = 1; i <= 3; i++) {
        int fd = seal(sample_minimal, i);

        assert_int_equal(feed_offer(supervisor, fd), STATUS_OK);
        close(fd);
    }
    assert_int_equal(source_first(&source, &config, &error), STATUS_OK);
    assert_int_equal(config->number, 3);
    config_free(config);
    assert_int_equal(source_next(&source, &config, &error, NULL, NULL), STATUS_AGAIN);

    int old = seal(sample_minimal, 2);
    assert_int_equal(feed_offer(supervisor, old), STATUS_OK);
    close(old);
    assert_int_equal(source_next(&source, &config, &error, NULL, NULL), STATUS_STALE);
    assert_int_equal(feed_offer(supervisor, supervisor), STATUS_OK); /* no configuration at all */
    assert_int_equal(source_next(&source, &config, &error, NULL, NULL), STATUS_BAD_FORMAT);
    assert_non_null(strstr(error.text, "not sealed"));
    assert_int_equal(feed_hear(supervisor, &heard), STATUS_OK);
    assert_int_equal(heard.refused, 4);
    assert_non_null(strstr(heard.why, "not sealed"));
    source_answer(&source, 3, 3, 1, "");
    assert_int_equal(feed_hear(supervisor, &heard), STATUS_OK);
    assert_int_equal(heard.number, 3);
    assert_int_equal(heard.refused, 4); /* still true */

    close(supervisor);
    assert_int_equal(source_next(&source, &config, &error, NULL, NULL), STATUS_CLOSED);
    source_close(&source);
}

static void a_source_may_be_a_file(void **state)
{
    struct config_source source;
    struct config_error error;
    struct config *config = NULL;
    int fd = seal(sample_minimal, 9); /* only for what is in the file */

    (void)state;
    close(fd);
    assert_true(source_parse(&source, "-c", sample_path()));
    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(i == 1 ? source_first(&source, &config, &error)
                                : source_next(&source, &config, &error, NULL, NULL),
                         STATUS_OK);
        assert_int_equal(config->number, i);
        config_free(config);
    }
    source_answer(&source, 3, 3, 1, ""); /* to nobody */
    source_close(&source);
}

static unsigned changed(const char *old, const char *new, char *text, size_t size)
{
    struct config *before = NULL;
    struct config *after = NULL;
    struct config_error error;
    char *other = sample_replace(sample_full, old, new);
    unsigned count = 0;

    assert_int_equal(sample_load(sample_full, strlen(sample_full), &before, &error), STATUS_OK);
    if (sample_load(other, strlen(other), &after, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    count = changes_for_restart(before, after, text, size);
    config_free(before);
    config_free(after);
    free(other);
    return count;
}

static void what_needs_a_restart_is_named(void **state)
{
    char text[64];

    (void)state;
    assert_int_equal(changed("hostname: MX1", "hostname: MX2", text, sizeof(text)), 0);
    assert_string_equal(text, "");
    assert_int_equal(changed("port: 2526", "port: 2527", text, sizeof(text)), 0);
    assert_int_equal(changed("message_size: 20M", "message_size: 21M", text, sizeof(text)), 0);
    assert_int_equal(changed("messages: 1G", "messages: 2G", text, sizeof(text)), 1);
    assert_string_equal(text, "memory.messages");
    assert_int_equal(changed("mtu: 1400", "mtu: 1401", text, sizeof(text)), 1);
    assert_string_equal(text, "ports");
    assert_int_equal(changed("user: scan_user\n  time_limit: 1500ms", "user: x\n  time_limit: 2s",
                             text, sizeof(text)),
                     2);
    assert_string_equal(text, "scanner.user, scanner.time_limit");
    assert_int_equal(
        changed("user: scan_user\n  time_limit: 1500ms", "user: x\n  time_limit: 2s", text, 20), 2);
    assert_string_equal(text, "scanner.user...");
}

/* Fifty thousand customers: they load, each is found by its domains and its name. */
static void fifty_thousand_customers(void **state)
{
    enum { COUNT = 50000 };
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    struct config *config = NULL;
    struct config_error error;
    char name[64];

    (void)state;
    assert_non_null(to);
    fputs("hostname: mx.example\nports: [{kind: tap, interface: a, address: 10.0.0.1/8}]\n"
          "customers:\n",
          to);
    for (unsigned i = 0; i < COUNT; i++)
        fprintf(to,
                "  - {name: c%u, domains: [d%u.example, e%u.example], route: {host: 10.1.2.3}}\n",
                i, i, i);
    assert_int_equal(fclose(to), 0);
    if (sample_load(text, size, &config, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    for (unsigned i = 0; i < COUNT; i++) {
        const struct config_customer *customer = &config->customers[i];

        (void)snprintf(name, sizeof(name), "D%u.example", i);
        assert_ptr_equal(config_customer_of(config, name, strlen(name)), customer);
        (void)snprintf(name, sizeof(name), "e%u.example", i);
        assert_ptr_equal(config_customer_of(config, name, strlen(name)), customer);
        assert_ptr_equal(config_customer_named(config, customer->name), customer);
    }
    assert_null(config_customer_named(config, "c50000"));
    /* No chain that a look-up would have to walk grows with them. */
    assert_true(config->by_domain.probe_max < 64 && config->by_name.probe_max < 64);
    config_free(config);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_is_opened),
        cmocka_unit_test(nobody_can_change_it),
        cmocka_unit_test(a_bad_file_is_not_sealed),
        cmocka_unit_test(what_is_not_as_it_says_is_refused),
        cmocka_unit_test(offers_and_answers),
        cmocka_unit_test(nonsense_on_a_feed_is_refused),
        cmocka_unit_test(a_source_takes_the_newest),
        cmocka_unit_test(a_source_may_be_a_file),
        cmocka_unit_test(what_needs_a_restart_is_named),
        cmocka_unit_test(fifty_thousand_customers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
