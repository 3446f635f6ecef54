#include "platform/config/raw.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "platform/config/values.h"

#define FIELDS_MAX   (SCHEMA_KEYS_MAX + SCHEMA_SINGLES + 4)
#define TRACE_MAX    8u /* our own depth is 5 */
#define MESSAGE_SIZE 160u

/* libcyaml's description of the file, made from the tables of schema.c. */
struct shape {
    cyaml_schema_field_t singles[SCHEMA_SINGLES][FIELDS_MAX];
    cyaml_schema_field_t port[FIELDS_MAX];
    cyaml_schema_field_t route[FIELDS_MAX];
    cyaml_schema_field_t customer[FIELDS_MAX];
    cyaml_schema_field_t top[FIELDS_MAX];
    cyaml_schema_value_t text;
    cyaml_schema_value_t port_entry;
    cyaml_schema_value_t customer_entry;
    cyaml_schema_value_t document;
};

/* What libcyaml says when it refuses a file: a message, then a backtrace, innermost first. */
struct trace {
    char message[MESSAGE_SIZE];
    bool in_backtrace;
    unsigned count;
    struct step {
        char key[64];
        unsigned index; /* from 1, when key is empty; 0: a mapping or list as a whole */
        unsigned line;
        unsigned column;
    } steps[TRACE_MAX];
};

static cyaml_schema_value_t text_value(void)
{
    return (cyaml_schema_value_t){CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};
}

/* Every key is optional to libcyaml: load.c knows defaults and says better what is missing. */
static unsigned shape_keys(cyaml_schema_field_t *fields, const struct schema_section *section)
{
    CHECK(section->count <= SCHEMA_KEYS_MAX);
    for (unsigned i = 0; i < section->count; i++) {
        fields[i].key = section->keys[i].name;
        fields[i].data_offset = (uint32_t)(i * sizeof(char *));
        fields[i].value = text_value();
        fields[i].value.flags |= CYAML_FLAG_OPTIONAL;
    }
    return section->count;
}

static void shape_customer(struct shape *shape)
{
    unsigned count = shape_keys(shape->customer, &schema_customer);

    shape_keys(shape->route, &schema_route);
    shape->customer[count++] = (cyaml_schema_field_t)CYAML_FIELD_MAPPING_PTR(
        "route", CYAML_FLAG_OPTIONAL, struct raw_customer, route, shape->route);
    shape->customer[count++] = (cyaml_schema_field_t)CYAML_FIELD_SEQUENCE_COUNT(
        "domains", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_customer, domains,
        domain_count, &shape->text, 1, SCHEMA_DOMAINS_MAX);
    shape->customer[count] = (cyaml_schema_field_t)CYAML_FIELD_SEQUENCE_COUNT(
        "recipients", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_customer, recipients,
        recipient_count, &shape->text, 1, SCHEMA_RECIPIENTS_MAX);
    shape->customer_entry = (cyaml_schema_value_t){
        CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_customer, shape->customer)};
}

static void shape_init(struct shape *shape)
{
    unsigned count = 0;

    memset(shape, 0, sizeof(*shape));
    shape->text = text_value();
    count = shape_keys(shape->top, &schema_top);
    for (unsigned i = 0; i < SCHEMA_SINGLES; i++) {
        cyaml_schema_field_t *field = &shape->top[count++];

        shape_keys(shape->singles[i], &schema_singles[i]);
        field->key = schema_singles[i].name;
        field->data_offset = (uint32_t)(offsetof(struct raw, singles) + i * sizeof(void *));
        field->value = (cyaml_schema_value_t){CYAML_VALUE_MAPPING(
            CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_section, shape->singles[i])};
    }
    shape_keys(shape->port, &schema_port);
    shape->port_entry = (cyaml_schema_value_t){
        CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_section, shape->port)};
    shape->top[count++] = (cyaml_schema_field_t)CYAML_FIELD_SEQUENCE_COUNT(
        "ports", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw, ports, port_count,
        &shape->port_entry, 1, CONFIG_PORTS_MAX);
    shape_customer(shape);
    shape->top[count++] = (cyaml_schema_field_t)CYAML_FIELD_SEQUENCE_COUNT(
        "customers", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw, customers,
        customer_count, &shape->customer_entry, 1, SCHEMA_CUSTOMERS_MAX);
    CHECK(count < FIELDS_MAX);
    shape->document =
        (cyaml_schema_value_t){CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw, shape->top)};
}

