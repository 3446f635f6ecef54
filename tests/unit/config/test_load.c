#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sample.h"

#define SECOND INT64_C(1000000000)

static struct config *load(const char *text)
{
    struct config *config = NULL;
    struct config_error error;

    if (sample_load(text, strlen(text), &config, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    assert_non_null(config);
    assert_string_equal(config->file, sample_path());
    return config;
}

static void assert_cpus(const struct config_cpus *cpus, unsigned count, const unsigned *expected)
{
    assert_false(cpus->automatic);
    assert_int_equal(cpus->count, count);
    assert_memory_equal(cpus->cpu, expected, count * sizeof(*expected));
}

static void assert_policies(const enum config_policy *policies, enum config_policy expected)
{
    for (unsigned reason = 0; reason < CONFIG_REASONS; reason++)
        assert_int_equal(policies[reason], expected);
}

static void assert_default_policies(const enum config_policy *policies)
{
    for (unsigned reason = 0; reason < CONFIG_REASONS; reason++)
        assert_int_equal(policies[reason], reason == CONFIG_REASON_ENCRYPTED_MAIL
                                               ? CONFIG_POLICY_DELIVER
                                           : reason == CONFIG_REASON_FAILED ? CONFIG_POLICY_DEFER
                                                                            : CONFIG_POLICY_REJECT);
}

static void full_file_ports(void **state)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x1f};
    struct config *config = load(sample_full);
    const struct config_port *tap = &config->ports[0];
    const struct config_port *pci = &config->ports[1];
    const struct config_port *packet = &config->ports[2];

    (void)state;
    assert_int_equal(config->port_count, 3);
    assert_int_equal(tap->kind, CONFIG_PORT_TAP);
    assert_string_equal(tap->interface, "postern0");
    assert_string_equal(tap->network_namespace, "mail");
    assert_true(tap->has_mac);
    assert_memory_equal(tap->mac, mac, sizeof(mac));
    assert_int_equal(tap->address.s_addr, inet_addr("198.18.0.2"));
    assert_int_equal(tap->prefix_length, 24);
    assert_true(tap->has_address6);
    assert_int_equal(tap->prefix_length6, 64);
    assert_int_equal(tap->address6.s6_addr[0], 0x20);
    assert_int_equal(tap->address6.s6_addr[15], 2);
    assert_string_equal(tap->exception_interface, "host0");
    assert_string_equal(tap->exception_namespace, "host");
    assert_false(pci->has_address6);
    assert_string_equal(pci->exception_interface, "");
    assert_int_equal(tap->smtp_port, 2525);
    assert_int_equal(tap->mtu, 1400);
    assert_int_equal(tap->spreading, CONFIG_SPREADING_SOFTWARE);
    assert_false(tap->verify_rx_checksums);
    assert_int_equal(pci->kind, CONFIG_PORT_PCI);
    assert_string_equal(pci->pci_address, "0000:0a:00.1");
    assert_string_equal(pci->interface, "");
    assert_false(pci->has_mac);
    assert_int_equal(pci->prefix_length, 31);
    assert_int_equal(pci->spreading, CONFIG_SPREADING_RSS);
    assert_int_equal(packet->kind, CONFIG_PORT_AF_PACKET);
    assert_string_equal(packet->interface, "veth1");
    assert_int_equal(packet->smtp_port, 25);
    assert_int_equal(packet->mtu, 1500);
    assert_int_equal(packet->spreading, CONFIG_SPREADING_AUTO);
    assert_true(packet->verify_rx_checksums);
    config_free(config);
}

