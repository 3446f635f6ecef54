/* schema.h: every key of postern.yaml, once: its name, type, limits and default.
 *
 * One table, nested as the file is: a key is a single value, a *group* (a mapping with keys of its
 * own) or a *list* (of single values, or of groups). Everything that knows keys reads it: what may
 * stand in the file and what an error says would be right (read.c), how a text becomes a value and
 * back (values.c, format.c), what is freed (config_free()), `postern show-config` (show.c), the
 * manual page (manual.c), and the test that holds docs/configuration.md against it. A key is added
 * here and in config.h, and nowhere else.
 *
 * Constant data; any thread.
 */
#ifndef PLATFORM_CONFIG_SCHEMA_H
#define PLATFORM_CONFIG_SCHEMA_H

#include "platform/config/config.h"

#define SCHEMA_CUSTOMERS_MAX  100000u
#define SCHEMA_DOMAINS_MAX    1000u  /* a customer */
#define SCHEMA_RECIPIENTS_MAX 10000u /* a customer */
#define SCHEMA_DEPTH          6u     /* groups and lists in one another, the file itself counted */

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
    SCHEMA_RECIPIENT,
    SCHEMA_LABEL,
    SCHEMA_WORDS,
    SCHEMA_GROUP, /* a struct of its own at `offset`, or members of the one around it (offset 0) */
    SCHEMA_LIST,  /* an array; `min` to `max` entries of `size` bytes */
};

struct schema_choice {
    const char *name;
    int value;
};

struct schema_key;

struct schema_group {
    unsigned count;
    const struct schema_key *keys;
    /* A single value may stand for the group: then it is the value of each of its keys. */
    bool word;
};

struct schema_key {
    const char *name;
    enum schema_type type;
    bool mandatory;
    bool in_place; /* SCHEMA_LIST: the member is the array, not a pointer to one */
    /* SCHEMA_LIST of groups: the keys of one entry may stand where the list's own key would, for a
     * list of one. */
    bool direct;
    bool restart;    /* a change takes effect with a restart only; of a group or list: all of it */
    uint32_t offset; /* in the group's struct */
    uint32_t size;   /* of the member; SCHEMA_LIST: of an entry */
    uint32_t count_offset; /* SCHEMA_LIST: of the `unsigned` that counts entries */
    /* SCHEMA_GROUP: keys that are not given are those of the group of the same kind at this offset
     * of struct config, which stands earlier in the table. 0: none, their fallbacks apply. */
    uint32_t inherits;
    uint64_t min;
    uint64_t max;
    const char *fallback;                /* as one would write it; null = none */
    const struct schema_choice *choices; /* ends with a null name */
    const struct schema_group *group;    /* SCHEMA_GROUP; SCHEMA_LIST of groups, else null */
    const struct schema_key *entry;      /* SCHEMA_LIST of single values, else null */
    const char *about; /* what it is, in one line for the manual; an entry: null */
};

extern const struct schema_group schema_file; /* base: struct config */

#endif
