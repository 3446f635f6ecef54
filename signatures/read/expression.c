#include "signatures/read/expression.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_CHUNK_BYTES (256u << 10)

/* Chunks are kept over a reset and used again in order; what is larger than a chunk gets its own.
 */
struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    size_t used;
    _Alignas(16) uint8_t bytes[];
};

struct expression_arena {
    struct arena_chunk *first;
    struct arena_chunk *now;
};

static struct expression expression_constant_true = {.kind = EXPRESSION_TRUE, .nodes = 1};
static struct expression expression_constant_false = {.kind = EXPRESSION_OR, .nodes = 1};

struct expression_arena *expression_arena_create(void)
{
    return calloc(1, sizeof(struct expression_arena));
}

void expression_arena_reset(struct expression_arena *arena)
{
    struct arena_chunk **link = &arena->first;

    while (*link != NULL) {
        struct arena_chunk *chunk = *link;

        if (chunk->size > ARENA_CHUNK_BYTES) {
            *link = chunk->next;
            free(chunk);
            continue;
        }
        chunk->used = 0;
        link = &chunk->next;
    }
    arena->now = arena->first;
}

void expression_arena_destroy(struct expression_arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->first != NULL) {
        struct arena_chunk *chunk = arena->first;

        arena->first = chunk->next;
        free(chunk);
    }
    free(arena);
}

static struct arena_chunk *arena_grow(struct expression_arena *arena, size_t bytes)
{
    size_t size = bytes > ARENA_CHUNK_BYTES ? bytes : ARENA_CHUNK_BYTES;
    struct arena_chunk *chunk = malloc(sizeof(*chunk) + size);

    if (chunk == NULL)
        return NULL;
    chunk->size = size;
    chunk->used = 0;
    if (arena->now == NULL) {
        chunk->next = arena->first;
        arena->first = chunk;
    } else {
        chunk->next = arena->now->next;
        arena->now->next = chunk;
    }
    return chunk;
}

static void *arena_take(struct expression_arena *arena, size_t bytes)
{
    struct arena_chunk *chunk = arena->now;
    void *taken;

    bytes = (bytes + 15) & ~(size_t)15;
    while (chunk != NULL && chunk->size - chunk->used < bytes) {
        chunk = chunk->next;
        if (chunk != NULL)
            arena->now = chunk;
    }
    if (chunk == NULL) {
        chunk = arena_grow(arena, bytes);
        if (chunk == NULL)
            return NULL;
        arena->now = chunk;
    }
    taken = chunk->bytes + chunk->used;
    chunk->used += bytes;
    return taken;
}

struct expression *expression_true(struct expression_arena *arena)
{
    (void)arena;
    return &expression_constant_true;
}

struct expression *expression_false(struct expression_arena *arena)
{
    (void)arena;
    return &expression_constant_false;
}

bool expression_is_true(const struct expression *expression)
{
    return expression->kind == EXPRESSION_TRUE;
}

bool expression_is_false(const struct expression *expression)
{
    return expression->kind == EXPRESSION_OR && expression->length == 0;
}

struct expression *expression_run(struct expression_arena *arena,
                                  const struct expression_byte *bytes, unsigned length)
{
    struct expression *run;
    struct expression_byte *copy;

    if (length == 0)
        return expression_true(arena);
    run = arena_take(arena, sizeof(*run));
    copy = arena_take(arena, length * sizeof(*copy));
    if (run == NULL || copy == NULL)
        return NULL;
    memcpy(copy, bytes, length * sizeof(*copy));
    *run = (struct expression){.kind = EXPRESSION_RUN, .length = length, .nodes = 1, .bytes = copy};
    return run;
}

/* The children of a new node of `kind`: each child, or its children when it is of that kind. */
struct expression_gathering {
    enum expression_kind kind;
    unsigned length;
    unsigned nodes;
    bool too_large;
};

static bool expression_absorbs(enum expression_kind kind, const struct expression *child)
{
    return kind == EXPRESSION_AND ? expression_is_false(child) : expression_is_true(child);
}

static bool expression_vanishes(enum expression_kind kind, const struct expression *child)
{
    return kind == EXPRESSION_AND ? expression_is_true(child) : expression_is_false(child);
}

static unsigned expression_gather(struct expression_gathering *gathering, struct expression *child,
                                  struct expression **into)
{
    unsigned count = child->kind == gathering->kind ? child->length : 1;
    unsigned nodes = child->nodes - (child->kind == gathering->kind ? 1 : 0);

