#include "platform/config/schema.h"

#include <stddef.h>

#define KIB    UINT64_C(1024)
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)
#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

#define MEMBER(base, member) \
    .offset = offsetof(base, member), .size = sizeof(((base *)NULL)->member)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define KEYS(table)     .count = COUNT_OF(table), .keys = (table)
/* A list: its entries' array, or the pointer to one, and what counts them. */
#define ENTRIES(base, member, counter)                                           \
    .offset = offsetof(base, member), .size = sizeof(((base *)NULL)->member[0]), \
    .count_offset = offsetof(base, counter)

static const struct schema_choice port_kinds[] = {{"tap", CONFIG_PORT_TAP},
                                                  {"af_packet", CONFIG_PORT_AF_PACKET},
                                                  {"pci", CONFIG_PORT_PCI},
                                                  {NULL, 0}};
static const struct schema_choice spreadings[] = {{"auto", CONFIG_SPREADING_AUTO},
                                                  {"rss", CONFIG_SPREADING_RSS},
                                                  {"software", CONFIG_SPREADING_SOFTWARE},
                                                  {NULL, 0}};
static const struct schema_choice checksums[] = {{"verify", true}, {"trust", false}, {NULL, 0}};
static const struct schema_choice yes_no[] = {{"yes", true}, {"no", false}, {NULL, 0}};
static const struct schema_choice idles[] = {
    {"adaptive", CONFIG_IDLE_ADAPTIVE}, {"poll", CONFIG_IDLE_POLL}, {NULL, 0}};
static const struct schema_choice hugepages[] = {{"auto", CONFIG_HUGEPAGES_AUTO},
                                                 {"required", CONFIG_HUGEPAGES_REQUIRED},
                                                 {"off", CONFIG_HUGEPAGES_OFF},
                                                 {NULL, 0}};
static const struct schema_choice policies[] = {{"defer", CONFIG_POLICY_DEFER},
                                                {"reject", CONFIG_POLICY_REJECT},
                                                {"deliver", CONFIG_POLICY_DELIVER},
                                                {NULL, 0}};
static const struct schema_choice log_formats[] = {
    {"text", CONFIG_LOG_TEXT}, {"json", CONFIG_LOG_JSON}, {NULL, 0}};

static const struct schema_key log_keys[] = {
    {"format", SCHEMA_CHOICE, false, MEMBER(struct config, log_format), .fallback = "text",
     .choices = log_formats},
};

static const struct schema_key cores_keys[] = {
    {"main", SCHEMA_CPUS, false, MEMBER(struct config_cores, main), .max = 1, .fallback = "auto"},
    {"workers", SCHEMA_CPUS, false, MEMBER(struct config_cores, workers), .max = CONFIG_CPUS_MAX,
     .fallback = "auto"},
    {"scanners", SCHEMA_CPUS, false, MEMBER(struct config_cores, scanners), .max = CONFIG_CPUS_MAX,
     .fallback = "auto"},
    {"control", SCHEMA_CPUS, false, MEMBER(struct config_cores, control), .max = CONFIG_CPUS_MAX,
     .fallback = "auto"},
    {"idle", SCHEMA_CHOICE, false, MEMBER(struct config_cores, idle), .fallback = "adaptive",
     .choices = idles},
};

static const struct schema_key memory_keys[] = {
    {"hugepages", SCHEMA_CHOICE, false, MEMBER(struct config_memory, hugepages), .fallback = "auto",
     .choices = hugepages},
    {"messages", SCHEMA_SIZE, false, MEMBER(struct config_memory, messages_bytes), .min = MIB,
     .max = 64 * GIB, .fallback = "256M"},
    {"packets", SCHEMA_SIZE, false, MEMBER(struct config_memory, packets_bytes), .min = 16 * MIB,
     .max = 64 * GIB, .fallback = "128M"},
};