static void full_file_process_settings(void **state)
{
    struct config *config = load(sample_full);

    (void)state;
    assert_string_equal(config->hostname, "mx1.example.org");
    assert_string_equal(config->postmaster, "admin@example.net");
    assert_string_equal(config->runtime_directory, "/run/other");
    assert_string_equal(config->state_directory, "/var/lib/other");
    assert_string_equal(config->control_user, "relay");
    assert_int_equal(config->log_format, CONFIG_LOG_JSON);
    assert_cpus(&config->cores.main, 1, (unsigned[]){1});
    assert_cpus(&config->cores.workers, 4, (unsigned[]){2, 3, 4, 8});
    assert_cpus(&config->cores.scanners, 2, (unsigned[]){5, 6});
    assert_cpus(&config->cores.control, 2, (unsigned[]){0, 1});
    assert_int_equal(config->cores.idle, CONFIG_IDLE_POLL);
    assert_int_equal(config->memory.hugepages, CONFIG_HUGEPAGES_REQUIRED);
    assert_int_equal(config->memory.messages_bytes, 1u << 30);
    assert_int_equal(config->memory.packets_bytes, 64u << 20);
    assert_int_equal(config->scanner.processes, 3);
    assert_string_equal(config->scanner.database, "/srv/clamav");
    assert_string_equal(config->scanner.user, "scan_user");
    assert_int_equal(config->scanner.time_limit_ns, SECOND * 3 / 2);
    assert_int_equal(config->scanner.scan_bytes_max, 200u << 20);
    assert_int_equal(config->scanner.memory_bytes, UINT64_C(3) << 30);
    assert_int_equal(config->scanner.files_max, 500);
    assert_int_equal(config->scanner.recursion_max, 9);
    assert_false(config->prefilter.enabled);
    assert_string_equal(config->prefilter.file, "/srv/prefilter");
    assert_int_equal(config->prefilter.cache_bytes, 1u << 20);
    assert_int_equal(config->prefilter.message_bytes_max, 10u << 20);
    assert_int_equal(config->prefilter.inspections, 9);
    config_free(config);
}

static void full_file_limits(void **state)
{
    struct config *config = load(sample_full);
    const struct config_limits *limits = &config->limits;

    (void)state;
    assert_int_equal(limits->message_bytes, 20u << 20);
    assert_int_equal(limits->recipients, 100);
    assert_int_equal(limits->connections, 500);
    assert_int_equal(limits->connections_a_client, 50);
    assert_int_equal(limits->connections_a_prefix, 300);
    assert_int_equal(limits->connection_rate, 10);
    assert_int_equal(limits->data_rate, 1000);
    assert_int_equal(limits->messages_in_progress, 256);
    assert_int_equal(limits->bad_commands, 5);
    assert_int_equal(limits->invalid_recipients, 40);
    assert_int_equal(limits->received_fields, 30);
    assert_int_equal(limits->window_bytes, 64u << 10);
    assert_int_equal(limits->command_timeout_ns, 120 * SECOND);
    assert_int_equal(limits->data_timeout_ns, 90 * SECOND);
    assert_int_equal(limits->verdict_timeout_ns, 480 * SECOND);
    config_free(config);
}

static void full_file_customers(void **state)
{
    struct config *config = load(sample_full);
    const struct config_customer *customer = &config->customers[0];

    (void)state;
    assert_int_equal(config->customer_count, 3);
    assert_string_equal(customer->name, "example");
    assert_int_equal(customer->domain_count, 2);
    assert_string_equal(customer->domains[0], "example.org");
    assert_string_equal(customer->domains[1], "example.net");
    assert_false(customer->any_recipient);
    assert_int_equal(customer->recipient_count, 2);
    assert_string_equal(customer->recipients[0], "alice");
    assert_string_equal(customer->recipients[1], "bob@example.net");
    assert_policies(customer->unscannable, CONFIG_POLICY_REJECT);
    assert_int_equal(customer->route.server_count, 1);
    assert_string_equal(customer->route.servers[0].host, "relay.example.org");
    assert_int_equal(customer->route.servers[0].port, 2526);
    assert_int_equal(customer->route.connections, 7);
    assert_int_equal(customer->route.connect_timeout_ns, 3 * SECOND);
    assert_int_equal(customer->route.command_timeout_ns, 20 * SECOND);
    assert_int_equal(customer->route.data_timeout_ns, 400 * SECOND);
    assert_int_equal(customer->route.idle_timeout_ns, SECOND / 4);
    customer = &config->customers[1];
    assert_true(customer->any_recipient);
    assert_policies(customer->unscannable, CONFIG_POLICY_DELIVER);
    assert_string_equal(customer->route.servers[0].host, "::1");
    assert_int_equal(customer->route.servers[0].port, 25);
    customer = &config->customers[2];
    assert_int_equal(customer->unscannable[CONFIG_REASON_ENCRYPTED_MAIL], CONFIG_POLICY_DELIVER);
    assert_int_equal(customer->unscannable[CONFIG_REASON_ENCRYPTED_ARCHIVE], CONFIG_POLICY_DELIVER);
    assert_int_equal(customer->unscannable[CONFIG_REASON_UNSUPPORTED], CONFIG_POLICY_DEFER);
    assert_int_equal(customer->unscannable[CONFIG_REASON_MALFORMED], CONFIG_POLICY_REJECT);
    assert_int_equal(customer->unscannable[CONFIG_REASON_LIMIT], CONFIG_POLICY_REJECT);
    assert_int_equal(customer->unscannable[CONFIG_REASON_PARTIAL], CONFIG_POLICY_REJECT);
    assert_int_equal(customer->unscannable[CONFIG_REASON_FAILED], CONFIG_POLICY_REJECT);
    assert_int_equal(customer->route.server_count, 2);
    assert_string_equal(customer->route.servers[0].host, "first.example.org");
    assert_int_equal(customer->route.servers[0].port, 2527);
    assert_string_equal(customer->route.servers[1].host, "192.0.2.7");
    assert_int_equal(customer->route.servers[1].port, 25);
    assert_int_equal(customer->route.connections, 3);
    config_free(config);
}

