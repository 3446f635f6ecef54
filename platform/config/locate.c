#include "platform/config/locate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void locate_add(const char *path, struct config_errors *errors, size_t line, size_t column,
                       const char *format, va_list arguments)
{
    struct config_error *error = &errors->list[errors->count];
    int used = 0;

    if (errors->count == CONFIG_ERRORS_MAX) {
        errors->omitted++;
        return;
    }
    errors->count++;
    error->line = (unsigned)line;
    error->column = (unsigned)column;
    used = snprintf(error->text, sizeof(error->text), "%s:%zu:%zu: ", path, line, column);
    if (used > 0 && (size_t)used < sizeof(error->text))
        vsnprintf(error->text + used, sizeof(error->text) - (size_t)used, format, arguments);
}

enum status locate_fail_at(const char *path, struct config_errors *errors, unsigned line,
                           unsigned column, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    locate_add(path, errors, line, column, format, arguments);
    va_end(arguments);
    return STATUS_BAD_CONFIG;
}

static yaml_node_t *locate_node_of(struct locate *locate, int node)
{
    return yaml_document_get_node(&locate->document, node);
}

enum status locate_fail(struct locate *locate, int node, const char *format, ...)
{
    yaml_node_t *found = locate_node_of(locate, node);
    yaml_mark_t mark = {0};
    va_list arguments;

    if (!found)
        found = yaml_document_get_root_node(&locate->document);
    if (found)
        mark = found->start_mark;
    va_start(arguments, format);
    locate_add(locate->path, locate->errors, mark.line + 1, mark.column + 1, format, arguments);
    va_end(arguments);
    return STATUS_BAD_CONFIG;
}

