/* What a configuration looks like as a file, and that it is one: it loads as the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/config/show.h"
#include "sample.h"

static struct config *load(const char *text)
{
    struct config *config = NULL;
    struct config_error error;

    if (sample_load(text, strlen(text), &config, &error) != STATUS_OK)
        fail_msg("%s in\n%s", error.text, text);
    return config;
}

/* The caller frees. */
static char *shown(const struct config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    assert_non_null(to);
    config_show(config, to);
    assert_int_equal(fclose(to), 0);
    return text;
}

static void is_read_back_as_the_same(void **state)
{
    const char *const samples[] = {sample_full, sample_minimal};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct config *config = load(samples[i]);
        char *text = shown(config);
        struct config *again = load(text);
        char *second = shown(again);
        struct config_customer *customers;

        assert_string_equal(text, second);
        /* Nothing but the addresses of lists and indexes may differ. */
        config_unindex(config);
        config_unindex(again);
        customers = again->customers;
        again->customers = config->customers;
        assert_memory_equal(config, again, sizeof(*config));
        again->customers = customers;
        config_free(again);
        config_free(config);
        free(second);
        free(text);
    }
}

static void has_every_value_of_the_full_sample(void **state)
{
    static const char *const lines[] = {
        "hostname: mx1.example.org\n",
        "log:\n  format: json\n",
        "ports:\n  - kind: tap\n    interface: postern0\n",
        "    mac: '02:00:00:00:00:1f'\n    address: 198.18.0.2/24\n    address6: "
        "'2001:db8::2/64'\n",
        "  workers: 2-4,8\n  scanners: 5-6\n  control: 0-1\n",
        "  message_size: 20M\n",
        "  time_limit: 1500ms\n",
        "  use: no\n",
        "unscannable: reject\ncustomers:\n",
        "    domains:\n      - example.org\n      - example.net\n"
        "    recipients:\n      - alice\n      - 'bob@example.net'\n    unscannable: reject\n",
        "    route:\n      host: relay.example.org\n      port: 2526\n      connections: 7\n",
        "      host: '::1'\n",
        "    route:\n      servers:\n        - host: first.example.org\n          port: 2527\n"
        "        - host: 192.0.2.7\n          port: 25\n      connections: 3\n",
    };
    struct config *config = load(sample_full);
    char *text = shown(config);

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (!strstr(text, lines[i]))
            fail_msg("not there: %s\nin: %s", lines[i], text);
    free(text);
    config_free(config);
}

static void defaults_say_what_may_be_written(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    (void)state;
    assert_non_null(to);
    config_show_defaults(to);
    assert_int_equal(fclose(to), 0);
    assert_non_null(strstr(text, "\nhostname: # mandatory; write a domain name"));
    assert_non_null(strstr(text, "\n  message_size: 50M # write a size in bytes or with K, M or G, "
                                 "from 1K to 100M\n"));
    assert_non_null(strstr(text, "\nports: # mandatory; write a list of 1 to 8 entries\n"
                                 "  - kind: # mandatory; write tap, af_packet or pci\n"
                                 "    interface: # write the name of a network interface"));
    assert_non_null(strstr(text, "\n    route:\n      servers: # mandatory; write a list of 1 to 8 "
                                 "entries\n        - host: # mandatory"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_read_back_as_the_same),
        cmocka_unit_test(has_every_value_of_the_full_sample),
        cmocka_unit_test(defaults_say_what_may_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