static void minimal_file_gets_defaults(void **state)
{
    struct config *config = load(sample_minimal);
    struct config_scanner scanner;

    (void)state;
    config_scanner_defaults(&scanner);
    assert_memory_equal(&config->scanner, &scanner, sizeof(scanner));
    assert_string_equal(config->postmaster, "postmaster@example.org");
    assert_string_equal(config->runtime_directory, "/run/postern");
    assert_string_equal(config->state_directory, "/var/lib/postern");
    assert_string_equal(config->control_user, "postern");
    assert_int_equal(config->log_format, CONFIG_LOG_TEXT);
    assert_int_equal(config->ports[0].smtp_port, 25);
    assert_int_equal(config->ports[0].mtu, 1500);
    assert_int_equal(config->ports[0].spreading, CONFIG_SPREADING_AUTO);
    assert_true(config->ports[0].verify_rx_checksums);
    assert_string_equal(config->ports[0].network_namespace, "");
    assert_true(config->cores.main.automatic && config->cores.main.count == 0);
    assert_true(config->cores.workers.automatic && config->cores.workers.count == 0);
    assert_true(config->cores.scanners.automatic && config->cores.scanners.count == 0);
    assert_true(config->cores.control.automatic && config->cores.control.count == 0);
    assert_int_equal(config->cores.idle, CONFIG_IDLE_ADAPTIVE);
    assert_int_equal(config->memory.hugepages, CONFIG_HUGEPAGES_AUTO);
    assert_int_equal(config->memory.messages_bytes, 256u << 20);
    assert_int_equal(config->memory.packets_bytes, 128u << 20);
    assert_int_equal(config->version, 1);
    assert_default_policies(config->unscannable);
    assert_default_policies(config->customers[0].unscannable);
    assert_true(config->customers[0].any_recipient);
    config_free(config);
}