    if (gathering->nodes + nodes > EXPRESSION_NODES_MAX) {
        gathering->too_large = true;
        return 0;
    }
    gathering->nodes += nodes;
    gathering->length += count;
    if (into == NULL)
        return count;
    if (child->kind == gathering->kind)
        for (unsigned i = 0; i < count; i++)
            into[i] = child->children[i];
    else
        *into = child;
    return count;
}

static struct expression *expression_join(struct expression_arena *arena, enum expression_kind kind,
                                          struct expression *const *children, unsigned count)
{
    struct expression_gathering gathering = {.kind = kind, .nodes = 1};
    struct expression *node;
    struct expression **copy;
    unsigned at = 0;

    for (unsigned i = 0; i < count; i++)
        if (children[i] == NULL)
            return NULL;
    for (unsigned i = 0; i < count; i++) {
        if (expression_absorbs(kind, children[i]))
            return children[i];
        if (!expression_vanishes(kind, children[i]))
            (void)expression_gather(&gathering, children[i], NULL);
    }
    if (gathering.too_large && kind == EXPRESSION_OR)
        return expression_true(arena);
    if (gathering.length == 0)
        return kind == EXPRESSION_AND ? expression_true(arena) : expression_false(arena);
    node = arena_take(arena, sizeof(*node));
    copy = arena_take(arena, gathering.length * sizeof(void *));
    if (node == NULL || copy == NULL)
        return NULL;
    gathering = (struct expression_gathering){.kind = kind, .nodes = 1};
    for (unsigned i = 0; i < count; i++)
        if (!expression_vanishes(kind, children[i]))
            at += expression_gather(&gathering, children[i], copy + at);
    if (at == 1)
        return copy[0];
    *node =
        (struct expression){.kind = kind, .length = at, .nodes = gathering.nodes, .children = copy};
    return node;
}

struct expression *expression_and(struct expression_arena *arena,
                                  struct expression *const *children, unsigned count)
{
    return expression_join(arena, EXPRESSION_AND, children, count);
}

struct expression *expression_or(struct expression_arena *arena, struct expression *const *children,
                                 unsigned count)
{
    return expression_join(arena, EXPRESSION_OR, children, count);
}

struct printer {
    char *text;
    size_t size;
    size_t length; /* goes on counting past the end */
};

__attribute__((format(printf, 2, 3))) static void print(struct printer *printer, const char *format,
                                                        ...)
{
    size_t room = printer->length < printer->size ? printer->size - printer->length : 0;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(room > 0 ? printer->text + printer->length : NULL, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        printer->length += (size_t)length;
}

static void print_run(struct printer *printer, const struct expression *run)
{
    bool plain = true;
    bool caseless = false;

    for (unsigned i = 0; i < run->length; i++) {
        const struct expression_byte *byte = &run->bytes[i];

        plain = plain && byte->mask == 0xff && byte->value >= ' ' && byte->value <= '~' &&
                byte->value != '"';
        caseless = caseless || byte->caseless;
    }
    if (plain)
        print(printer, "\"");
    for (unsigned i = 0; i < run->length; i++) {
        const struct expression_byte *byte = &run->bytes[i];

        if (byte->gap)
            print(printer, "\\s");
        else if (plain)
            print(printer, "%c", byte->value);
        else if (byte->mask == 0xff)
            print(printer, "%02x", byte->value);
        else if (byte->mask == 0xf0)
            print(printer, "%x?", byte->value >> 4);
        else if (byte->mask == 0x0f)
            print(printer, "?%x", byte->value);
        else
            print(printer, "..");
    }
    print(printer, "%s%s", plain ? "\"" : "", caseless ? "i" : "");
}

static void print_expression(struct printer *printer, const struct expression *expression)
{
    if (expression_is_true(expression)) {
        print(printer, "TRUE");
    } else if (expression_is_false(expression)) {
        print(printer, "FALSE");
    } else if (expression->kind == EXPRESSION_RUN) {
        print_run(printer, expression);
    } else {
        print(printer, "%c(", expression->kind == EXPRESSION_AND ? '&' : '|');
        for (unsigned i = 0; i < expression->length; i++) {
            print(printer, "%s", i > 0 ? " " : "");
            print_expression(printer, expression->children[i]);
        }
        print(printer, ")");
    }
}

size_t expression_print(const struct expression *expression, char *text, size_t size)
{
    struct printer printer = {text, size, 0};

    if (size > 0)
        text[0] = '\0';
    print_expression(&printer, expression);
    return printer.length < size || size == 0 ? printer.length : size - 1;
}