#define LIMIT(member) MEMBER(struct config_limits, member)
static const struct schema_key limits_keys[] = {
    {"message_size", SCHEMA_SIZE, false, LIMIT(message_bytes), .min = KIB, .max = 100 * MIB,
     .fallback = "50M"},
    {"recipients", SCHEMA_COUNT, false, LIMIT(recipients), .min = 1, .max = CONFIG_RECIPIENTS_MAX,
     .fallback = "1000"},
    {"connections", SCHEMA_COUNT, false, LIMIT(connections), .min = 1, .max = 1000000,
     .fallback = "10000", .restart = true},
    {"connections_per_client", SCHEMA_COUNT, false, LIMIT(connections_a_client), .min = 1,
     .max = 1000000, .fallback = "1000", .restart = true},
    {"connections_per_prefix", SCHEMA_COUNT, false, LIMIT(connections_a_prefix), .min = 1,
     .max = 1000000, .fallback = "5000", .restart = true},
    {"connection_rate", SCHEMA_COUNT, false, LIMIT(connection_rate), .min = 1, .max = 1000000,
     .fallback = "2000", .restart = true},
    {"data_rate", SCHEMA_COUNT, false, LIMIT(data_rate), .min = 1, .max = 1000000,
     .fallback = "128"},
    {"messages_in_progress", SCHEMA_COUNT, false, LIMIT(messages_in_progress), .min = 1,
     .max = 65536, .fallback = "1024", .restart = true},
    {"bad_commands", SCHEMA_COUNT, false, LIMIT(bad_commands), .min = 1, .max = 1000,
     .fallback = "20"},
    {"invalid_recipients_per_hour", SCHEMA_COUNT, false, LIMIT(invalid_recipients), .min = 1,
     .max = 1000000, .fallback = "1000"},
    {"received_fields", SCHEMA_COUNT, false, LIMIT(received_fields), .min = 1, .max = 1000,
     .fallback = "100"},
    {"window", SCHEMA_SIZE, false, LIMIT(window_bytes), .min = 16 * KIB, .max = 256 * KIB,
     .fallback = "128K", .restart = true},
    {"admission_wait", SCHEMA_TIME, false, LIMIT(admission_wait_ns), .min = 0, .max = 60 * SECOND,
     .fallback = "30s"},
    {"command_timeout", SCHEMA_TIME, false, LIMIT(command_timeout_ns), .min = SECOND, .max = HOUR,
     .fallback = "5m"},
    {"data_timeout", SCHEMA_TIME, false, LIMIT(data_timeout_ns), .min = SECOND, .max = HOUR,
     .fallback = "3m"},
    {"verdict_timeout", SCHEMA_TIME, false, LIMIT(verdict_timeout_ns), .min = SECOND,
     .max = 10 * MINUTE, .fallback = "9m"},
};

#define SCANNER(member) MEMBER(struct config_scanner, member)
static const struct schema_key scanner_keys[] = {
    {"processes", SCHEMA_COUNT_OR_AUTO, false, SCANNER(processes), .min = 1, .max = 256,
     .fallback = "auto"},
    {"database", SCHEMA_PATH, false, SCANNER(database), .fallback = "/var/lib/clamav"},
    {"user", SCHEMA_USER, false, SCANNER(user), .fallback = "postern-scanner"},
    {"time_limit", SCHEMA_TIME, false, SCANNER(time_limit_ns), .min = 100 * MS, .max = 10 * MINUTE,
     .fallback = "30s"},
    {"scan_size", SCHEMA_SIZE, false, SCANNER(scan_bytes_max), .min = MIB, .max = 4 * GIB,
     .fallback = "400M"},
    {"memory", SCHEMA_SIZE, false, SCANNER(memory_bytes), .min = 64 * MIB, .max = 64 * GIB,
     .fallback = "2G"},
    {"files", SCHEMA_COUNT, false, SCANNER(files_max), .min = 1, .max = 1000000,
     .fallback = "10000"},
    /* clamd's 17 for what is attached, and one for the message around it. */
    {"recursion", SCHEMA_COUNT, false, SCANNER(recursion_max), .min = 1, .max = 100,
     .fallback = "18"},
};

