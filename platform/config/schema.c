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
     .choices = log_formats, .about = "form of the log lines, one a message"},
};

static const struct schema_key cores_keys[] = {
    {"main", SCHEMA_CPUS, false, MEMBER(struct config_cores, main), .max = 1, .fallback = "auto",
     .about = "cpu of set-up, links to the other processes, and log"},
    {"workers", SCHEMA_CPUS, false, MEMBER(struct config_cores, workers), .max = CONFIG_CPUS_MAX,
     .fallback = "auto", .about = "cpus for packets, TCP and SMTP: one worker on each"},
    {"scanners", SCHEMA_CPUS, false, MEMBER(struct config_cores, scanners), .max = CONFIG_CPUS_MAX,
     .fallback = "auto", .about = "cpus that scanners are spread over"},
    {"control", SCHEMA_CPUS, false, MEMBER(struct config_cores, control), .max = CONFIG_CPUS_MAX,
     .fallback = "auto", .about = "cpus for delivery to customers' servers"},
    {"idle", SCHEMA_CHOICE, false, MEMBER(struct config_cores, idle), .fallback = "adaptive",
     .choices = idles,
     .about = "what a worker does without packets: sleep after a while, or never"},
};

static const struct schema_key memory_keys[] = {
    {"hugepages", SCHEMA_CHOICE, false, MEMBER(struct config_memory, hugepages), .fallback = "auto",
     .choices = hugepages,
     .about = "whether hugepages are used; required refuses to start without"},
    {"messages", SCHEMA_SIZE, false, MEMBER(struct config_memory, messages_bytes), .min = MIB,
     .max = 64 * GIB, .fallback = "256M",
     .about = "where messages stay from their first byte to their verdict"},
    {"packets", SCHEMA_SIZE, false, MEMBER(struct config_memory, packets_bytes), .min = 16 * MIB,
     .max = 64 * GIB, .fallback = "128M",
     .about = "packet buffers and queues, divided among the workers"},
};

#define LIMIT(member) MEMBER(struct config_limits, member)
static const struct schema_key limits_keys[] = {
    {"message_size", SCHEMA_SIZE, false, LIMIT(message_bytes), .min = KIB, .max = 100 * MIB,
     .fallback = "50M", .about = "bytes of a message, announced as SIZE; over it 552 5.3.4"},
    {"recipients", SCHEMA_COUNT, false, LIMIT(recipients), .min = 1, .max = CONFIG_RECIPIENTS_MAX,
     .fallback = "1000", .about = "recipients of one message; over it 452 4.5.3"},
    {"connections", SCHEMA_COUNT, false, LIMIT(connections), .min = 1, .max = 1000000,
     .fallback = "10000", .restart = true, .about = "connections at once, all workers together"},
    {"connections_per_client", SCHEMA_COUNT, false, LIMIT(connections_a_client), .min = 1,
     .max = 1000000, .fallback = "1000", .restart = true,
     .about = "connections at once from one address (IPv6: one /64), counted by each worker"},
    {"connections_per_prefix", SCHEMA_COUNT, false, LIMIT(connections_a_prefix), .min = 1,
     .max = 1000000, .fallback = "5000", .restart = true,
     .about = "connections at once from one IPv4 /24 or IPv6 /48, counted by each worker"},
    {"connection_rate", SCHEMA_COUNT, false, LIMIT(connection_rate), .min = 1, .max = 1000000,
     .fallback = "2000", .restart = true,
     .about = "new connections a second from one address, counted by each worker"},
    {"data_rate", SCHEMA_COUNT, false, LIMIT(data_rate), .min = 1, .max = 1000000,
     .fallback = "128", .about = "least bytes a second a sender must manage in DATA"},
    {"messages_in_progress", SCHEMA_COUNT, false, LIMIT(messages_in_progress), .min = 1,
     .max = 65536, .fallback = "1024", .restart = true,
     .about = "messages in progress at once, all workers together; over it 452 4.3.1"},
    {"bad_commands", SCHEMA_COUNT, false, LIMIT(bad_commands), .min = 1, .max = 1000,
     .fallback = "20",
     .about = "bad commands of one connection, recipients refused for good included; over it 421"},
    {"invalid_recipients_per_hour", SCHEMA_COUNT, false, LIMIT(invalid_recipients), .min = 1,
     .max = 1000000, .fallback = "1000",
     .about = "recipients refused for good that one address may ask for in an hour; over it 421"},
    {"received_fields", SCHEMA_COUNT, false, LIMIT(received_fields), .min = 1, .max = 1000,
     .fallback = "100", .about = "Received: fields of a message, a loop's mark"},
    {"window", SCHEMA_SIZE, false, LIMIT(window_bytes), .min = 16 * KIB, .max = 256 * KIB,
     .fallback = "128K", .restart = true, .about = "TCP receive window while a message comes in"},
    {"admission_wait", SCHEMA_TIME, false, LIMIT(admission_wait_ns), .min = 0, .max = 60 * SECOND,
     .fallback = "30s", .about = "how long to wait for room for a message; then 452 4.3.1"},
    {"command_timeout", SCHEMA_TIME, false, LIMIT(command_timeout_ns), .min = SECOND, .max = HOUR,
     .fallback = "5m", .about = "time between commands; then 421"},
    {"data_timeout", SCHEMA_TIME, false, LIMIT(data_timeout_ns), .min = SECOND, .max = HOUR,
     .fallback = "3m", .about = "time without a byte inside a message; then 421"},
    {"verdict_timeout", SCHEMA_TIME, false, LIMIT(verdict_timeout_ns), .min = SECOND,
     .max = 10 * MINUTE, .fallback = "9m",
     .about = "time from the end of a message to the reply, scan and relay included; then 451"},
};