/* The lines are libcyaml 1.3's; one it does not know costs precision, never correctness. */
static void trace_step(struct trace *trace, const char *line)
{
    struct step *step = &trace->steps[trace->count];
    const char *place = strstr(line, "(line: ");
    const char *quote = strchr(line, '\'');

    if (!place || trace->count >= TRACE_MAX)
        return;
    memset(step, 0, sizeof(*step));
    step->line = (unsigned)strtoul(place + strlen("(line: "), NULL, 10);
    place = strstr(place, "column: ");
    if (place)
        step->column = (unsigned)strtoul(place + strlen("column: "), NULL, 10);
    if (strstr(line, "in sequence entry '"))
        step->index = quote ? (unsigned)strtoul(quote + 1, NULL, 10) : 0;
    else if (strstr(line, "in mapping field '") && quote)
        snprintf(step->key, sizeof(step->key), "%.*s", (int)strcspn(quote + 1, "'"), quote + 1);
    trace->count++;
}

__attribute__((format(printf, 3, 0))) static void trace_log(cyaml_log_t level, void *context,
                                                            const char *format, va_list arguments)
{
    struct trace *trace = context;
    char line[MESSAGE_SIZE];

    if (level < CYAML_LOG_ERROR)
        return;
    vsnprintf(line, sizeof(line), format, arguments);
    line[strcspn(line, "\n")] = '\0';
    if (strstr(line, "Backtrace:"))
        trace->in_backtrace = true;
    else if (trace->in_backtrace)
        trace_step(trace, line);
    else if (trace->message[0] == '\0')
        snprintf(trace->message, sizeof(trace->message), "%s", line);
}

/* Follows the backtrace from the outside in, through the node tree and the shape alike. */
struct place {
    int node;
    const cyaml_schema_value_t *value; /* what the shape expects there */
    const struct schema_key *key;      /* null unless it is a key with a single value */
    char path[192];
};

/* The table behind a mapping of the shape. */
static const struct schema_section *section_of(const struct shape *shape,
                                               const cyaml_schema_value_t *mapping)
{
    const cyaml_schema_field_t *fields = mapping->mapping.fields;

    for (unsigned i = 0; i < SCHEMA_SINGLES; i++)
        if (fields == shape->singles[i])
            return &schema_singles[i];
    if (fields == shape->port)
        return &schema_port;
    if (fields == shape->route)
        return &schema_route;
    return fields == shape->customer ? &schema_customer : &schema_top;
}

static const struct schema_key *key_of(const struct shape *shape,
                                       const cyaml_schema_value_t *mapping, const char *name)
{
    const struct schema_section *section = NULL;

    if (!mapping || mapping->type != CYAML_MAPPING)
        return NULL;
    section = section_of(shape, mapping);
    for (unsigned i = 0; i < section->count; i++)
        if (strcmp(section->keys[i].name, name) == 0)
            return &section->keys[i];
    return NULL;
}

static const cyaml_schema_value_t *field_value(const cyaml_schema_value_t *value, const char *key)
{
    if (!value || value->type != CYAML_MAPPING)
        return NULL;
    for (const cyaml_schema_field_t *field = value->mapping.fields; field->key; field++)
        if (strcmp(field->key, key) == 0)
            return &field->value;
    return NULL;
}

static void place_step(struct locate *locate, const struct shape *shape, struct place *place,
                       const struct step *step)
{
    size_t used = strlen(place->path);
    int node = LOCATE_NONE;

    if (step->key[0] != '\0') {
        node = locate_child(locate, place->node, step->key);
        snprintf(place->path + used, sizeof(place->path) - used, "%s%s", used ? "." : "",
                 step->key);
        place->key = key_of(shape, place->value, step->key);
        place->value = field_value(place->value, step->key);
    } else if (step->index > 0 && place->value && place->value->type == CYAML_SEQUENCE) {
        node = locate_item(locate, place->node, step->index - 1);
        snprintf(place->path + used, sizeof(place->path) - used, "[%u]", step->index);
        place->value = place->value->sequence.entry;
    }
    if (node != LOCATE_NONE)
        place->node = node;
}

static enum status unknown_key(struct locate *locate, const struct place *place, const char *key)
{
    char known[300] = "";
    size_t used = 0;
    int node = locate_key(locate, place->node, key);

    if (place->value && place->value->type == CYAML_MAPPING)
        for (const cyaml_schema_field_t *field = place->value->mapping.fields;
             field->key && used < sizeof(known); field++)
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "",
                                     field->key);
    return locate_fail(locate, node ? node : place->node,
                       "unknown key \"%.40s\" (%s%s%.40s); write one of %s", key, place->path,
                       place->path[0] ? "." : "", key, known);
}

