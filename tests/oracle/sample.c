#include "tests/oracle/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_FIELDS   64u
#define SAMPLE_GAP_MAX  2000u
#define SAMPLE_BYTES    20000u
#define SAMPLE_ANY_BYTE 'x'

struct sample *samples_add(struct samples *samples, const char *name)
{
    struct sample *sample;

    if (samples->count == samples->room) {
        samples->room = samples->room == 0 ? 64 : samples->room * 2;
        samples->entries = realloc(samples->entries, samples->room * sizeof(*samples->entries));
        if (samples->entries == NULL)
            abort();
    }
    sample = &samples->entries[samples->count++];
    *sample = (struct sample){0};
    (void)snprintf(sample->name, sizeof(sample->name), "%s", name);
    return sample;
}

void samples_free(struct samples *samples)
{
    for (size_t i = 0; i < samples->count; i++)
        bytes_free(&samples->entries[i].payload);
    free(samples->entries);
    *samples = (struct samples){0};
}

static int sample_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static void sample_fill(struct bytes *to, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        bytes_byte(to, SAMPLE_ANY_BYTE);
}

/* {n} {n-m} {-m} {n-} and [n-m]: the shortest gap, sometimes a longer one. */
static const char *sample_gap(struct bytes *to, const char *at, const char *end,
                              struct random *random)
{
    char close = *at == '{' ? '}' : ']';
    const char *stop = memchr(at, close, (size_t)(end - at));
    char *after;
    unsigned long low;
    unsigned long high;

    if (stop == NULL)
        return NULL;
    low = at[1] == '-' ? 0 : strtoul(at + 1, &after, 10);
    high = low;
    if (at[1] == '-')
        high = strtoul(at + 2, &after, 10);
    else if (*after == '-' && after + 1 < stop)
        high = strtoul(after + 1, &after, 10);
    if (low > SAMPLE_GAP_MAX)
        return NULL;
    if (high > low + 8)
        high = low + 8;
    sample_fill(to, (unsigned)(low + random_below(random, high - low + 1)));
    return stop + 1;
}

/* (aa|bb) one of them; !(aa) something else; (B) (L) (W) what they stand for. */
static const char *sample_choice(struct bytes *to, const char *at, const char *end, bool negated,
                                 struct random *random)
{
    const char *stop = memchr(at, ')', (size_t)(end - at));
    const char *bar;
    size_t length;

    if (stop == NULL || memchr(at + 1, '(', (size_t)(stop - at - 1)) != NULL)
        return NULL;
    if (stop == at + 2) { /* (B) word boundary, (L) line end, (W) no letter */
        if (!negated)
            bytes_text(to, at[1] == 'L' ? "\r\n" : " ");
        return stop + 1;
    }
    bar = memchr(at, '|', (size_t)(stop - at));
    length = (size_t)((bar == NULL ? stop : bar) - at - 1);
    if (negated)
        sample_fill(to, (unsigned)length / 2);
    else if (!sample_pattern(to, at + 1, length, random))
        return NULL;
    return stop + 1;
}

static const char *sample_byte(struct bytes *to, const char *at, const char *end)
{
    int high;
    int low;

    if (end - at < 2)
        return NULL;
    high = sample_digit(at[0]);
    low = sample_digit(at[1]);
    if ((high < 0 && at[0] != '?') || (low < 0 && at[1] != '?'))
        return NULL;
    if (high < 0 && low < 0)
        bytes_byte(to, SAMPLE_ANY_BYTE);
    else
        bytes_byte(to, (uint8_t)((high < 0 ? 6 : high) << 4 | (low < 0 ? 1 : low)));
    return at + 2;
}

bool sample_pattern(struct bytes *to, const char *pattern, size_t length, struct random *random)
{
    const char *at = pattern;
    const char *end = pattern + length;

    while (at != NULL && at < end && to->length < SAMPLE_BYTES) {
        if (*at == '*') {
            sample_fill(to, (unsigned)random_below(random, 6));
            at++;
        } else if (*at == '{' || *at == '[') {
            at = sample_gap(to, at, end, random);
        } else if (*at == '(') {
            at = sample_choice(to, at, end, false, random);
        } else if (*at == '!' && end - at > 1 && at[1] == '(') {
            at = sample_choice(to, at + 1, end, true, random);
        } else {
            at = sample_byte(to, at, end);
        }
    }
    return at == end && to->length > 0;
}

