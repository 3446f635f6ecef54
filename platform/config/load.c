#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/config/config.h"
#include "platform/config/locate.h"
#include "platform/config/raw.h"
#include "platform/config/schema.h"
#include "platform/config/values.h"
#include "platform/config/verify.h"

#define FILE_BYTES_MAX (4u << 20)

/* A mapping under conversion: where it stands and how it is called in texts. */
struct part {
    struct locate *locate;
    int node; /* LOCATE_NONE when the file has no such mapping; all its keys then take defaults */
    int parent;
    const char *path;
};

static enum status convert_key(const struct part *part, const struct schema_key *key,
                               const char *text, void *base)
{
    const char *dot = part->path[0] ? "." : "";
    char wanted[VALUES_WANTED_BYTES];

    if (!text && key->mandatory) {
        values_wanted(key, wanted);
        return locate_fail(part->locate, part->node ? part->node : part->parent,
                           "%s is missing (%s%s%s); %s", key->name, part->path, dot, key->name,
                           wanted);
    }
    if (!text)
        text = key->fallback;
    if (!text || values_parse(key, text, base))
        return STATUS_OK;
    values_wanted(key, wanted);
    return locate_fail(part->locate, locate_child(part->locate, part->node, key->name),
                       "\"%.60s\" is not valid (%s%s%s); %s", text, part->path, dot, key->name,
                       wanted);
}

/* `raw` is null when the mapping is absent. */
static enum status convert_section(const struct part *part, const struct schema_section *section,
                                   const struct raw_section *raw, void *base)
{
    enum status status = STATUS_OK;

    for (unsigned i = 0; status == STATUS_OK && i < section->count; i++)
        status = convert_key(part, &section->keys[i], raw ? raw->text[i] : NULL, base);
    return status;
}

static enum status convert_singles(struct locate *locate, const struct raw *raw,
                                   struct config *config)
{
    int root = locate_root(locate);
    struct part top = {locate, root, root, ""};
    enum status status = convert_section(&top, &schema_top, &raw->top, config);

    for (unsigned i = 0; status == STATUS_OK && i < SCHEMA_SINGLES; i++) {
        const struct schema_section *section = &schema_singles[i];
        struct part part = {locate, locate_child(locate, root, section->name), root, section->name};

        status = convert_section(&part, section, raw->singles[i], (char *)config + section->offset);
    }
    return status;
}

static enum status convert_ports(struct locate *locate, const struct raw *raw,
                                 struct config *config)
{
    int list = locate_child(locate, locate_root(locate), "ports");
    enum status status = STATUS_OK;

    if (raw->port_count == 0)
        return locate_fail(locate, locate_root(locate),
                           "ports is missing (ports); write a list of 1 to %u ports",
                           CONFIG_PORTS_MAX);
    for (unsigned i = 0; status == STATUS_OK && i < raw->port_count; i++) {
        char path[32];
        struct part part = {locate, locate_item(locate, list, i), list, path};

        snprintf(path, sizeof(path), "ports[%u]", i + 1);
        config->port_count = i + 1;
        status = convert_section(&part, &schema_port, &raw->ports[i], &config->ports[i]);
        if (status == STATUS_OK)
            status = verify_port(locate, part.node, config, i);
    }
    return status;
}

static enum status convert_domains(const struct part *part, const struct raw_customer *raw,
                                   struct config_customer *customer)
{
    int list = locate_child(part->locate, part->node, "domains");

    if (raw->domain_count == 0)
        return locate_fail(part->locate, part->node,
                           "domains is missing (%s.domains); write a list of domain names",
                           part->path);
    customer->domains = calloc(raw->domain_count, sizeof(*customer->domains));
    if (!customer->domains)
        return STATUS_NO_MEMORY;
    for (unsigned i = 0; i < raw->domain_count; i++) {
        if (!values_is_domain(raw->domains[i]) ||
            !values_copy_lower(customer->domains[i], CONFIG_NAME_BYTES, raw->domains[i]))
            return locate_fail(part->locate, locate_item(part->locate, list, i),
                               "\"%.60s\" is not valid (%s.domains[%u]); write a domain name in "
                               "ASCII, such as example.org",
                               raw->domains[i], part->path, i + 1);
        customer->domain_count = i + 1;
    }
    return STATUS_OK;
}

