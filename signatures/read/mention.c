/* A word anywhere in the text of the signatures. */
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "signatures/read/read.h"

#define MENTION_WORD_MAX 64u

struct mention {
    struct reader reader; /* first: content() gets this */
    const char *word;
    bool found;
};

static bool mention_is_container(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL && (strcasecmp(dot, ".cvd") == 0 || strcasecmp(dot, ".cld") == 0 ||
                           strcasecmp(dot, ".cud") == 0);
}

/* The end of one piece stays, for a word that goes on in the next. */
static enum status mention_search(struct mention *mention, struct read_input *input)
{
    size_t length = strlen(mention->word);
    uint8_t *buffer = mention->reader.buffer;
    size_t kept = 0;
    ssize_t taken;

    while (!mention->found) {
        size_t size;

        taken = input->take(input->context, buffer + kept, sizeof(mention->reader.buffer) - kept);
        if (taken < 0)
            return STATUS_SYSTEM;
        if (taken == 0)
            return STATUS_OK;
        size = kept + (size_t)taken;
        mention->found = memmem(buffer, size, mention->word, length) != NULL;
        kept = size < length - 1 ? size : length - 1;
        memmove(buffer, buffer + size - kept, kept);
    }
    return STATUS_OK;
}

/* Once it is found the rest need not be read. */
static enum status mention_content(struct reader *reader, struct read_input *input,
                                   const char *name)
{
    struct mention *mention = (struct mention *)reader;

    if (mention->found)
        return STATUS_OK;
    reader->input = input;
    reader->file = name;
    reader->buffer_at = 0;
    reader->buffer_end = 0;
    reader->at_end = false;
    if (!reader->inside_container && mention_is_container(name))
        return read_container(reader);
    return mention_search(mention, input);
}

enum status source_mentions(const char *path, const char *word, bool *mentioned, struct why *why)
{
    struct mention *mention = calloc(1, sizeof(*mention));
    enum status status;

    CHECK(strlen(word) >= 2 && strlen(word) <= MENTION_WORD_MAX);
    *mentioned = false;
    if (mention == NULL)
        return STATUS_NO_MEMORY;
    mention->word = word;
    mention->reader.why = why;
    mention->reader.loads = read_loads;
    mention->reader.content = mention_content;
    why_clear(why);
    status = read_path(&mention->reader, path);
    *mentioned = mention->found;
    free(mention);
    return status;
}