static void minimal_file_gets_default_limits(void **state)
{
    struct config *config = load(sample_minimal);
    const struct config_limits *limits = &config->limits;
    const struct config_route *route = &config->customers[0].route;

    (void)state;
    assert_int_equal(limits->message_bytes, 50u << 20);
    assert_int_equal(limits->recipients, 1000);
    assert_int_equal(limits->connections, 10000);
    assert_int_equal(limits->connections_a_client, 1000);
    assert_int_equal(limits->connections_a_prefix, 5000);
    assert_int_equal(limits->connection_rate, 2000);
    assert_int_equal(limits->data_rate, 128);
    assert_int_equal(limits->messages_in_progress, 1024);
    assert_int_equal(limits->bad_commands, 20);
    assert_int_equal(limits->invalid_recipients, 1000);
    assert_int_equal(limits->received_fields, 100);
    assert_int_equal(limits->window_bytes, 128u << 10);
    assert_int_equal(limits->command_timeout_ns, 300 * SECOND);
    assert_int_equal(limits->data_timeout_ns, 180 * SECOND);
    assert_int_equal(limits->verdict_timeout_ns, 540 * SECOND);
    assert_int_equal(config->scanner.processes, 0);
    assert_string_equal(config->scanner.database, "/var/lib/clamav");
    assert_string_equal(config->scanner.user, "postern-scanner");
    assert_int_equal(config->scanner.time_limit_ns, 30 * SECOND);
    assert_int_equal(config->scanner.scan_bytes_max, 400u << 20);
    assert_int_equal(config->scanner.memory_bytes, UINT64_C(2) << 30);
    assert_int_equal(config->scanner.files_max, 10000);
    assert_int_equal(config->scanner.recursion_max, 18);
    assert_true(config->prefilter.enabled);
    assert_string_equal(config->prefilter.file, "/var/lib/postern/bundles/prefilter");
    assert_int_equal(config->prefilter.cache_bytes, 16u << 20);
    assert_int_equal(config->prefilter.message_bytes_max, 25u << 20);
    assert_int_equal(config->prefilter.inspections, 64);
    assert_int_equal(route->server_count, 1);
    assert_int_equal(route->servers[0].port, 25);
    assert_int_equal(route->connections, 20);
    assert_int_equal(route->connect_timeout_ns, 10 * SECOND);
    assert_int_equal(route->command_timeout_ns, 60 * SECOND);
    assert_int_equal(route->data_timeout_ns, 300 * SECOND);
    assert_int_equal(route->idle_timeout_ns, 30 * SECOND);
    config_free(config);
}

/* Where a route does not say, it takes what the sender's patience leaves. */
static void data_timeout_fits_into_verdict_timeout(void **state)
{
    static const struct {
        const char *limits;
        int64_t expected_ns;
    } cases[] = {
        {"limits: {verdict_timeout: 2m}\n", 90 * SECOND},
        {"limits: {verdict_timeout: 30s}\n", SECOND},
        {"limits: {verdict_timeout: 9m}\nscanner: {time_limit: 5m}\n", 240 * SECOND},
    };
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *config = NULL;

        snprintf(text, sizeof(text), "%s%s", sample_minimal, cases[i].limits);
        config = load(text);
        assert_int_equal(config->customers[0].route.data_timeout_ns, cases[i].expected_ns);
        config_free(config);
    }
}

static void customers_are_found_by_domain(void **state)
{
    struct config *config = load(sample_full);

    (void)state;
    assert_ptr_equal(config_customer_of(config, "EXAMPLE.net>", 11), &config->customers[0]);
    assert_ptr_equal(config_customer_of(config, "example.com", 11), &config->customers[1]);
    assert_null(config_customer_of(config, "example.co", 10));
    assert_null(config_customer_of(config, "sub.example.com", 15));
    assert_null(config_customer_of(config, "", 0));
    config_free(config);
}

static void one_interface_name_in_two_namespaces_is_fine(void **state)
{
    char *text = sample_replace(sample_full, "interface: veth1",
                                "interface: postern0\n    namespace: inner");
    struct config *config = load(text);

    (void)state;
    assert_string_equal(config->ports[2].interface, "postern0");
    assert_string_equal(config->ports[2].network_namespace, "inner");
    config_free(config);
    free(text);
}

static void missing_file_is_not_found(void **state)
{
    struct config *config = NULL;
    struct config_error error;

    (void)state;
    assert_int_equal(config_load("/nonexistent/postern.yaml", &config, &error), STATUS_NOT_FOUND);
    assert_null(config);
    assert_int_equal(error.line, 0);
    assert_non_null(strstr(error.text, "/nonexistent/postern.yaml:0:0: cannot be opened"));
}

static void what_is_no_file_is_refused(void **state)
{
    struct config *config = NULL;
    struct config_error error;
    char directory[] = "/tmp/postern-config-XXXXXX";
    char pipe[80];

    (void)state;
    assert_int_equal(config_load("/tmp", &config, &error), STATUS_BAD_CONFIG);
    assert_non_null(strstr(error.text, "/tmp:0:0: is no regular file"));
    assert_non_null(mkdtemp(directory));
    snprintf(pipe, sizeof(pipe), "%s/pipe", directory);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(config_load(pipe, &config, &error), STATUS_BAD_CONFIG);
    unlink(pipe);
    rmdir(directory);
    assert_non_null(strstr(error.text, "is no regular file"));
    assert_null(config);
}

