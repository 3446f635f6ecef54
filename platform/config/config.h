/* config.h: what /etc/postern/postern.yaml says, checked and in machine units.
 *
 * One struct for all processes; each uses its part. Lower-case keys with underscores, sizes as 50M,
 * times as 30s, CPU lists as 0-3,8; an unknown key is an error; every error names the file, line
 * and column, and all of them (up to CONFIG_ERRORS_MAX) are told at once. docs/configuration.md
 * explains each key; the defaults and limits live in platform/config/schema.c alone.
 *
 * Threads: a loaded configuration is immutable and may be read by any thread. Memory: config_load()
 * allocates, config_free() frees all of it. Not for the hot path.
 */
#ifndef PLATFORM_CONFIG_CONFIG_H
#define PLATFORM_CONFIG_CONFIG_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/names.h"
#include "platform/status.h"

#define CONFIG_PATH_BYTES  256u
#define CONFIG_NAME_BYTES  256u /* a domain or host name with its zero */
#define CONFIG_PORTS_MAX   8u
#define CONFIG_CPUS_MAX    64u
#define CONFIG_SERVERS_MAX 8u
#define CONFIG_ERROR_BYTES 512u
#define CONFIG_ERRORS_MAX  20u

enum config_port_kind { CONFIG_PORT_TAP, CONFIG_PORT_AF_PACKET, CONFIG_PORT_PCI };

/* Who spreads connections over the workers. */
enum config_spreading {
    CONFIG_SPREADING_AUTO,     /* rss where the port has it, software elsewhere */
    CONFIG_SPREADING_RSS,      /* the port; refused at start if it cannot */
    CONFIG_SPREADING_SOFTWARE, /* one worker receives and passes on by flow hash */
};

struct config_port {
    enum config_port_kind kind;
    char interface[IF_NAMESIZE]; /* tap: name of the kernel side; af_packet: existing interface */
    char pci_address[32];        /* pci: 0000:01:00.0 */
    char network_namespace[64];  /* tap, af_packet: name under /run/netns, or empty */
    bool has_mac;
    uint8_t mac[6];         /* used when has_mac; else the port's own (tap: a fixed local one) */
    struct in_addr address; /* network byte order */
    unsigned prefix_length; /* 0..32 */
    bool has_address6;
    struct in6_addr address6; /* beside the IPv4 address and the link-local one */
    unsigned prefix_length6;  /* 0..128 */
    /* Frames that are not mail go to the kernel through a TAP interface of this name (empty: they
     * are dropped and counted), in this namespace (empty: ours). */
    char exception_interface[IF_NAMESIZE];
    char exception_namespace[64];
    uint16_t smtp_port; /* host byte order; default 25 */
    unsigned mtu;       /* bytes, 576..9000; default 1500 */
    enum config_spreading spreading;
    bool verify_rx_checksums; /* false: trust what the port hands over (veth) */
};

enum config_idle { CONFIG_IDLE_ADAPTIVE, CONFIG_IDLE_POLL };

struct config_cpus {
    bool automatic; /* then count is 0 */
    unsigned count;
    unsigned cpu[CONFIG_CPUS_MAX];
};

struct config_cores {
    struct config_cpus main;     /* at most one */
    struct config_cpus workers;  /* one worker for each */
    struct config_cpus scanners; /* children are spread over these */
    struct config_cpus control;  /* any of these */
    enum config_idle idle;
};

enum config_hugepages { CONFIG_HUGEPAGES_AUTO, CONFIG_HUGEPAGES_REQUIRED, CONFIG_HUGEPAGES_OFF };

struct config_memory {
    enum config_hugepages hugepages;
    uint64_t messages_bytes; /* shared region for message blocks */
    uint64_t packets_bytes;  /* DPDK's own memory (mbufs, queues) */
};

/* Of limits.recipients: as many of the longest fit a message. */
#define CONFIG_RECIPIENTS_MAX 1000u

