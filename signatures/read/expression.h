/* expression.h: a necessary formula: what must occur in a buffer for a signature to match there.
 *
 * A tree of AND, OR, TRUE and RUN. A RUN is a string of consecutive bytes of the buffer, each a set
 * of one or (case, nibble) a few values. Dropping a condition makes a formula weaker and stays
 * sound; that is the only direction any function here or in the compiler may err. FALSE is a
 * formula too (nothing can match): an OR without children.
 *
 * Threads: one tree, one thread. Memory: nodes live in an arena that is freed as a whole.
 */
#ifndef SIGNATURES_READ_EXPRESSION_H
#define SIGNATURES_READ_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum expression_kind { EXPRESSION_TRUE, EXPRESSION_RUN, EXPRESSION_AND, EXPRESSION_OR };

/* One byte of a run: every value `b` with (b & mask) == value, and, when `caseless` and the value
 * is an ASCII letter under mask 0xff, its other case too. mask 0xff: one value; 0xf0/0x0f: a
 * nibble. A *gap* is no byte but any number of white-space bytes (space, \t to \r), maybe none. */
struct expression_byte {
    uint8_t value;
    uint8_t mask;
    bool caseless;
    bool gap;
};

struct expression {
    enum expression_kind kind;
    unsigned length; /* RUN: bytes; AND, OR: children */
    unsigned nodes;  /* in the tree below, itself included, a shared one as often as it is met */
    bool start;      /* RUN: stands at the very beginning of the buffer */
    const struct expression_byte *bytes; /* RUN */
    struct expression **children;        /* AND, OR */
};

struct expression_arena;

struct expression_arena *expression_arena_create(void);
void expression_arena_reset(struct expression_arena *arena); /* frees all nodes, keeps memory */
void expression_arena_destroy(struct expression_arena *arena);

/* A tree never has more nodes than this: an AND that would leaves children out, an OR that would is
 * TRUE. (Subsignatures that refer to each other share nodes: a walk must stay bounded.) */
#define EXPRESSION_NODES_MAX (1u << 16)

/* All makers return null when memory has run out. */
struct expression *expression_true(struct expression_arena *arena);
struct expression *expression_false(struct expression_arena *arena);
struct expression *expression_run(struct expression_arena *arena,
                                  const struct expression_byte *bytes, unsigned length);
/* Children are copied, those of a child of the same kind in its place; AND drops TRUE children and
 * is FALSE with a FALSE one, OR with a TRUE child is TRUE; one child is itself. A null child (no
 * memory) makes null. */
struct expression *expression_and(struct expression_arena *arena,
                                  struct expression *const *children, unsigned count);
struct expression *expression_or(struct expression_arena *arena, struct expression *const *children,
                                 unsigned count);

bool expression_is_true(const struct expression *expression);
bool expression_is_false(const struct expression *expression);

/* Writes the formula as text, for tests and reports: TRUE, FALSE, a run as "text" or, with bytes
 * that are not plain text, as hex pairs (4a, 4?, ?a, ..); a caseless run ends in i; &(..) |(..).
 * Returns the length it has, cut to `size`. */
size_t expression_print(const struct expression *expression, char *text, size_t size);

#endif
