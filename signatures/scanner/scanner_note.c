#include "signatures/scanner/scanner_note.h"

#include <stdarg.h>
#include <stdio.h>

#include "platform/log/notice.h"
#include "signatures/scanner/verdict.h"

void scanner_note(const char *format, ...)
{
    char text[1024];
    char clean[1024];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    verdict_printable(clean, sizeof(clean), text);
    notice("%s", clean);
}
