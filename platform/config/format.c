/* The way back of values.c: from a value in machine units to the text one would write. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "platform/config/values.h"

static const char *format_choice_name(const struct schema_key *key, const void *member)
{
    int value = key->size == sizeof(bool) ? *(const bool *)member : *(const int *)member;

    for (const struct schema_choice *choice = key->choices; choice->name; choice++)
        if (choice->value == value)
            return choice->name;
    return NULL;
}

/* Runs of consecutive numbers as ranges. */
static void format_cpus_text(const struct config_cpus *cpus, char *text, size_t size)
{
    size_t used = 0;
    unsigned run = 1;

    text[0] = '\0';
    for (unsigned i = 0; i < cpus->count && used < size; i += run) {
        for (run = 1; i + run < cpus->count && cpus->cpu[i + run] == cpus->cpu[i] + run; run++)
            continue;
        used += (size_t)snprintf(text + used, size - used, run > 1 ? "%s%u-%u" : "%s%u",
                                 i ? "," : "", cpus->cpu[i], cpus->cpu[i + run - 1]);
    }
}

static bool format_address_text(const struct config_port *port, char *text, size_t size)
{
    char address[INET_ADDRSTRLEN];

    return inet_ntop(AF_INET, &port->address, address, sizeof(address)) &&
           snprintf(text, size, "%s/%u", address, port->prefix_length) > 0;
}

static bool format_address6_text(const struct config_port *port, char *text, size_t size)
{
    char address[INET6_ADDRSTRLEN];

    return port->has_address6 && inet_ntop(AF_INET6, &port->address6, address, sizeof(address)) &&
           snprintf(text, size, "%s/%u", address, port->prefix_length6) > 0;
}

static bool format_mac_text(const struct config_port *port, char *text, size_t size)
{
    const uint8_t *mac = port->mac;

    return port->has_mac && snprintf(text, size, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
                                     mac[2], mac[3], mac[4], mac[5]) > 0;
}

bool values_format(const struct schema_key *key, const void *base, char text[VALUES_TEXT_BYTES])
{
    const void *member = (const char *)base + key->offset;
    const struct config_cpus *cpus = member;
    const char *name = NULL;

    switch (key->type) {
    case SCHEMA_SIZE:
    case SCHEMA_TIME:
        values_number_text(key, *(const uint64_t *)member, text, VALUES_TEXT_BYTES);
        return true;
    case SCHEMA_COUNT_OR_AUTO:
    case SCHEMA_COUNT:
        if (key->type == SCHEMA_COUNT_OR_AUTO && *(const unsigned *)member == 0)
            return snprintf(text, VALUES_TEXT_BYTES, "auto") > 0;
        values_number_text(key, *(const unsigned *)member, text, VALUES_TEXT_BYTES);
        return true;
    case SCHEMA_TCP_PORT:
        values_number_text(key, *(const uint16_t *)member, text, VALUES_TEXT_BYTES);
        return true;
    case SCHEMA_CHOICE:
        name = format_choice_name(key, member);
        return name && snprintf(text, VALUES_TEXT_BYTES, "%s", name) > 0;
    case SCHEMA_CPUS:
        if (cpus->automatic)
            return snprintf(text, VALUES_TEXT_BYTES, "auto") > 0;
        format_cpus_text(cpus, text, VALUES_TEXT_BYTES);
        return true;
    case SCHEMA_ADDRESS:
        return format_address_text(member, text, VALUES_TEXT_BYTES);
    case SCHEMA_ADDRESS6:
        return format_address6_text(member, text, VALUES_TEXT_BYTES);
    case SCHEMA_MAC:
        return format_mac_text(member, text, VALUES_TEXT_BYTES);
    case SCHEMA_GROUP:
    case SCHEMA_LIST:
        return false;
    default:
        return snprintf(text, VALUES_TEXT_BYTES, "%s", (const char *)member) > 0;
    }
}