#define PREFILTER(member) MEMBER(struct config_prefilter, member)
static const struct schema_key prefilter_keys[] = {
    {"use", SCHEMA_CHOICE, false, PREFILTER(enabled), .fallback = "yes", .choices = yes_no},
    {"file", SCHEMA_PATH, false, PREFILTER(file)},
    {"message_size", SCHEMA_SIZE, false, PREFILTER(message_bytes_max), .min = KIB, .max = 100 * MIB,
     .fallback = "25M"},
    {"inspections", SCHEMA_COUNT, false, PREFILTER(inspections), .min = 8, .max = 4096,
     .fallback = "64"},
    {"cache_size", SCHEMA_SIZE, false, PREFILTER(cache_bytes), .min = 64 * KIB, .max = 4 * GIB,
     .fallback = "16M"},
};

static const struct schema_key control_keys[] = {
    {"user", SCHEMA_USER, false, MEMBER(struct config, control_user), .fallback = "postern"},
};

#define PORT(member) MEMBER(struct config_port, member)
static const struct schema_key port_keys[] = {
    {"kind", SCHEMA_CHOICE, true, PORT(kind), .choices = port_kinds},
    {"interface", SCHEMA_INTERFACE, false, PORT(interface)},
    {"pci_address", SCHEMA_PCI_ADDRESS, false, PORT(pci_address)},
    {"namespace", SCHEMA_NAMESPACE, false, PORT(network_namespace)},
    /* mac, address and address6 fill several members and take the whole struct. */
    {"mac", SCHEMA_MAC, false, .offset = 0, .size = sizeof(struct config_port)},
    {"address", SCHEMA_ADDRESS, true, .offset = 0, .size = sizeof(struct config_port)},
    {"address6", SCHEMA_ADDRESS6, false, .offset = 0, .size = sizeof(struct config_port)},
    {"exception_interface", SCHEMA_INTERFACE, false, PORT(exception_interface)},
    {"exception_namespace", SCHEMA_NAMESPACE, false, PORT(exception_namespace)},
    {"smtp_port", SCHEMA_TCP_PORT, false, PORT(smtp_port), .min = 1, .max = 65535,
     .fallback = "25"},
    {"mtu", SCHEMA_COUNT, false, PORT(mtu), .min = 576, .max = 9000, .fallback = "1500"},
    {"spreading", SCHEMA_CHOICE, false, PORT(spreading), .fallback = "auto", .choices = spreadings},
    {"rx_checksum", SCHEMA_CHOICE, false, PORT(verify_rx_checksums), .fallback = "verify",
     .choices = checksums},
};

static const struct schema_key unscannable_keys[] = {
#define X(upper, lower)                                            \
    {#lower,                                                       \
     SCHEMA_CHOICE,                                                \
     false,                                                        \
     .offset = CONFIG_REASON_##upper * sizeof(enum config_policy), \
     .size = sizeof(enum config_policy),                           \
     .fallback = "defer",                                          \
     .choices = policies},
    CONFIG_REASON_LIST(X)
#undef X
};
static const struct schema_group unscannable_group = {KEYS(unscannable_keys), .word = true};

static const struct schema_key server_keys[] = {
    {"host", SCHEMA_HOST, true, MEMBER(struct config_server, host)},
    {"port", SCHEMA_TCP_PORT, false, MEMBER(struct config_server, port), .min = 1, .max = 65535,
     .fallback = "25"},
};
static const struct schema_group server_group = {KEYS(server_keys)};

#define ROUTE(member) MEMBER(struct config_route, member)
static const struct schema_key route_keys[] = {
    {"servers", SCHEMA_LIST, true, ENTRIES(struct config_route, servers, server_count), .min = 1,
     .max = CONFIG_SERVERS_MAX, .group = &server_group, .direct = true},
    {"connections", SCHEMA_COUNT, false, ROUTE(connections), .min = 1, .max = 1000,
     .fallback = "20"},
    {"connect_timeout", SCHEMA_TIME, false, ROUTE(connect_timeout_ns), .min = 100 * MS,
     .max = 5 * MINUTE, .fallback = "10s"},
    {"command_timeout", SCHEMA_TIME, false, ROUTE(command_timeout_ns), .min = SECOND, .max = HOUR,
     .fallback = "60s"},
    {"data_timeout", SCHEMA_TIME, false, ROUTE(data_timeout_ns), .min = SECOND, .max = HOUR,
     .fallback = "5m"},
    {"idle_timeout", SCHEMA_TIME, false, ROUTE(idle_timeout_ns), .min = 100 * MS, .max = HOUR,
     .fallback = "30s"},
};
static const struct schema_group route_group = {KEYS(route_keys)};

