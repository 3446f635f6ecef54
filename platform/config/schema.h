/* schema.h: every key of postern.yaml, once: its name, type, limits and default.
 *
 * The tables drive three things: what libcyaml accepts (raw.c), how a text becomes a value
 * (values.c) and what an error says would be right. A key is added here and in config.h, and
 * nowhere else. Lists (`ports`, `customers`, `domains`, `recipients`) and the nested `route` are
 * shapes, not values, and are named by raw.c.
 *
 * Constant data; any thread.
 */
#ifndef PLATFORM_CONFIG_SCHEMA_H
#define PLATFORM_CONFIG_SCHEMA_H

#include "platform/config/config.h"

#define SCHEMA_KEYS_MAX       16u
#define SCHEMA_CUSTOMERS_MAX  10000u
#define SCHEMA_DOMAINS_MAX    1000u  /* a customer */
#define SCHEMA_RECIPIENTS_MAX 10000u /* a customer */

enum schema_type {
    SCHEMA_SIZE,          /* uint64_t bytes */
    SCHEMA_TIME,          /* int64_t ns */
    SCHEMA_COUNT,         /* unsigned */
    SCHEMA_COUNT_OR_AUTO, /* unsigned, 0 for auto */
    SCHEMA_TCP_PORT,      /* uint16_t */
    SCHEMA_CHOICE,        /* int or bool, by size */
    SCHEMA_CPUS,          /* struct config_cpus; max = how many may be named */
    SCHEMA_ADDRESS6,      /* struct config_port: address6, prefix_length6, has_address6 */
    SCHEMA_ADDRESS,       /* struct config_port: address and prefix_length */
    SCHEMA_MAC,           /* struct config_port: mac and has_mac */
    SCHEMA_PCI_ADDRESS,   /* char[] from here on */
    SCHEMA_INTERFACE,
    SCHEMA_NAMESPACE,
    SCHEMA_PATH,
    SCHEMA_USER,
    SCHEMA_DOMAIN,
    SCHEMA_HOST,
    SCHEMA_MAILBOX,
    SCHEMA_LABEL,
};

struct schema_choice {
    const char *name;
    int value;
};

struct schema_key {
    const char *name;
    enum schema_type type;
    bool mandatory;
    uint32_t offset; /* in the section's struct */
    uint32_t size;   /* of the member */
    uint64_t min;
    uint64_t max;
    const char *fallback;                /* as one would write it; null = none */
    const struct schema_choice *choices; /* ends with a null name */
};

struct schema_section {
    const char *name;
    uint32_t offset; /* in struct config; 0 for entries of lists */
    unsigned count;
    const struct schema_key *keys;
};

/* Mappings that occur once, directly below the top. */
#define SCHEMA_SINGLES 7u
extern const struct schema_section schema_singles[SCHEMA_SINGLES];

extern const struct schema_section schema_top;
extern const struct schema_section schema_port;     /* base: struct config_port */
extern const struct schema_section schema_customer; /* base: struct config_customer */
extern const struct schema_section schema_route;    /* base: struct config_route */

#endif
