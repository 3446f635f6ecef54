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

static void last_line(const char *text, size_t length, char *last, size_t size)
{
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        length--;
    size_t start = length;
    while (start > 0 && text[start - 1] != '\n')
        start--;
    if (length - start >= size)
        length = start + size - 1;
    memcpy(last, text + start, length - start);
    last[length - start] = '\0';
}

void chatter_end(struct chatter *chatter, char *last, size_t size)
{
    if (size > 0)
        last[0] = '\0';
    if (chatter->stream == NULL)
        return;
    rte_openlog_stream(NULL);
    if (fclose(chatter->stream) == 0 && size > 0 && chatter->text != NULL)
        last_line(chatter->text, chatter->length, last, size);
    free(chatter->text);
    *chatter = (struct chatter){0};
}