#define SMTP(member) MEMBER(struct config_smtp, member)
static const struct schema_key smtp_keys[] = {
    {"strict_addresses", SCHEMA_CHOICE, false, SMTP(strict_addresses), .fallback = "no",
     .choices = yes_no,
     .about =
         "whether addresses, HELO names and parameters are refused that break RFC 5321 but are "
         "understood"},
    {"forbidden_commands", SCHEMA_WORDS, false, SMTP(forbidden_commands),
     .fallback = "CONNECT GET POST",
     .about = "unknown commands that close the connection at once; header fields always do"},
};

#define SCANNER(member) MEMBER(struct config_scanner, member)
static const struct schema_key scanner_keys[] = {
    {"processes", SCHEMA_COUNT_OR_AUTO, false, SCANNER(processes), .min = 1, .max = 256,
     .fallback = "auto", .about = "scanners; auto: one for each of their cpus"},
    {"database", SCHEMA_PATH, false, SCANNER(database), .fallback = "/var/lib/clamav",
     .about = "file or directory of ClamAV signatures"},
    {"user", SCHEMA_USER, false, SCANNER(user), .fallback = "postern-scanner",
     .about = "user that the scanner becomes when started as root"},
    {"time_limit", SCHEMA_TIME, false, SCANNER(time_limit_ns), .min = 100 * MS, .max = 10 * MINUTE,
     .fallback = "30s", .about = "time of a scan; then it is unscannable"},
    {"scan_size", SCHEMA_SIZE, false, SCANNER(scan_bytes_max), .min = MIB, .max = 4 * GIB,
     .fallback = "400M", .about = "unpacked bytes scanned for one message"},
    {"memory", SCHEMA_SIZE, false, SCANNER(memory_bytes), .min = 64 * MIB, .max = 64 * GIB,
     .fallback = "2G", .about = "address space a child may add to what it starts with"},
    {"files", SCHEMA_COUNT, false, SCANNER(files_max), .min = 1, .max = 1000000,
     .fallback = "10000", .about = "files unpacked from one message"},
    /* clamd's 17 for what is attached, and one for the message around it. */
    {"recursion", SCHEMA_COUNT, false, SCANNER(recursion_max), .min = 1, .max = 100,
     .fallback = "18",
     .about = "depth of archives in archives, the message around them counted as one"},
};

