/* raw.h: the file as texts, loaded by libcyaml.
 *
 * One text for each key, in the order of the schema's tables; null for a key that is not there.
 * libcyaml enforces the shape: known keys, mappings, lists and single values where they belong,
 * list lengths. Meaning is load.c's business.
 *
 * Main thread, start-up. Memory: raw_load() allocates through libcyaml, raw_free() frees.
 */
#ifndef PLATFORM_CONFIG_RAW_H
#define PLATFORM_CONFIG_RAW_H

#include "platform/config/locate.h"
#include "platform/config/schema.h"

struct raw_section {
    char *text[SCHEMA_KEYS_MAX];
};

struct raw_customer {
    struct raw_section keys;
    struct raw_section *route; /* null when absent */
    unsigned domain_count;
    char **domains;
    unsigned recipient_count;
    char **recipients;
};

struct raw {
    struct raw_section top;
    struct raw_section *singles[SCHEMA_SINGLES]; /* null when absent */
    unsigned port_count;
    struct raw_section *ports;
    unsigned customer_count;
    struct raw_customer *customers;
};

/* `locate` holds the same text and takes the error. STATUS_BAD_CONFIG, STATUS_NO_MEMORY. */
enum status raw_load(struct locate *locate, const unsigned char *text, size_t size,
                     struct raw **raw) STATUS_CHECKED;
void raw_free(struct raw *raw);

#endif