struct config_limits {
    uint64_t message_bytes;        /* SIZE; over it: 552 5.3.4 */
    unsigned recipients;           /* a message; over it: 452 4.5.3 */
    unsigned connections;          /* all workers together; over it: RST or 421 */
    unsigned connections_a_client; /* per client address (IPv6: /64), each worker; over it: RST */
    unsigned connections_a_prefix; /* per IPv4 /24 or IPv6 /48, each worker; over it: RST */
    unsigned connection_rate;      /* new ones a second and client address; over it: no answer */
    unsigned data_rate;            /* least bytes a second in DATA; below it: 421 */
    unsigned messages_in_progress; /* message slots, all workers together; over it: 452 4.3.1 */
    unsigned bad_commands;         /* a connection; over it: 421 */
    unsigned invalid_recipients;   /* a client and hour, each worker; over it: 421 */
    unsigned received_fields;      /* Received: fields in a message; over it: 554 5.4.6 */
    uint64_t window_bytes;         /* TCP receive window in DATA; 16K..256K */
    int64_t admission_wait_ns;     /* for room for a message, or for more of it; then 452 4.3.1 */
    int64_t command_timeout_ns;    /* between commands; then 421 */
    int64_t data_timeout_ns;       /* without a byte in DATA; then 421 */
    int64_t verdict_timeout_ns;    /* end of data to reply, all waiting included; then 451 */
};

struct config_smtp {
    bool strict_addresses; /* paths, HELO names and parameters as RFC 5321 has them, and no other */
    char forbidden_commands[128]; /* words with a blank between two; "": none */
};

struct config_scanner {
    unsigned processes;               /* 0 = automatic */
    char database[CONFIG_PATH_BYTES]; /* file or directory of signatures */
    char user[32];                    /* drops to this user when started as root */
    int64_t time_limit_ns;            /* a message */
    uint64_t scan_bytes_max;          /* unpacked bytes scanned for one message */
    uint64_t memory_bytes;            /* address space a child may add after the fork */
    unsigned files_max;               /* files unpacked from one message */
    unsigned recursion_max;           /* nesting depth */
};

struct config_prefilter {
    bool enabled;
    char file[CONFIG_PATH_BYTES]; /* compiled by `postern signatures build`; default:
                                     <state_directory>/bundles/prefilter */
    uint64_t cache_bytes;         /* verdicts of parts that were scanned; all workers together */
    uint64_t message_bytes_max;   /* larger messages are always scanned */
    unsigned inspections;         /* messages looked at at once, each worker */
};

/* What to do with unscannable mail. */
enum config_policy { CONFIG_POLICY_DEFER, CONFIG_POLICY_REJECT, CONFIG_POLICY_DELIVER };

/* Why mail is unscannable, as far as policies tell reasons apart. The first are kinds of one,
 * `encrypted`: nobody without the key can look inside. X(UPPER, key) */
#define CONFIG_ENCRYPTED_LIST(X)                                   \
    X(ENCRYPTED_MAIL, mail)         /* S/MIME, OpenPGP */          \
    X(ENCRYPTED_ARCHIVE, archive)   /* with a password; or else */ \
    X(ENCRYPTED_DOCUMENT, document) /* of an office, or a PDF */

/* X(UPPER, key, DEFAULT) */
#define CONFIG_REASON_LIST(X)                                                                \
    X(UNSUPPORTED, unsupported, "reject") /* a form that cannot be opened here */            \
    X(MALFORMED, malformed, "reject")     /* more readings than are looked at */             \
    X(LIMIT, limit, "reject")             /* over a limit of the scan: size, depth, files */ \
    X(PARTIAL, partial, "reject")         /* a piece of a message, or a mention of one */    \
    X(FAILED, failed, "defer")            /* no engine, no time, or it died: it may do better */

enum config_reason {
#define X(upper, ...) CONFIG_REASON_##upper,
    CONFIG_ENCRYPTED_LIST(X) CONFIG_REASON_LIST(X)
#undef X
        CONFIG_REASONS
};