static bool has_domain(const struct config_customer *customer, const char *domain, size_t length)
{
    for (unsigned i = 0; i < customer->domain_count; i++)
        if (strlen(customer->domains[i]) == length &&
            strncasecmp(customer->domains[i], domain, length) == 0)
            return true;
    return false;
}

static enum status convert_recipient(const struct part *part, struct config_customer *customer,
                                     const char *text, unsigned index)
{
    const char *at = strrchr(text, '@');
    size_t local = at ? (size_t)(at - text) : strlen(text);
    int list = locate_child(part->locate, part->node, "recipients");
    int node = locate_item(part->locate, list, index);

    if (!values_is_local_part(text, local) ||
        !values_copy_lower(customer->recipients[index], CONFIG_NAME_BYTES, text))
        return locate_fail(part->locate, node,
                           "\"%.60s\" is not valid (%s.recipients[%u]); write a local part such as "
                           "alice, or an address in one of the customer's domains",
                           text, part->path, index + 1);
    if (at && !has_domain(customer, at + 1, strlen(at + 1)))
        return locate_fail(part->locate, node,
                           "\"%.60s\" is in none of this customer's domains (%s.recipients[%u]); "
                           "add the domain, or write an address in one of them",
                           text, part->path, index + 1);
    return STATUS_OK;
}

static enum status convert_recipients(const struct part *part, const struct raw_customer *raw,
                                      struct config_customer *customer)
{
    customer->any_recipient = raw->recipient_count == 0;
    if (customer->any_recipient)
        return STATUS_OK;
    customer->recipients = calloc(raw->recipient_count, sizeof(*customer->recipients));
    if (!customer->recipients)
        return STATUS_NO_MEMORY;
    for (unsigned i = 0; i < raw->recipient_count; i++) {
        enum status status = convert_recipient(part, customer, raw->recipients[i], i);

        if (status != STATUS_OK)
            return status;
        customer->recipient_count = i + 1;
    }
    return STATUS_OK;
}

static enum status convert_customer(struct locate *locate, int list, unsigned index,
                                    const struct raw_customer *raw,
                                    struct config_customer *customer)
{
    char path[40];
    char route_path[48];
    struct part part = {locate, locate_item(locate, list, index), list, path};
    struct part route = {locate, locate_child(locate, part.node, "route"), part.node, route_path};
    enum status status = STATUS_OK;

    snprintf(path, sizeof(path), "customers[%u]", index + 1);
    snprintf(route_path, sizeof(route_path), "%s.route", path);
    status = convert_section(&part, &schema_customer, &raw->keys, customer);
    if (status == STATUS_OK)
        status = convert_domains(&part, raw, customer);
    if (status == STATUS_OK)
        status = convert_recipients(&part, raw, customer);
    if (status == STATUS_OK)
        status = convert_section(&route, &schema_route, raw->route, &customer->route);
    return status;
}

static enum status convert_customers(struct locate *locate, const struct raw *raw,
                                     struct config *config)
{
    int list = locate_child(locate, locate_root(locate), "customers");
    enum status status = STATUS_OK;

    if (raw->customer_count == 0)
        return locate_fail(locate, locate_root(locate),
                           "customers is missing (customers); write a list with at least one");
    config->customers = calloc(raw->customer_count, sizeof(*config->customers));
    if (!config->customers)
        return STATUS_NO_MEMORY;
    for (unsigned i = 0; status == STATUS_OK && i < raw->customer_count; i++) {
        config->customer_count = i + 1;
        status = convert_customer(locate, list, i, &raw->customers[i], &config->customers[i]);
    }
    return status;
}

static enum status convert(struct locate *locate, const struct raw *raw, struct config *config)
{
    enum status status = convert_singles(locate, raw, config);

    if (status == STATUS_OK)
        status = convert_ports(locate, raw, config);
    if (status == STATUS_OK)
        status = convert_customers(locate, raw, config);
    if (status == STATUS_OK)
        status = verify_config(locate, config);
    return status;
}

