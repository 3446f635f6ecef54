/* Damages a good file at random and loads it: it is either still good or refused with a place.
 * The seed is fixed and printed with a failure, so that it replays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample.h"

#define MUTATIONS 20000u
#define TEXT_MAX  8192u

static uint64_t next(uint64_t *state)
{
    /* splitmix64 */
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* One change: a byte, a piece with meaning to YAML, a cut, or a piece of the text doubled. */
static size_t mutate(char *text, size_t size, uint64_t *state)
{
    static const char *const pieces[] = {
        "[",   "]",  "{", "}",        ": ",   "- ",   "\n",    "\"",    "&a ", "*a", "!!int",
        "|",   ">",  "'", "\t",       "#",    "? ",   "---\n", "...\n", "%",   "0",  "~",
        "999", "  ", ",", "\xc3\xa4", "\xff", "\x01", "<<: ",  "@",     "-1",  "G"};
    size_t at = size ? next(state) % size : 0;
    size_t length = size ? next(state) % (size - at) % 12 : 0;
    const char *piece = pieces[next(state) % (sizeof(pieces) / sizeof(pieces[0]))];
    size_t piece_length = strlen(piece);

    switch (next(state) % 4) {
    case 0:
        if (size > 0)
            text[at] = (char)(next(state) % 4 ? 'a' + next(state) % 26 : next(state));
        return size;
    case 1:
        memmove(text + at, text + at + length, size - at - length);
        return size - length;
    case 2:
        if (size + length > TEXT_MAX)
            return size;
        memmove(text + at + length, text + at, size - at);
        return size + length;
    default:
        if (size + piece_length > TEXT_MAX)
            return size;
        memmove(text + at + piece_length, text + at, size - at);
        for (size_t i = 0; i < piece_length; i++)
            text[at + i] = piece[i];
        return size + piece_length;
    }
}

static void mutated_files_load_or_are_refused(void **unused)
{
    static char text[TEXT_MAX];
    unsigned refused = 0;
    unsigned loaded = 0;

    (void)unused;
    for (unsigned seed = 0; seed < MUTATIONS; seed++) {
        const char *base = seed % 4 ? sample_full : sample_minimal;
        size_t size = strlen(base);
        struct config *config = NULL;
        struct config_error error;
        uint64_t state = seed;
        enum status status = STATUS_OK;

        memcpy(text, base, size + 1);
        for (uint64_t changes = 1 + next(&state) % 3; changes > 0; changes--)
            size = mutate(text, size, &state);
        status = sample_load(text, size, &config, &error);
        if (status == STATUS_OK) {
            loaded++;
            if (!config || config->port_count == 0 || config->customer_count == 0)
                fail_msg("seed %u: loaded without content", seed);
        } else {
            refused++;
            if (status != STATUS_BAD_CONFIG || config || error.line == 0 || error.column == 0 ||
                error.text[0] == '\0' || strchr(error.text, '\n'))
                fail_msg("seed %u: status %d, %u:%u %s", seed, status, error.line, error.column,
                         error.text);
        }
        config_free(config);
    }
    print_message("loaded %u, refused %u\n", loaded, refused);
    /* Both happen, or the damage is of the wrong size. */
    assert_true(refused > MUTATIONS / 4);
    assert_true(loaded > MUTATIONS / 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutated_files_load_or_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
