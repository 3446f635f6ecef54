#include "control/relay/notice.h"

#include <stdarg.h>
#include <stdio.h>

void notice(const char *format, ...)
{
    char line[1024];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    for (char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || (unsigned char)*c == 127)
            *c = '?';
    }
    (void)fprintf(stderr, "postern-control: %s\n", line);
}