static enum status wrong_kind(struct locate *locate, const struct place *place)
{
    const char *wanted = "a single value";
    char details[VALUES_WANTED_BYTES];

    snprintf(details, sizeof(details), "write %s", wanted);
    if (place->key)
        values_wanted(place->key, details);
    if (place->value->type == CYAML_MAPPING)
        wanted = "a mapping with keys";
    else if (place->value->type == CYAML_SEQUENCE)
        wanted = "a list";
    if (place->value->type != CYAML_STRING)
        snprintf(details, sizeof(details), "write %s", wanted);
    return locate_fail(locate, place->node, "%s where %s belongs (%s); %s",
                       locate_kind(locate, place->node), wanted,
                       place->path[0] ? place->path : "the whole file", details);
}

static enum status refused(struct locate *locate, const struct shape *shape,
                           const struct trace *trace, cyaml_err_t cause)
{
    static const char unexpected[] = "Unexpected key: ";
    struct place place = {.node = locate_root(locate), .value = &shape->document};
    const char *key = strstr(trace->message, unexpected);
    const struct step *inner = &trace->steps[0];

    for (unsigned i = trace->count; i-- > 0;) {
        /* The count is what is wrong with a list, not the entry it was noticed at. */
        if (i == 0 && cause == CYAML_ERR_SEQUENCE_ENTRIES_MIN)
            break;
        if (i == 0 && cause == CYAML_ERR_SEQUENCE_ENTRIES_MAX)
            break;
        place_step(locate, shape, &place, &trace->steps[i]);
    }
    if (cause == CYAML_ERR_INVALID_KEY && key)
        return unknown_key(locate, &place, key + strlen(unexpected));
    if ((cause == CYAML_ERR_SEQUENCE_ENTRIES_MIN || cause == CYAML_ERR_SEQUENCE_ENTRIES_MAX) &&
        place.value && place.value->type == CYAML_SEQUENCE)
        return locate_fail(locate, place.node,
                           "too %s entries (%s); write %u to %u, or leave the key out if it is "
                           "optional",
                           cause == CYAML_ERR_SEQUENCE_ENTRIES_MIN ? "few" : "many", place.path,
                           place.value->sequence.min, place.value->sequence.max);
    if (cause == CYAML_ERR_INVALID_VALUE && place.value)
        return wrong_kind(locate, &place);
    if (trace->count > 0 && inner->line > 0)
        return locate_fail_at(locate->path, locate->error, inner->line, inner->column,
                              "%s (%s); see docs/configuration.md for what may stand here",
                              trace->message[0] ? trace->message : cyaml_strerror(cause),
                              place.path);
    return locate_fail(locate, place.node, "%s (%s); see docs/configuration.md",
                       cyaml_strerror(cause), place.path);
}

static cyaml_config_t cyaml_settings(struct trace *trace)
{
    return (cyaml_config_t){
        .log_fn = trace_log,
        .log_ctx = trace,
        .mem_fn = cyaml_mem,
        .log_level = CYAML_LOG_ERROR,
        .flags = CYAML_CFG_NO_ALIAS,
    };
}

enum status raw_load(struct locate *locate, const unsigned char *text, size_t size,
                     struct raw **raw)
{
    struct shape shape;
    struct trace trace = {0};
    cyaml_config_t settings = cyaml_settings(&trace);
    cyaml_data_t *data = NULL;
    cyaml_err_t cause = CYAML_OK;

    *raw = NULL;
    shape_init(&shape);
    cause = cyaml_load_data(text, size, &settings, &shape.document, &data, NULL);
    if (cause == CYAML_ERR_OOM)
        return STATUS_NO_MEMORY;
    if (cause != CYAML_OK)
        return refused(locate, &shape, &trace, cause);
    if (!data)
        return locate_fail(locate, LOCATE_NONE,
                           "the file is empty; write hostname, ports and "
                           "customers");
    *raw = data;
    return STATUS_OK;
}

void raw_free(struct raw *raw)
{
    struct shape shape;
    struct trace trace = {0};
    cyaml_config_t settings = cyaml_settings(&trace);
    cyaml_err_t cause = CYAML_OK;

    if (!raw)
        return;
    shape_init(&shape);
    cause = cyaml_free(&settings, &shape.document, raw, 0);
    CHECK(cause == CYAML_OK);
}