struct config_server {
    char host[CONFIG_NAME_BYTES]; /* name or address of the customer's server */
    uint16_t port;
};

struct config_route {
    unsigned server_count;         /* at least one */
    struct config_server *servers; /* in the order they are to be tried; the configuration's */
    unsigned connections;          /* at once to this route */
    int64_t connect_timeout_ns;
    int64_t command_timeout_ns; /* each reply but the last */
    int64_t data_timeout_ns;    /* the answer to end of data */
    int64_t idle_timeout_ns;    /* how long a connection is kept for re-use */
};

struct config_customer {
    char name[64];
    unsigned domain_count;
    char (*domains)[CONFIG_NAME_BYTES]; /* lower case */
    bool any_recipient;                 /* no list given */
    unsigned recipient_count;
    char (*recipients)[CONFIG_NAME_BYTES]; /* local@domain or local, lower case */
    enum config_policy unscannable[CONFIG_REASONS];
    struct config_route route;
};

enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };

struct config {
    uint32_t number; /* counted up with each reload (sealed.h); 0: read from the file directly */
    uint64_t digest; /* of the file's text, with `number` */
    int version;     /* of the file's format */
    char file[CONFIG_PATH_BYTES];
    char hostname[CONFIG_NAME_BYTES];   /* banner, Received, X-Virus-Scanned */
    char postmaster[CONFIG_NAME_BYTES]; /* where bare <postmaster> goes; in a served domain */
    char runtime_directory[80];         /* /run/postern: sockets */
    char state_directory[CONFIG_PATH_BYTES];
    char control_user[32];
    enum config_log_format log_format;
    unsigned port_count;
    struct config_port ports[CONFIG_PORTS_MAX];
    struct config_cores cores;
    struct config_memory memory;
    struct config_limits limits;
    struct config_smtp smtp;
    struct config_scanner scanner;
    struct config_prefilter prefilter;
    enum config_policy unscannable[CONFIG_REASONS]; /* where a customer does not say */
    unsigned customer_count;
    struct config_customer *customers;
    struct names by_domain; /* of the customers; values are indexes into them */
    struct names by_name;
};

/* Where and why a file was refused. text is one line: "FILE:LINE:COLUMN: what, and what would do".
 */
struct config_error {
    unsigned line;   /* from 1; 0 when the file could not be read at all */
    unsigned column; /* from 1 */
    char text[CONFIG_ERROR_BYTES];
};

/* All that is wrong with a file, by line and column. */
struct config_errors {
    unsigned count;
    unsigned omitted; /* more than fit into the list */
    struct config_error list[CONFIG_ERRORS_MAX];
};

/* Reads and checks `path`. On STATUS_OK *config is the caller's to config_free(). Otherwise
 * (STATUS_BAD_CONFIG, STATUS_NOT_FOUND, STATUS_NO_MEMORY) *config is null and *errors holds at
 * least one. */
enum status config_load_all(const char *path, struct config **config,
                            struct config_errors *errors) STATUS_CHECKED;

/* The same, and the first error alone. */
enum status config_load(const char *path, struct config **config,
                        struct config_error *error) STATUS_CHECKED;

void config_free(struct config *config);

/* What a file that says nothing of scanners gives: for programs and tests without one. */
void config_scanner_defaults(struct config_scanner *scanner);

/* Makes the indexes below; a loaded configuration has them. For one put together by hand, which
 * takes them down with config_unindex(). STATUS_NO_MEMORY. */
enum status config_index(struct config *config) STATUS_CHECKED;
void config_unindex(struct config *config);

/* The customer that serves `domain` (any case), or null; the one of that name, or null. */
const struct config_customer *config_customer_of(const struct config *config, const char *domain,
                                                 size_t length);
const struct config_customer *config_customer_named(const struct config *config, const char *name);

#endif