static const struct schema_key domain_entry = {"", SCHEMA_DOMAIN, true, .size = CONFIG_NAME_BYTES};
static const struct schema_key recipient_entry = {"", SCHEMA_RECIPIENT, true,
                                                  .size = CONFIG_NAME_BYTES};

#define CUSTOMER(member) MEMBER(struct config_customer, member)
static const struct schema_key customer_keys[] = {
    {"name", SCHEMA_LABEL, true, CUSTOMER(name)},
    {"domains", SCHEMA_LIST, true, ENTRIES(struct config_customer, domains, domain_count), .min = 1,
     .max = SCHEMA_DOMAINS_MAX, .entry = &domain_entry},
    {"recipients", SCHEMA_LIST, false, ENTRIES(struct config_customer, recipients, recipient_count),
     .min = 1, .max = SCHEMA_RECIPIENTS_MAX, .entry = &recipient_entry},
    {"unscannable", SCHEMA_GROUP, false, CUSTOMER(unscannable), .group = &unscannable_group,
     .inherits = offsetof(struct config, unscannable)},
    {"route", SCHEMA_GROUP, true, CUSTOMER(route), .group = &route_group},
};

static const struct schema_group log_group = {KEYS(log_keys)};
static const struct schema_group port_group = {KEYS(port_keys)};
static const struct schema_group cores_group = {KEYS(cores_keys)};
static const struct schema_group memory_group = {KEYS(memory_keys)};
static const struct schema_group limits_group = {KEYS(limits_keys)};
static const struct schema_group scanner_group = {KEYS(scanner_keys)};
static const struct schema_group prefilter_group = {KEYS(prefilter_keys)};
static const struct schema_group control_group = {KEYS(control_keys)};
static const struct schema_group customer_group = {KEYS(customer_keys)};

static const struct schema_choice versions[] = {{"1", 1}, {NULL, 0}};

#define TOP(member) MEMBER(struct config, member)
static const struct schema_key file_keys[] = {
    {"version", SCHEMA_CHOICE, false, TOP(version), .fallback = "1", .choices = versions},
    {"hostname", SCHEMA_DOMAIN, true, TOP(hostname)},
    /* Without a default here: it depends on the customers and is filled in after them. */
    {"postmaster", SCHEMA_MAILBOX, false, TOP(postmaster)},
    {"runtime_directory", SCHEMA_PATH, false, TOP(runtime_directory), .fallback = "/run/postern",
     .restart = true},
    {"state_directory", SCHEMA_PATH, false, TOP(state_directory), .fallback = "/var/lib/postern",
     .restart = true},
    {"log", SCHEMA_GROUP, false, .group = &log_group},
    {"ports", SCHEMA_LIST, true, ENTRIES(struct config, ports, port_count), .min = 1,
     .max = CONFIG_PORTS_MAX, .group = &port_group, .in_place = true, .restart = true},
    {"cores", SCHEMA_GROUP, false, TOP(cores), .group = &cores_group, .restart = true},
    {"memory", SCHEMA_GROUP, false, TOP(memory), .group = &memory_group, .restart = true},
    {"limits", SCHEMA_GROUP, false, TOP(limits), .group = &limits_group},
    {"scanner", SCHEMA_GROUP, false, TOP(scanner), .group = &scanner_group, .restart = true},
    {"prefilter", SCHEMA_GROUP, false, TOP(prefilter), .group = &prefilter_group, .restart = true},
    {"control", SCHEMA_GROUP, false, .group = &control_group, .restart = true},
    {"unscannable", SCHEMA_GROUP, false, TOP(unscannable), .group = &unscannable_group},
    {"customers", SCHEMA_LIST, true, ENTRIES(struct config, customers, customer_count), .min = 1,
     .max = SCHEMA_CUSTOMERS_MAX, .group = &customer_group},
};
const struct schema_group schema_file = {KEYS(file_keys)};
