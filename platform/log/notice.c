#include "platform/log/notice.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/log/writer.h"

static const char *notice_program = "postern";
static struct log_writer notice_writer = {.fd = -1};
static bool notice_opened;

void notice_open(const char *program)
{
    notice_program = program;
    if (!notice_opened)
        notice_opened =
            log_writer_open(&notice_writer, STDERR_FILENO, NOTICE_QUEUE_BYTES) == STATUS_OK;
}

static void notice_write(const char *format, va_list arguments, uint64_t left_out)
{
    char line[NOTICE_LINE_BYTES + 1];
    size_t size = sizeof(line) - 1; /* room for the line's end */
    size_t length = (size_t)snprintf(line, size, "%s: ", notice_program);

    (void)vsnprintf(line + length, size - length, format, arguments);
    length = strlen(line);
    if (left_out > 0 && length + 1 < size)
        (void)snprintf(line + length, size - length,
                       " (and %llu times more since it was last said)",
                       (unsigned long long)left_out);
    length = strlen(line);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)line[i] < ' ' || (unsigned char)line[i] == 127)
            line[i] = '?';
    }
    line[length++] = '\n';
    if (!notice_opened)
        notice_open(notice_program);
    if (notice_opened)
        log_writer_add(&notice_writer, LOG_FIRST, line, length);
}

void notice(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    notice_write(format, arguments, 0);
    va_end(arguments);
}

void notice_seldom(struct notice_seldom *seldom, int64_t now_ns, const char *format, ...)
{
    va_list arguments;

    if (seldom->said && now_ns - seldom->said_ns < NOTICE_SELDOM_NS) {
        seldom->left_out++;
        return;
    }
    va_start(arguments, format);
    notice_write(format, arguments, seldom->left_out);
    va_end(arguments);
    *seldom = (struct notice_seldom){.said = true, .said_ns = now_ns};
}

bool notice_flush(void)
{
    if (!notice_opened)
        return false;
    log_writer_flush(&notice_writer);
    return log_writer_pending(&notice_writer);
}

void notice_forked(void)
{
    if (notice_opened)
        log_writer_abandon(&notice_writer);
    notice_opened = false;
}