#define PREFILTER(member) MEMBER(struct config_prefilter, member)
static const struct schema_key prefilter_keys[] = {
    {"use", SCHEMA_CHOICE, false, PREFILTER(enabled), .fallback = "yes", .choices = yes_no,
     .about = "whether mail can be settled without a scanner"},
    {"file", SCHEMA_PATH, false, PREFILTER(file), .about = "the compiled prefilter"},
    {"message_size", SCHEMA_SIZE, false, PREFILTER(message_bytes_max), .min = KIB, .max = 100 * MIB,
     .fallback = "25M", .about = "larger messages are always scanned"},
    {"inspections", SCHEMA_COUNT, false, PREFILTER(inspections), .min = 8, .max = 4096,
     .fallback = "64", .about = "messages a worker looks at at once"},
    {"cache_size", SCHEMA_SIZE, false, PREFILTER(cache_bytes), .min = 64 * KIB, .max = 4 * GIB,
     .fallback = "16M", .about = "verdicts of parts that had to be scanned, all workers together"},
};

static const struct schema_key control_keys[] = {
    {"user", SCHEMA_USER, false, MEMBER(struct config, control_user), .fallback = "postern",
     .about = "user that the control process becomes when started as root"},
};

#define PORT(member) MEMBER(struct config_port, member)
static const struct schema_key port_keys[] = {
    {"kind", SCHEMA_CHOICE, true, PORT(kind), .choices = port_kinds,
     .about = "an interface made at start, one that exists, or a card bound to a DPDK driver"},
    {"interface", SCHEMA_INTERFACE, false, PORT(interface),
     .about = "name of the interface (tap, af_packet)"},
    {"pci_address", SCHEMA_PCI_ADDRESS, false, PORT(pci_address), .about = "the card (pci)"},
    {"namespace", SCHEMA_NAMESPACE, false, PORT(network_namespace),
     .about = "network namespace under /run/netns that the interface lives in"},
    /* mac, address and address6 fill several members and take the whole struct. */
    {"mac", SCHEMA_MAC, false, .offset = 0, .size = sizeof(struct config_port),
     .about = "the port's own Ethernet address"},
    {"address", SCHEMA_ADDRESS, true, .offset = 0, .size = sizeof(struct config_port),
     .about = "IPv4 address with prefix length"},
    {"address6", SCHEMA_ADDRESS6, false, .offset = 0, .size = sizeof(struct config_port),
     .about = "IPv6 address with prefix length, besides the IPv4 address"},
    {"exception_interface", SCHEMA_INTERFACE, false, PORT(exception_interface),
     .about = "name of a TAP interface that gets what is not mail for us"},
    {"exception_namespace", SCHEMA_NAMESPACE, false, PORT(exception_namespace),
     .about = "network namespace under /run/netns that interface is made in"},
    {"smtp_port", SCHEMA_TCP_PORT, false, PORT(smtp_port), .min = 1, .max = 65535, .fallback = "25",
     .about = "TCP port that takes mail"},
    {"mtu", SCHEMA_COUNT, false, PORT(mtu), .min = 576, .max = 9000, .fallback = "1500",
     .about = "largest IP packet, bytes"},
    {"spreading", SCHEMA_CHOICE, false, PORT(spreading), .fallback = "auto", .choices = spreadings,
     .about = "who spreads connections over workers"},
    {"rx_checksum", SCHEMA_CHOICE, false, PORT(verify_rx_checksums), .fallback = "verify",
     .choices = checksums, .about = "whether checksums of received packets are verified"},
};