static enum status load_text(const char *path, const unsigned char *text, size_t size,
                             struct config *config, struct config_error *error)
{
    struct locate locate;
    struct raw *raw = NULL;
    enum status status = locate_init(&locate, path, text, size, error);

    if (status == STATUS_OK)
        status = raw_load(&locate, text, size, &raw);
    if (status == STATUS_OK)
        status = convert(&locate, raw, config);
    raw_free(raw);
    locate_fini(&locate);
    return status;
}

/* Fills *text, allocated one byte larger than the file so that growth is noticed. */
static enum status read_open(int fd, const char *path, unsigned char **text, size_t *size,
                             struct config_error *error)
{
    struct stat about;
    size_t room = 0;

    if (fstat(fd, &about) != 0)
        return locate_fail_at(path, error, 0, 0, "cannot be read: %s", strerror(errno));
    if (!S_ISREG(about.st_mode))
        return locate_fail_at(path, error, 0, 0, "is no regular file; name one");
    if (about.st_size > FILE_BYTES_MAX)
        return locate_fail_at(path, error, 0, 0, "is larger than %u bytes; write less",
                              FILE_BYTES_MAX);
    room = (size_t)about.st_size + 1;
    *text = malloc(room);
    if (!*text)
        return STATUS_NO_MEMORY;
    for (*size = 0; *size < room;) {
        ssize_t got = read(fd, *text + *size, room - *size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return locate_fail_at(path, error, 0, 0, "cannot be read: %s", strerror(errno));
        if (got == 0)
            return STATUS_OK;
        *size += (size_t)got;
    }
    return locate_fail_at(path, error, 0, 0, "grew while it was read; try again");
}

/* On STATUS_OK *text is the caller's to free(). */
static enum status read_file(const char *path, unsigned char **text, size_t *size,
                             struct config_error *error)
{
    enum status status = STATUS_OK;
    int fd = -1;

    if (strlen(path) >= CONFIG_PATH_BYTES)
        return locate_fail_at("configuration", error, 0, 0,
                              "the path is longer than %u bytes; use a shorter one",
                              CONFIG_PATH_BYTES - 1);
    /* O_NONBLOCK: opening a named pipe must not hang; it is refused afterwards. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int cause = errno;

        (void)locate_fail_at(path, error, 0, 0, "cannot be opened: %s; check name and permissions",
                             strerror(cause));
        return cause == ENOENT ? STATUS_NOT_FOUND : STATUS_BAD_CONFIG;
    }
    status = read_open(fd, path, text, size, error);
    close(fd);
    if (status != STATUS_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

enum status config_load(const char *path, struct config **config, struct config_error *error)
{
    unsigned char *text = NULL;
    size_t size = 0;
    enum status status = STATUS_OK;
    struct config *loaded = NULL;

    *config = NULL;
    memset(error, 0, sizeof(*error));
    status = read_file(path, &text, &size, error);
    if (status == STATUS_OK) {
        loaded = calloc(1, sizeof(*loaded));
        if (loaded) {
            snprintf(loaded->file, sizeof(loaded->file), "%s", path);
            status = load_text(path, text, size, loaded, error);
        } else {
            status = STATUS_NO_MEMORY;
        }
    }
    free(text);
    if (status == STATUS_OK) {
        *config = loaded;
        return STATUS_OK;
    }
    config_free(loaded);
    if (status == STATUS_NO_MEMORY)
        (void)locate_fail_at(path, error, 0, 0, "out of memory while loading");
    return status;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (unsigned i = 0; config->customers && i < config->customer_count; i++) {
        free(config->customers[i].domains);
        free(config->customers[i].recipients);
    }
    free(config->customers);
    free(config);
}

const struct config_customer *config_customer_of(const struct config *config, const char *domain,
                                                 size_t length)
{
    for (unsigned i = 0; i < config->customer_count; i++)
        if (has_domain(&config->customers[i], domain, length))
            return &config->customers[i];
    return NULL;
}