static void long_path_is_refused(void **state)
{
    char path[CONFIG_PATH_BYTES + 1];
    struct config *config = NULL;
    struct config_error error;

    (void)state;
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(config_load(path, &config, &error), STATUS_BAD_CONFIG);
    assert_non_null(strstr(error.text, "longer than 255 bytes"));
}

/* A good file, made large with comments: 64 MiB pass, one byte more does not. */
static void file_size_is_bounded(void **state)
{
    size_t size = 64u << 20;
    size_t used = strlen(sample_minimal);
    char *text = malloc(size + 1);
    struct config *config = NULL;
    struct config_error error;

    (void)state;
    assert_non_null(text);
    memcpy(text, sample_minimal, used + 1);
    for (size_t i = used; i <= size; i++)
        text[i] = (char)(i % 80 == 0 || i + 2 > size ? '\n' : '#');
    text[used] = '#';
    assert_int_equal(sample_load(text, size, &config, &error), STATUS_OK);
    config_free(config);
    assert_int_equal(sample_load(text, size + 1, &config, &error), STATUS_BAD_CONFIG);
    assert_null(config);
    assert_non_null(strstr(error.text, ":0:0: is larger than 67108864 bytes"));
    free(text);
}

/* Deep nesting must neither exhaust the stack nor take long. */
static void deep_nesting_is_refused(void **state)
{
    static char text[200000];
    struct config *config = NULL;
    struct config_error error;

    (void)state;
    memset(text, '[', sizeof(text));
    assert_int_equal(sample_load(text, sizeof(text), &config, &error), STATUS_BAD_CONFIG);
    assert_non_null(strstr(error.text, ":1:257: more than 256 brackets are open"));
    memset(text + 50, ']', 50);
    assert_int_equal(sample_load(text, 100, &config, &error), STATUS_BAD_CONFIG);
    assert_non_null(strstr(error.text, ":1:18: nested more than 16 deep"));
}

static void free_takes_null(void **state)
{
    (void)state;
    config_free(NULL);
}

/* A word for all kinds, a word for one; what a customer does not name is as at the top. */
static void kinds_of_encrypted(void **state)
{
    char *text = sample_replace(sample_full, "  encrypted: reject\n",
                                "  encrypted: {mail: reject, document: defer}\n");
    char *inner = sample_replace(text, "{encrypted: deliver, unsupported: defer}",
                                 "{encrypted: {archive: deliver}, unsupported: defer}");
    struct config *config = load(inner);
    const enum config_policy *third = config->customers[2].unscannable;

    (void)state;
    assert_int_equal(config->unscannable[CONFIG_REASON_ENCRYPTED_MAIL], CONFIG_POLICY_REJECT);
    assert_int_equal(config->unscannable[CONFIG_REASON_ENCRYPTED_ARCHIVE], CONFIG_POLICY_REJECT);
    assert_int_equal(config->unscannable[CONFIG_REASON_ENCRYPTED_DOCUMENT], CONFIG_POLICY_DEFER);
    assert_int_equal(third[CONFIG_REASON_ENCRYPTED_MAIL], CONFIG_POLICY_REJECT);
    assert_int_equal(third[CONFIG_REASON_ENCRYPTED_ARCHIVE], CONFIG_POLICY_DELIVER);
    assert_int_equal(third[CONFIG_REASON_ENCRYPTED_DOCUMENT], CONFIG_POLICY_DEFER);
    config_free(config);
    free(inner);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_of_encrypted),
        cmocka_unit_test(full_file_ports),
        cmocka_unit_test(full_file_process_settings),
        cmocka_unit_test(full_file_limits),
        cmocka_unit_test(full_file_customers),
        cmocka_unit_test(minimal_file_gets_defaults),
        cmocka_unit_test(minimal_file_gets_default_limits),
        cmocka_unit_test(data_timeout_fits_into_verdict_timeout),
        cmocka_unit_test(customers_are_found_by_domain),
        cmocka_unit_test(one_interface_name_in_two_namespaces_is_fine),
        cmocka_unit_test(missing_file_is_not_found),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(long_path_is_refused),
        cmocka_unit_test(file_size_is_bounded),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(free_takes_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
