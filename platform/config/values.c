#include "platform/config/values.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first, so that texts come out short. */
static const struct unit size_units[] = {{"G", UINT64_C(1) << 30},
                                         {"M", UINT64_C(1) << 20},
                                         {"K", UINT64_C(1) << 10},
                                         {"", 1},
                                         {NULL, 0}};
static const struct unit time_units[] = {{"h", UINT64_C(3600000000000)},
                                         {"m", UINT64_C(60000000000)},
                                         {"s", UINT64_C(1000000000)},
                                         {"ms", UINT64_C(1000000)},
                                         {NULL, 0}};
static const struct unit plain_units[] = {{"", 1}, {NULL, 0}};

/* ctype.h follows the locale; a configuration file must not. */
static bool values_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool values_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char values_to_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static int values_hex_digit(char c)
{
    if (values_is_digit(c))
        return c - '0';
    c = values_to_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decimal digits at *text, moving it past them; false when there are none or too many. */
static bool values_take_number(const char **text, uint64_t *number)
{
    const char *at = *text;

    *number = 0;
    if (!values_is_digit(*at))
        return false;
    for (; values_is_digit(*at); at++) {
        if (*number > UINT64_MAX / 100)
            return false;
        *number = *number * 10 + (uint64_t)(*at - '0');
    }
    *text = at;
    return true;
}

static const struct unit *values_units_of(const struct schema_key *key)
{
    if (key->type == SCHEMA_SIZE)
        return size_units;
    return key->type == SCHEMA_TIME ? time_units : plain_units;
}

static bool values_parse_units(const struct schema_key *key, const char *text, uint64_t *value)
{
    uint64_t number = 0;

    if (!values_take_number(&text, &number))
        return false;
    for (const struct unit *unit = values_units_of(key); unit->name; unit++) {
        if (strcmp(text, unit->name) != 0)
            continue;
        if (number > UINT64_MAX / unit->factor)
            return false;
        *value = number * unit->factor;
        return *value >= key->min && *value <= key->max;
    }
    return false;
}

static void values_units_text(const struct unit *units, uint64_t value, char *text, size_t size)
{
    const struct unit *unit = units;

    while (unit[1].name && (value % unit->factor != 0 || value < unit->factor))
        unit++;
    snprintf(text, size, "%llu%s", (unsigned long long)(value / unit->factor), unit->name);
}

void values_size_text(uint64_t bytes, char *text, size_t size)
{
    values_units_text(size_units, bytes, text, size);
}

void values_number_text(const struct schema_key *key, uint64_t value, char *text, size_t size)
{
    values_units_text(values_units_of(key), value, text, size);
}

void values_range_text(const struct schema_key *key, char *text, size_t size)
{
    char min[32];
    char max[32];

    values_number_text(key, key->min, min, sizeof(min));
    values_number_text(key, key->max, max, sizeof(max));
    snprintf(text, size, "%s to %s", min, max);
}

static bool values_add_cpu(struct config_cpus *cpus, uint64_t cpu, uint64_t max)
{
    for (unsigned i = 0; i < cpus->count; i++)
        if (cpus->cpu[i] == cpu)
            return false;
    if (cpus->count >= max || cpus->count >= CONFIG_CPUS_MAX)
        return false;
    cpus->cpu[cpus->count++] = (unsigned)cpu;
    return true;
}

static bool values_parse_cpus(const struct schema_key *key, const char *text,
                              struct config_cpus *cpus)
{
    memset(cpus, 0, sizeof(*cpus));
    if (strcmp(text, "auto") == 0) {
        cpus->automatic = true;
        return true;
    }
    for (;;) {
        uint64_t first = 0;
        uint64_t last = 0;

        if (!values_take_number(&text, &first))
            return false;
        last = first;
        if (*text == '-') {
            text++;
            if (!values_take_number(&text, &last))
                return false;
        }
        /* The upper bound is only there to keep the loop below short. */
        if (first > last || last > 65535 || last - first >= CONFIG_CPUS_MAX)
            return false;
        for (uint64_t cpu = first; cpu <= last; cpu++)
            if (!values_add_cpu(cpus, cpu, key->max))
                return false;
        if (*text == '\0')
            return true;
        if (*text++ != ',')
            return false;
    }
}

static bool values_parse_choice(const struct schema_key *key, const char *text, void *out)
{
    for (const struct schema_choice *choice = key->choices; choice->name; choice++) {
        if (strcmp(text, choice->name) != 0)
            continue;
        if (key->size == sizeof(bool))
            *(bool *)out = choice->value != 0;
        else
            *(int *)out = choice->value;
        return true;
    }
    return false;
}

/* Refuses what no host can have: this-network, loopback, multicast and reserved addresses, and a
 * subnet's own two special ones. */
static bool values_parse_address(const char *text, struct config_port *port)
{
    char address[INET_ADDRSTRLEN] = {0};
    const char *slash = strchr(text, '/');
    uint64_t prefix = 0;
    uint32_t host = 0;

    if (!slash || (size_t)(slash - text) >= sizeof(address))
        return false;
    memcpy(address, text, (size_t)(slash - text));
    text = slash + 1;
    if (!values_take_number(&text, &prefix) || *text != '\0' || prefix > 32)
        return false;
    if (inet_pton(AF_INET, address, &port->address) != 1)
        return false;
    port->prefix_length = (unsigned)prefix;
    host = ntohl(port->address.s_addr);
    if (host >> 24 == 0 || host >> 24 == 127 || host >> 28 >= 14)
        return false;
    if (prefix <= 30) {
        uint32_t mask = UINT32_MAX >> prefix;

        if ((host & mask) == 0 || (host & mask) == mask)
            return false;
    }
    return true;
}

/* A unicast address that is not link-local: that one the port has anyway. */
static bool values_parse_address6(const char *text, struct config_port *port)
{
    char address[INET6_ADDRSTRLEN] = {0};
    const char *slash = strchr(text, '/');
    uint64_t prefix = 0;

    if (!slash || (size_t)(slash - text) >= sizeof(address))
        return false;
    memcpy(address, text, (size_t)(slash - text));
    text = slash + 1;
    if (!values_take_number(&text, &prefix) || *text != '\0' || prefix > 128)
        return false;
    if (inet_pton(AF_INET6, address, &port->address6) != 1)
        return false;
    port->prefix_length6 = (unsigned)prefix;
    port->has_address6 = true;
    return !IN6_IS_ADDR_UNSPECIFIED(&port->address6) && !IN6_IS_ADDR_LOOPBACK(&port->address6) &&
           !IN6_IS_ADDR_MULTICAST(&port->address6) && !IN6_IS_ADDR_LINKLOCAL(&port->address6) &&
           !IN6_IS_ADDR_V4MAPPED(&port->address6);
}

static bool values_parse_mac(const char *text, struct config_port *port)
{
    unsigned any = 0;

    for (unsigned i = 0; i < 6; i++, text += 3) {
        int high = values_hex_digit(text[0]);
        int low = high < 0 ? -1 : values_hex_digit(text[1]);

        if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
            return false;
        port->mac[i] = (uint8_t)(high * 16 + low);
        any |= port->mac[i];
    }
    port->has_mac = true;
    return any != 0 && (port->mac[0] & 1) == 0;
}

/* dddd:bb:dd.f */
static bool values_is_pci_address(const char *text)
{
    static const char shape[] = "hhhh:hh:hh.f";

    for (size_t i = 0; i < sizeof(shape); i++) {
        bool fits = shape[i] == 'h'   ? values_hex_digit(text[i]) >= 0
                    : shape[i] == 'f' ? text[i] >= '0' && text[i] <= '7'
                                      : text[i] == shape[i];

        if (!fits)
            return false;
    }
    return true;
}

/* One component of a path that the kernel takes as a name. */
static bool values_is_file_name(const char *text)
{
    if (text[0] == '\0' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return false;
    for (; *text; text++)
        if (*text == '/' || *text == ':' || *text <= ' ' || *text > '~')
            return false;
    return true;
}

static bool values_is_label(const char *text, bool user)
{
    if (text[0] == '\0' || (user && !values_is_letter(text[0]) && text[0] != '_'))
        return false;
    for (; *text; text++)
        if (!(*text >= 'a' && *text <= 'z') && !values_is_digit(*text) && *text != '_' &&
            *text != '-')
            return false;
    return true;
}

/* Letters and digits, one blank between two words; or none at all. */
static bool values_is_words(const char *text)
{
    for (const char *at = text; *at; at++) {
        bool between = at > text && at[-1] != ' ' && at[1] != '\0';

        if (!values_is_letter(*at) && !values_is_digit(*at) && !(*at == ' ' && between))
            return false;
    }
    return true;
}

bool values_is_domain(const char *text)
{
    size_t length = strlen(text);
    const char *label = text;
    bool number = true;

    if (length == 0 || length > 253)
        return false;
    for (const char *at = text;; at++) {
        if (values_is_letter(*at) || values_is_digit(*at) || *at == '-') {
            number = number && values_is_digit(*at);
            continue;
        }
        if (*at != '.' && *at != '\0')
            return false;
        if (at == label || at - label > 63 || *label == '-' || at[-1] == '-')
            return false;
        /* A name that ends in a number is a mistyped address (RFC 3696 section 2). */
        if (*at == '\0')
            return !number;
        label = at + 1;
        number = true;
    }
}

bool values_is_local_part(const char *text, size_t length)
{
    char before = '.';

    if (length == 0 || length > 64)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (c == '.' ? before == '.'
                     : !values_is_letter(c) && !values_is_digit(c) &&
                           (!c || !strchr("!#$%&'*+-/=?^_`{|}~", c)))
            return false;
        before = c;
    }
    return before != '.';
}

static bool values_is_mailbox(const char *text)
{
    const char *at = strrchr(text, '@');

    return at && values_is_local_part(text, (size_t)(at - text)) && values_is_domain(at + 1);
}

/* A local part, or an address; whether its domain is served is for verify.c. */
static bool values_is_recipient(const char *text)
{
    const char *at = strrchr(text, '@');

    return values_is_local_part(text, at ? (size_t)(at - text) : strlen(text));
}

static bool values_is_host(const char *text)
{
    struct in6_addr address;

    return values_is_domain(text) || inet_pton(AF_INET, text, &address) == 1 ||
           inet_pton(AF_INET6, text, &address) == 1;
}

static bool values_is_path(const char *text)
{
    return text[0] == '/';
}

bool values_copy_lower(char *to, size_t size, const char *text)
{
    size_t length = strlen(text);

    if (length >= size)
        return false;
    for (size_t i = 0; i <= length; i++)
        to[i] = values_to_lower(text[i]);
    return true;
}

static bool values_parse_text(const struct schema_key *key, const char *text, char *out)
{
    bool fits = false;

    switch (key->type) {
    case SCHEMA_PCI_ADDRESS:
        return values_is_pci_address(text) && values_copy_lower(out, key->size, text);
    case SCHEMA_DOMAIN:
        return values_is_domain(text) && values_copy_lower(out, key->size, text);
    case SCHEMA_HOST:
        return values_is_host(text) && values_copy_lower(out, key->size, text);
    case SCHEMA_RECIPIENT:
        return values_is_recipient(text) && values_copy_lower(out, key->size, text);
    case SCHEMA_MAILBOX:
        return values_is_mailbox(text) && values_copy_lower(out, key->size, text);
    case SCHEMA_INTERFACE:
    case SCHEMA_NAMESPACE:
        fits = values_is_file_name(text);
        break;
    case SCHEMA_USER:
        fits = values_is_label(text, true);
        break;
    case SCHEMA_LABEL:
        fits = values_is_label(text, false);
        break;
    case SCHEMA_WORDS:
        fits = values_is_words(text);
        break;
    default:
        fits = values_is_path(text);
        break;
    }
    if (!fits || strlen(text) >= key->size)
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

bool values_parse(const struct schema_key *key, const char *text, void *base)
{
    void *out = (char *)base + key->offset;
    uint64_t number = 0;

    switch (key->type) {
    case SCHEMA_SIZE:
        return values_parse_units(key, text, out);
    case SCHEMA_TIME:
        if (!values_parse_units(key, text, &number))
            return false;
        *(int64_t *)out = (int64_t)number;
        return true;
    case SCHEMA_COUNT_OR_AUTO:
    case SCHEMA_COUNT:
        if (key->type == SCHEMA_COUNT_OR_AUTO && strcmp(text, "auto") == 0)
            number = 0;
        else if (!values_parse_units(key, text, &number))
            return false;
        *(unsigned *)out = (unsigned)number;
        return true;
    case SCHEMA_TCP_PORT:
        if (!values_parse_units(key, text, &number))
            return false;
        *(uint16_t *)out = (uint16_t)number;
        return true;
    case SCHEMA_CHOICE:
        return values_parse_choice(key, text, out);
    case SCHEMA_CPUS:
        return values_parse_cpus(key, text, out);
    case SCHEMA_ADDRESS:
        return values_parse_address(text, out);
    case SCHEMA_ADDRESS6:
        return values_parse_address6(text, out);
    case SCHEMA_MAC:
        return values_parse_mac(text, out);
    default:
        return values_parse_text(key, text, out);
    }
}

static void values_wanted_choices(const struct schema_key *key, char *wanted)
{
    size_t used = (size_t)snprintf(wanted, VALUES_WANTED_BYTES, "write ");

    for (const struct schema_choice *choice = key->choices; choice->name; choice++) {
        const char *before = choice == key->choices ? "" : choice[1].name ? ", " : " or ";

        used += (size_t)snprintf(wanted + used, VALUES_WANTED_BYTES - used, "%s%s", before,
                                 choice->name);
        if (used >= VALUES_WANTED_BYTES)
            return;
    }
}

static void values_wanted_range(const struct schema_key *key, const char *what, char *wanted)
{
    char range[80];

    values_range_text(key, range, sizeof(range));
    snprintf(wanted, VALUES_WANTED_BYTES, "write %s from %s", what, range);
}

void values_wanted(const struct schema_key *key, char wanted[VALUES_WANTED_BYTES])
{
    static const char *const texts[] = {
        [SCHEMA_ADDRESS] = "write an IPv4 address a host can have, with its prefix length, such as "
                           "198.18.0.2/24",
        [SCHEMA_ADDRESS6] = "write a global or unique local IPv6 address with its prefix length, "
                            "such as \"2001:db8::2/64\"",
        [SCHEMA_MAC] = "write six pairs of hex digits of a unicast address, such as "
                       "\"02:00:00:00:00:01\"",
        [SCHEMA_PCI_ADDRESS] = "write domain:bus:device.function, such as \"0000:01:00.0\"",
        [SCHEMA_INTERFACE] = "write the name of a network interface, 1 to 15 characters without "
                             "'/', ':' or blanks",
        [SCHEMA_NAMESPACE] = "write a name under /run/netns, 1 to 63 characters without '/', ':' "
                             "or blanks",
        [SCHEMA_USER] = "write a user name of at most 31 characters a-z, 0-9, '_' and '-'",
        [SCHEMA_DOMAIN] = "write a domain name in ASCII, such as mx1.example.org",
        [SCHEMA_HOST] = "write a host name or an IP address",
        [SCHEMA_MAILBOX] = "write a mail address, such as postmaster@example.org",
        [SCHEMA_RECIPIENT] = "write a local part such as alice, or an address in one of the "
                             "customer's domains",
        [SCHEMA_LABEL] = "write 1 to 63 characters a-z, 0-9, '_' and '-'",
        [SCHEMA_WORDS] = "write words of letters and digits with one blank between two, at most "
                         "127 bytes, or \"\" for none",
    };

    switch (key->type) {
    case SCHEMA_SIZE:
        values_wanted_range(key, "a size in bytes or with K, M or G,", wanted);
        return;
    case SCHEMA_TIME:
        values_wanted_range(key, "a time with ms, s, m or h,", wanted);
        return;
    case SCHEMA_COUNT_OR_AUTO:
        values_wanted_range(key, "auto or a whole number", wanted);
        return;
    case SCHEMA_COUNT:
    case SCHEMA_TCP_PORT:
        values_wanted_range(key, "a whole number", wanted);
        return;
    case SCHEMA_CHOICE:
        values_wanted_choices(key, wanted);
        return;
    case SCHEMA_CPUS:
        snprintf(wanted, VALUES_WANTED_BYTES, "write auto or %s",
                 key->max == 1 ? "one cpu number"
                               : "cpu numbers such as 0-3,8, each once, at most 64");
        return;
    case SCHEMA_GROUP:
        snprintf(wanted, VALUES_WANTED_BYTES, "write keys below it");
        return;
    case SCHEMA_LIST:
        snprintf(wanted, VALUES_WANTED_BYTES, "write a list of %u to %u entries",
                 (unsigned)key->min, (unsigned)key->max);
        return;
    case SCHEMA_PATH:
        snprintf(wanted, VALUES_WANTED_BYTES, "write an absolute path of at most %u bytes",
                 key->size - 1);
        return;
    default:
        snprintf(wanted, VALUES_WANTED_BYTES, "%s", texts[key->type]);
        return;
    }
}