/* The reader stops at a byte, before there are lines; counts them. */
static yaml_mark_t locate_mark_of_offset(const unsigned char *text, size_t size, size_t offset)
{
    yaml_mark_t mark = {0};

    for (size_t i = 0; i < size && i < offset; i++) {
        mark.column++;
        if (text[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

static int locate_byte_at(const unsigned char *text, size_t size, const yaml_mark_t *mark)
{
    return mark->index < size ? text[mark->index] : -1;
}

static enum status locate_parser_failed(struct locate *locate, const yaml_parser_t *parser,
                                        const unsigned char *text, size_t size)
{
    yaml_mark_t mark = parser->problem_mark;
    const char *problem = parser->problem ? parser->problem : "cannot be parsed";

    if (parser->error == YAML_MEMORY_ERROR)
        return STATUS_NO_MEMORY;
    if (parser->error == YAML_READER_ERROR) {
        mark = locate_mark_of_offset(text, size, parser->problem_offset);
        return locate_fail_at(locate->path, locate->errors, (unsigned)mark.line + 1,
                              (unsigned)mark.column + 1,
                              "not readable as YAML: %s; write printable UTF-8", problem);
    }
    if (locate_byte_at(text, size, &parser->problem_mark) == '\t')
        return locate_fail_at(locate->path, locate->errors, (unsigned)mark.line + 1,
                              (unsigned)mark.column + 1,
                              "not YAML: a tab stands where lines are indented; mend it with "
                              "blanks");
    return locate_fail_at(locate->path, locate->errors, (unsigned)mark.line + 1,
                          (unsigned)mark.column + 1, "not YAML: %s%s%s; mend the syntax", problem,
                          parser->context ? " " : "", parser->context ? parser->context : "");
}

struct walk {
    struct locate *locate;
    bool *seen; /* a node for each bit; meeting one again means an alias */
};

static enum status locate_check_scalar(struct locate *locate, int node)
{
    const yaml_node_t *scalar = locate_node_of(locate, node);

    for (size_t i = 0; i < scalar->data.scalar.length; i++)
        if (scalar->data.scalar.value[i] < ' ' || scalar->data.scalar.value[i] == 0x7f)
            return locate_fail(locate, node,
                               "a control character or line break in a value; write it on one "
                               "line, without escapes");
    return STATUS_OK;
}

static bool locate_same_scalar(const yaml_node_t *a, const yaml_node_t *b)
{
    return a->data.scalar.length == b->data.scalar.length &&
           memcmp(a->data.scalar.value, b->data.scalar.value, a->data.scalar.length) == 0;
}

/* No mapping of ours has more keys than this; the bound keeps the comparison below from growing
 * with the square of what somebody else's file holds. */
#define MAPPING_KEYS_MAX 64

static enum status locate_check_keys(struct locate *locate, int node)
{
    const yaml_node_t *mapping = locate_node_of(locate, node);
    const yaml_node_pair_t *first = mapping->data.mapping.pairs.start;
    const yaml_node_pair_t *end = mapping->data.mapping.pairs.top;
    enum status status = STATUS_OK;

    if (end - first > MAPPING_KEYS_MAX)
        return locate_fail(locate, first[MAPPING_KEYS_MAX].key,
                           "more than %d keys in one mapping; no mapping here has so many",
                           MAPPING_KEYS_MAX);
    for (const yaml_node_pair_t *pair = first; pair < end; pair++) {
        const yaml_node_t *key = locate_node_of(locate, pair->key);

        if (key->type != YAML_SCALAR_NODE)
            return locate_fail(locate, pair->key,
                               "a list or mapping stands where a key belongs; write a name");
        status = locate_check_scalar(locate, pair->key);
        if (status != STATUS_OK)
            return status;
        for (const yaml_node_pair_t *other = first; other < pair; other++)
            if (locate_same_scalar(locate_node_of(locate, other->key), key))
                return locate_fail(locate, pair->key,
                                   "key \"%.40s\" is given twice in this mapping; keep one",
                                   (const char *)key->data.scalar.value);
    }
    return STATUS_OK;
}

static enum status locate_check_node(struct walk *walk, int node, int parent, unsigned depth);

static enum status locate_check_mapping(struct walk *walk, int node, unsigned depth)
{
    const yaml_node_t *mapping = locate_node_of(walk->locate, node);
    enum status status = locate_check_keys(walk->locate, node);
    const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;

    for (; status == STATUS_OK && pair < mapping->data.mapping.pairs.top; pair++)
        status = locate_check_node(walk, pair->value, pair->key, depth + 1);
    return status;
}

/* `parent` is where to point at when the node is an alias: its own mark is the anchor's. */
static enum status locate_check_node(struct walk *walk, int node, int parent, unsigned depth)
{
    const yaml_node_t *found = locate_node_of(walk->locate, node);
    enum status status = STATUS_OK;

    if (walk->seen[node])
        return locate_fail(walk->locate, parent, "a YAML alias; write the value out here");
    walk->seen[node] = true;
    if (depth > LOCATE_DEPTH)
        return locate_fail(walk->locate, node, "nested more than %u deep; no key here needs that",
                           LOCATE_DEPTH);
    if (found->type == YAML_SCALAR_NODE)
        return locate_check_scalar(walk->locate, node);
    if (found->type == YAML_MAPPING_NODE)
        return locate_check_mapping(walk, node, depth);
    for (const yaml_node_item_t *item = found->data.sequence.items.start;
         status == STATUS_OK && item < found->data.sequence.items.top; item++)
        status = locate_check_node(walk, *item, node, depth + 1);
    return status;
}

static enum status locate_check_document(struct locate *locate)
{
    size_t count = (size_t)(locate->document.nodes.top - locate->document.nodes.start);
    struct walk walk = {.locate = locate};
    enum status status = STATUS_OK;

    if (count == 0)
        return locate_fail(locate, LOCATE_NONE,
                           "the file is empty; at least hostname, ports and customers are needed");
    walk.seen = calloc(count + 1, sizeof(*walk.seen));
    if (!walk.seen)
        return STATUS_NO_MEMORY;
    status = locate_check_node(&walk, locate_root(locate), LOCATE_NONE, 0);
    free(walk.seen);
    return status;
}

/* A second document would be dropped silently. */
static enum status locate_check_end(struct locate *locate, yaml_parser_t *parser,
                                    const unsigned char *text, size_t size)
{
    yaml_document_t next;
    enum status status = STATUS_OK;
    yaml_node_t *root = NULL;

    if (!yaml_parser_load(parser, &next))
        return locate_parser_failed(locate, parser, text, size);
    root = yaml_document_get_root_node(&next);
    if (root)
        status = locate_fail_at(locate->path, locate->errors, (unsigned)next.start_mark.line + 1,
                                (unsigned)next.start_mark.column + 1,
                                "a second YAML document starts here; write one only");
    yaml_document_delete(&next);
    return status;
}

/* libyaml looks at every open flow collection for every token; thousands of opening brackets would
 * keep it busy for minutes. Counts without regard to quotes and comments, hence the wide bound. */
#define BRACKETS_OPEN_MAX 256u

static enum status locate_check_brackets(struct locate *locate, const unsigned char *text,
                                         size_t size)
{
    unsigned open = 0;

    for (size_t i = 0; i < size; i++) {
        if (text[i] == '[' || text[i] == '{')
            open++;
        else if ((text[i] == ']' || text[i] == '}') && open > 0)
            open--;
        if (open > BRACKETS_OPEN_MAX) {
            yaml_mark_t mark = locate_mark_of_offset(text, size, i);

            return locate_fail_at(
                locate->path, locate->errors, (unsigned)mark.line + 1, (unsigned)mark.column + 1,
                "more than %u brackets are open here; close them", BRACKETS_OPEN_MAX);
        }
    }
    return STATUS_OK;
}

/* Editors put these in front unseen; libyaml would only speak of a control character. */
static enum status locate_check_beginning(struct locate *locate, const unsigned char *text,
                                          size_t size)
{
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        return locate_fail_at(locate->path, locate->errors, 1, 1,
                              "a byte order mark (BOM) begins the file; save it as UTF-8 without");
    if (size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return locate_fail_at(locate->path, locate->errors, 1, 1,
                              "the file is UTF-16; save it as UTF-8");
    return STATUS_OK;
}

enum status locate_init(struct locate *locate, const char *path, const unsigned char *text,
                        size_t size, struct config_errors *errors)
{
    yaml_parser_t parser;
    enum status status = STATUS_OK;

    memset(locate, 0, sizeof(*locate));
    locate->path = path;
    locate->errors = errors;
    status = locate_check_beginning(locate, text, size);
    if (status == STATUS_OK)
        status = locate_check_brackets(locate, text, size);
    if (status != STATUS_OK)
        return status;
    if (!yaml_parser_initialize(&parser))
        return STATUS_NO_MEMORY;
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, text, size);
    if (!yaml_parser_load(&parser, &locate->document)) {
        status = locate_parser_failed(locate, &parser, text, size);
    } else {
        locate->loaded = true;
        status = locate_check_document(locate);
        if (status == STATUS_OK)
            status = locate_check_end(locate, &parser, text, size);
    }
    yaml_parser_delete(&parser);
    return status;
}

void locate_fini(struct locate *locate)
{
    if (locate->loaded)
        yaml_document_delete(&locate->document);
    locate->loaded = false;
}

int locate_root(struct locate *locate)
{
    return yaml_document_get_root_node(&locate->document) ? 1 : LOCATE_NONE;
}

static const yaml_node_pair_t *locate_pair_of(struct locate *locate, int node, const char *key)
{
    const yaml_node_t *mapping = locate_node_of(locate, node);

    if (!mapping || mapping->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = locate_node_of(locate, pair->key);

        if (name->type == YAML_SCALAR_NODE &&
            strcmp((const char *)name->data.scalar.value, key) == 0)
            return pair;
    }
    return NULL;
}

int locate_child(struct locate *locate, int node, const char *key)
{
    const yaml_node_pair_t *pair = locate_pair_of(locate, node, key);

    return pair ? pair->value : LOCATE_NONE;
}

int locate_key(struct locate *locate, int node, const char *key)
{
    const yaml_node_pair_t *pair = locate_pair_of(locate, node, key);

    return pair ? pair->key : LOCATE_NONE;
}

int locate_item(struct locate *locate, int node, unsigned index)
{
    const yaml_node_t *sequence = locate_node_of(locate, node);

    if (!sequence || sequence->type != YAML_SEQUENCE_NODE ||
        index >= (size_t)(sequence->data.sequence.items.top - sequence->data.sequence.items.start))
        return LOCATE_NONE;
    return sequence->data.sequence.items.start[index];
}

unsigned locate_items(struct locate *locate, int node)
{
    const yaml_node_t *sequence = locate_node_of(locate, node);

    if (!sequence || sequence->type != YAML_SEQUENCE_NODE)
        return 0;
    return (unsigned)(sequence->data.sequence.items.top - sequence->data.sequence.items.start);
}

int locate_key_at(struct locate *locate, int node, unsigned index)
{
    const yaml_node_t *mapping = locate_node_of(locate, node);

    if (!mapping || mapping->type != YAML_MAPPING_NODE ||
        index >= (size_t)(mapping->data.mapping.pairs.top - mapping->data.mapping.pairs.start))
        return LOCATE_NONE;
    return mapping->data.mapping.pairs.start[index].key;
}

const char *locate_text(struct locate *locate, int node)
{
    const yaml_node_t *scalar = locate_node_of(locate, node);

    return scalar && scalar->type == YAML_SCALAR_NODE ? (const char *)scalar->data.scalar.value
                                                      : NULL;
}

enum locate_kind locate_kind(struct locate *locate, int node)
{
    const yaml_node_t *found = locate_node_of(locate, node);

    if (found && found->type == YAML_SEQUENCE_NODE)
        return LOCATE_LIST;
    return found && found->type == YAML_MAPPING_NODE ? LOCATE_MAPPING : LOCATE_TEXT;
}

const char *locate_kind_text(enum locate_kind kind)
{
    static const char *const texts[] = {"a single value", "a list", "a mapping"};

    return texts[kind];
}