/* Cuts a line at `separator`; returns the number of fields. */
static unsigned sample_fields(char *line, char separator, char *fields[SAMPLE_FIELDS])
{
    unsigned count = 0;

    while (line != NULL && count < SAMPLE_FIELDS) {
        char *next = strchr(line, separator);

        if (next != NULL)
            *next++ = '\0';
        fields[count++] = line;
        line = next;
    }
    return count;
}

static bool sample_target(unsigned long target)
{
    return target == 0 || target == 3 || target == 4 || target == 5 || target == 7 || target == 14;
}

static void sample_ndb(struct samples *samples, char *line, struct random *random)
{
    char *fields[SAMPLE_FIELDS];
    struct bytes payload = {0};

    if (sample_fields(line, ':', fields) < 4 || !sample_target(strtoul(fields[1], NULL, 10)))
        return;
    if (sample_pattern(&payload, fields[3], strlen(fields[3]), random))
        samples_add(samples, fields[0])->payload = payload;
    else
        bytes_free(&payload);
}

/* Is subsignature `index` one that must not occur ("3=0", "3<2")? */
static bool sample_unwanted(const char *logic, unsigned index)
{
    const char *at = logic;

    while (*at != '\0') {
        char *after;
        unsigned long number;

        if (*at < '0' || *at > '9') {
            at++;
            continue;
        }
        number = strtoul(at, &after, 10);
        if (number == index && (*after == '<' || strncmp(after, "=0", 2) == 0))
            return true;
        if (*after == '=' || *after == '<' || *after == '>')
            (void)strtoul(after + 1, &after, 10);
        at = after;
    }
    return false;
}

/* One subsignature: "[offset:]pattern[::modifiers]". Several times over where a count is asked. */
static void sample_subsignature(struct bytes *to, char *text, struct random *random)
{
    char *modifiers = strstr(text, "::");
    char *colon;
    struct bytes part = {0};
    bool wide;

    if (modifiers != NULL)
        *modifiers = '\0';
    wide = modifiers != NULL && strchr(modifiers + 2, 'w') != NULL &&
           strchr(modifiers + 2, 'a') == NULL;
    colon = strrchr(text, ':');
    if (colon != NULL)
        text = colon + 1;
    if (sample_pattern(&part, text, strlen(text), random)) {
        for (size_t i = 0; i < part.length; i++) {
            bytes_byte(to, part.data[i]);
            if (wide)
                bytes_byte(to, 0);
        }
    }
    bytes_free(&part);
}

static void sample_ldb(struct samples *samples, char *line, struct random *random)
{
    char *fields[SAMPLE_FIELDS];
    unsigned count = sample_fields(line, ';', fields);
    struct bytes payload = {0};
    const char *target = count > 3 ? strstr(fields[1], "Target:") : NULL;

    if (count < 4 || target == NULL || !sample_target(strtoul(target + 7, NULL, 10)))
        return;
    for (unsigned i = 3; i < count; i++) {
        unsigned copies = strchr(fields[2], '>') == NULL ? 1 : 3;

        if (sample_unwanted(fields[2], i - 3))
            continue;
        for (unsigned copy = 0; copy < copies; copy++) {
            char *text = strdup(fields[i]);

            if (payload.length > 0)
                bytes_text(&payload, random_chance(random, 5000) ? " " : "\r\n");
            sample_subsignature(&payload, text, random);
            free(text);
        }
    }
    if (payload.length > 3)
        samples_add(samples, fields[0])->payload = payload;
    else
        bytes_free(&payload);
}

bool samples_read(struct samples *samples, const char *path, unsigned step, struct random *random)
{
    FILE *file = fopen(path, "r");
    size_t length = strlen(path);
    bool logical = length > 4 && strcmp(path + length - 4, ".ldb") == 0;
    char *line = NULL;
    size_t room = 0;
    unsigned number = (unsigned)random_below(random, step);
    ssize_t got;

    if (file == NULL)
        return false;
    while ((got = getline(&line, &room, file)) > 0) {
        while (got > 0 && (line[got - 1] == '\n' || line[got - 1] == '\r'))
            line[--got] = '\0';
        if (number++ % step != 0 || line[0] == '#')
            continue;
        if (logical)
            sample_ldb(samples, line, random);
        else
            sample_ndb(samples, line, random);
    }
    free(line);
    return fclose(file) == 0;
}
