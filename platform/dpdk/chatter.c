#include "platform/dpdk/chatter.h"

#include <rte_log.h>
#include <stdlib.h>
#include <string.h>

void chatter_begin(struct chatter *chatter)
{
    *chatter = (struct chatter){0};
    chatter->stream = open_memstream(&chatter->text, &chatter->length);
    /* Without memory for it the log simply stays on standard error. */
    if (chatter->stream != NULL)
        rte_openlog_stream(chatter->stream);
}

/* Where the last line of text[0..length) begins, and its length without blanks at the end. */
static size_t chatter_find_line(const char *text, size_t length, size_t *line_length)
{
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        length--;
    size_t start = length;
    while (start > 0 && text[start - 1] != '\n')
        start--;
    *line_length = length - start;
    return start;
}

/* DPDK names the cause first and what came of it after that, so both lines are kept. */
static void chatter_last_lines(const char *text, size_t length, char *last, size_t size)
{
    size_t effect_length;
    size_t cause_length;
    size_t effect = chatter_find_line(text, length, &effect_length);
    size_t cause = chatter_find_line(text, effect, &cause_length);

    snprintf(last, size, "%.*s%s%.*s", (int)cause_length, text + cause,
             cause_length > 0 ? "; " : "", (int)effect_length, text + effect);
}

void chatter_end(struct chatter *chatter, char *last, size_t size)
{
    if (size > 0)
        last[0] = '\0';
    if (chatter->stream == NULL)
        return;
    rte_openlog_stream(NULL);
    if (fclose(chatter->stream) == 0 && size > 0 && chatter->text != NULL)
        chatter_last_lines(chatter->text, chatter->length, last, size);
    free(chatter->text);
    *chatter = (struct chatter){0};
}