#define POLICY_OF(upper, from)                                               \
    .offset = (CONFIG_REASON_##upper - (from)) * sizeof(enum config_policy), \
    .size = sizeof(enum config_policy), .choices = policies

/* Between a sender and a recipient who hold the keys it is nobody else's business; what has a
 * password is how viruses come. */
static const struct schema_key encrypted_keys[] = {
    {"mail", SCHEMA_CHOICE, false, POLICY_OF(ENCRYPTED_MAIL, CONFIG_REASON_ENCRYPTED_MAIL),
     .fallback = "deliver", .about = "S/MIME and OpenPGP"},
    {"archive", SCHEMA_CHOICE, false, POLICY_OF(ENCRYPTED_ARCHIVE, CONFIG_REASON_ENCRYPTED_MAIL),
     .fallback = "reject",
     .about = "archives with a password, and all that is no mail or document"},
    {"document", SCHEMA_CHOICE, false, POLICY_OF(ENCRYPTED_DOCUMENT, CONFIG_REASON_ENCRYPTED_MAIL),
     .fallback = "reject", .about = "office documents and PDF with a password"},
};
static const struct schema_group encrypted_group = {KEYS(encrypted_keys), .word = true};

static const struct schema_key unscannable_keys[] = {
    {"encrypted", SCHEMA_GROUP, false, .offset = 0, .group = &encrypted_group,
     .about = "what cannot be looked into without a key"},
#define X(upper, lower, word) \
    {#lower,                  \
     SCHEMA_CHOICE,           \
     false,                   \
     POLICY_OF(upper, 0),     \
     .fallback = (word),      \
     .about = "when it could not be scanned for this reason"},
    CONFIG_REASON_LIST(X)
#undef X
};
static const struct schema_group unscannable_group = {KEYS(unscannable_keys), .word = true};

static const struct schema_key server_keys[] = {
    {"host", SCHEMA_HOST, true, MEMBER(struct config_server, host),
     .about = "name or IP address of the server"},
    {"port", SCHEMA_TCP_PORT, false, MEMBER(struct config_server, port), .min = 1, .max = 65535,
     .fallback = "25", .about = "its TCP port"},
};
static const struct schema_group server_group = {KEYS(server_keys)};

#define ROUTE(member) MEMBER(struct config_route, member)
static const struct schema_key route_keys[] = {
    {"servers", SCHEMA_LIST, true, ENTRIES(struct config_route, servers, server_count), .min = 1,
     .max = CONFIG_SERVERS_MAX, .group = &server_group, .direct = true,
     .about = "list of servers, in the order they are to be tried"},
    {"connections", SCHEMA_COUNT, false, ROUTE(connections), .min = 1, .max = 1000,
     .fallback = "20", .about = "connections at once to this server"},
    {"connect_timeout", SCHEMA_TIME, false, ROUTE(connect_timeout_ns), .min = 100 * MS,
     .max = 5 * MINUTE, .fallback = "10s",
     .about = "time until the connection stands; then 451 4.4.1"},
    {"command_timeout", SCHEMA_TIME, false, ROUTE(command_timeout_ns), .min = SECOND, .max = HOUR,
     .fallback = "60s", .about = "time for each reply but the last; then 451"},
    {"data_timeout", SCHEMA_TIME, false, ROUTE(data_timeout_ns), .min = SECOND, .max = HOUR,
     .fallback = "5m", .about = "time for the reply to the end of the message; then 451"},
    {"idle_timeout", SCHEMA_TIME, false, ROUTE(idle_timeout_ns), .min = 100 * MS, .max = HOUR,
     .fallback = "30s", .about = "how long an unused connection is kept for the next message"},
};
static const struct schema_group route_group = {KEYS(route_keys)};

static const struct schema_key domain_entry = {"", SCHEMA_DOMAIN, true, .size = CONFIG_NAME_BYTES};
static const struct schema_key recipient_entry = {"", SCHEMA_RECIPIENT, true,
                                                  .size = CONFIG_NAME_BYTES};

#define CUSTOMER(member) MEMBER(struct config_customer, member)
static const struct schema_key customer_keys[] = {
    {"name", SCHEMA_LABEL, true, CUSTOMER(name), .about = "name in logs"},
    {"domains", SCHEMA_LIST, true, ENTRIES(struct config_customer, domains, domain_count), .min = 1,
     .max = SCHEMA_DOMAINS_MAX, .entry = &domain_entry,
     .about = "list of domains whose mail is accepted"},
    {"recipients", SCHEMA_LIST, false, ENTRIES(struct config_customer, recipients, recipient_count),
     .min = 1, .max = SCHEMA_RECIPIENTS_MAX, .entry = &recipient_entry,
     .about =
         "list of addresses that exist: a local part (in any of the domains) or a full address"},
    {"unscannable", SCHEMA_GROUP, false, CUSTOMER(unscannable), .group = &unscannable_group,
     .inherits = offsetof(struct config, unscannable),
     .about = "what to do with mail that could not be scanned"},
    {"route", SCHEMA_GROUP, true, CUSTOMER(route), .group = &route_group,
     .about = "where the mail goes"},
};

static const struct schema_group log_group = {KEYS(log_keys)};
static const struct schema_group port_group = {KEYS(port_keys)};
static const struct schema_group cores_group = {KEYS(cores_keys)};
static const struct schema_group memory_group = {KEYS(memory_keys)};
static const struct schema_group limits_group = {KEYS(limits_keys)};
static const struct schema_group smtp_group = {KEYS(smtp_keys)};
static const struct schema_group scanner_group = {KEYS(scanner_keys)};
static const struct schema_group prefilter_group = {KEYS(prefilter_keys)};
static const struct schema_group control_group = {KEYS(control_keys)};
static const struct schema_group customer_group = {KEYS(customer_keys)};

static const struct schema_choice versions[] = {{"1", 1}, {NULL, 0}};

#define TOP(member) MEMBER(struct config, member)
static const struct schema_key file_keys[] = {
    {"version", SCHEMA_CHOICE, false, TOP(version), .fallback = "1", .choices = versions,
     .about = "version of the form of this file"},
    {"hostname", SCHEMA_DOMAIN, true, TOP(hostname),
     .about = "this system's name, in the greeting and in fields it adds"},
    /* Without a default here: it depends on the customers and is filled in after them. */
    {"postmaster", SCHEMA_MAILBOX, false, TOP(postmaster),
     .about = "where mail to bare <postmaster> goes"},
    {"runtime_directory", SCHEMA_PATH, false, TOP(runtime_directory), .fallback = "/run/postern",
     .restart = true, .about = "sockets of the running processes"},
    {"state_directory", SCHEMA_PATH, false, TOP(state_directory), .fallback = "/var/lib/postern",
     .restart = true, .about = "what outlives a restart"},
    {"log", SCHEMA_GROUP, false, .group = &log_group, .about = "form of the log"},
    {"ports", SCHEMA_LIST, true, ENTRIES(struct config, ports, port_count), .min = 1,
     .max = CONFIG_PORTS_MAX, .group = &port_group, .in_place = true, .restart = true,
     .about = "network ports that mail is served on"},
    {"cores", SCHEMA_GROUP, false, TOP(cores), .group = &cores_group, .restart = true,
     .about = "which cpus do what"},
    {"memory", SCHEMA_GROUP, false, TOP(memory), .group = &memory_group, .restart = true,
     .about = "memory taken at the start"},
    {"limits", SCHEMA_GROUP, false, TOP(limits), .group = &limits_group,
     .about = "what senders may have"},
    {"smtp", SCHEMA_GROUP, false, TOP(smtp), .group = &smtp_group,
     .about = "how senders are spoken with"},
    {"scanner", SCHEMA_GROUP, false, TOP(scanner), .group = &scanner_group, .restart = true,
     .about = "signatures, and limits of a scan"},
    {"prefilter", SCHEMA_GROUP, false, TOP(prefilter), .group = &prefilter_group, .restart = true,
     .about = "what settles mail without a scanner"},
    {"control", SCHEMA_GROUP, false, .group = &control_group, .restart = true,
     .about = "the process that delivers"},
    {"unscannable", SCHEMA_GROUP, false, TOP(unscannable), .group = &unscannable_group,
     .about = "what to do with mail that could not be scanned"},
    {"customers", SCHEMA_LIST, true, ENTRIES(struct config, customers, customer_count), .min = 1,
     .max = SCHEMA_CUSTOMERS_MAX, .group = &customer_group,
     .about = "who is served, and where their mail goes"},
};
const struct schema_group schema_file = {KEYS(file_keys)};
